// checkers.test.ts -- monitor and checkers together, on the machine's clock, with a server that comes and goes

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { closeCheckers, createCheckers } from '../../src/checkers/checkers.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import type { CheckEvent } from '../../src/health/monitor.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

const INTERVAL_MS = 100;
const TIMEOUT_MS = 100;
const FALL = 3;
const JITTER = 0.1;

it('a server that dies is critical in time, and passing again after it is back', { timeout: 20_000 }, async () => {
  const answer = () => createServer((_, response) => response.end('fine'));
  const checkers = createCheckers({ networks: DEFAULT_PROBE_NETWORKS, isOwnListener: () => false, allowExec: false });
  const changes = new EventEmitter();
  const monitor = new HealthMonitor({
    clock: systemClock,
    random: seededRandom(1),
    checkers,
    jitter: JITTER,
    concurrency: 8,
    perHost: 8,
    damping: DEFAULT_DAMPING,
    onResult: (event) => void (event.changed && changes.emit('change', event)),
    onDeregister: () => {},
    log: silentLogger,
  });
  // The clock's timers do not keep the process alive; the server does in real life.
  const alive = setInterval(() => {}, 1000);
  const nextChange = async (): Promise<CheckEvent> => (await once(changes, 'change'))[0];
  const peer = await Peer.listen(answer());
  const times = { intervalMs: INTERVAL_MS, timeoutMs: TIMEOUT_MS, fall: FALL, rise: 2 };
  const check = checkSpec('http', { url: `http://127.0.0.1:${peer.port}/`, ...times });
  const { port } = peer;
  try {
    monitor.watch('cart-1', [probeTarget(check)], { restored: {}, spread: false });
    assert.equal((await nextChange()).outcome, 'passing');
    await peer.close();
    const diedMs = performance.now();
    assert.equal((await nextChange()).outcome, 'critical');
    const noticedMs = performance.now() - diedMs;
    const boundMs = INTERVAL_MS * (1 + JITTER) * FALL + TIMEOUT_MS + 1000;
    assert.ok(noticedMs <= boundMs, `noticed after ${noticedMs} ms`);
    const back = await Peer.listen(answer(), '127.0.0.1', port);
    assert.equal((await nextChange()).outcome, 'passing');
    await back.close();
  } finally {
    clearInterval(alive);
    monitor.stop();
    await closeCheckers(checkers);
  }
});
