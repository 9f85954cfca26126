// own-stall.test.ts -- a real target that is well, probed while our own event loop stands still

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { closeCheckers, createCheckers } from '../../src/checkers/checkers.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import { type CheckEvent, HealthMonitor } from '../../src/health/monitor.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

/** In a thread of its own: it goes on while ours does not. Tells its port, then of every request before it answers. */
const TARGET = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:http').createServer((request, response) => {
    parentPort.postMessage('asked');
    setTimeout(() => response.end('fine'), 50);
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const TIMEOUT_MS = 1000;

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('is not called critical for it', { timeout: 60_000 }, async (test) => {
  const worker = new Worker(TARGET, { eval: true });
  test.after(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  const checkers = createCheckers({ networks: DEFAULT_PROBE_NETWORKS, isOwnListener: () => false, allowExec: false });
  const events: CheckEvent[] = [];
  const monitor = new HealthMonitor({
    clock: systemClock,
    random: seededRandom(1),
    checkers,
    jitter: 0,
    concurrency: 8,
    perHost: 8,
    damping: DEFAULT_DAMPING,
    onResult: (event) => void events.push(event),
    onDeregister: () => {},
    log: silentLogger,
  });
  test.after(async () => {
    monitor.stop();
    await closeCheckers(checkers);
  });
  const times = { intervalMs: TIMEOUT_MS, timeoutMs: TIMEOUT_MS, fall: 1, rise: 1 };
  monitor.watch('cart-1', [probeTarget(checkSpec('http', { url: `http://127.0.0.1:${port}/`, ...times }))], {
    restored: {},
    spread: false,
  });
  for (let round = 0; round < 2; round++) {
    await once(worker, 'message');
    standStill(TIMEOUT_MS * 1.3);
    // The second look.
    await once(worker, 'message');
  }
  await once(worker, 'message');
  assert.ok(events.length >= 2, `${events.length} results`);
  assert.deepEqual(
    events.map(({ outcome, result }) => `${outcome} ${result.output}`).filter((each) => !each.startsWith('passing')),
    [],
  );
});
