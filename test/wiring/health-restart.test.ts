// health-restart.test.ts -- after a restart a check goes on from what was last known of it, not from `initial`

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { HealthConfig } from '../../src/config/config.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { ClusterHost } from '../../src/wiring/cluster.ts';
import { reportTo, startHealth } from '../../src/wiring/health.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

const CONFIG: HealthConfig = {
  intervalMs: 60_000,
  timeoutMs: 2000,
  rise: 2,
  fall: 3,
  jitter: 0,
  concurrency: 8,
  perHost: 8,
  allowExec: false,
  allow: [],
  deny: [],
  damping: DEFAULT_DAMPING,
  replicas: 2,
  quorum: 'majority',
};

it('an instance that failed stays out, and one that was well stays in, whatever their `initial` says', async () => {
  const open = createServer((socket) => socket.end());
  open.listen(0, '127.0.0.1');
  await once(open, 'listening');
  const { port } = open.address() as { port: number };
  const shut = createServer();
  shut.listen(0, '127.0.0.1');
  await once(shut, 'listening');
  const { port: shutPort } = shut.address() as { port: number };
  shut.close();

  const store = openMemoryStore();
  const before = await Registry.open({ store, clock: systemClock, log: silentLogger });
  const check = (to: number, initial: 'passing' | 'critical') =>
    aCheck('alive', { type: 'tcp', host: '127.0.0.1', port: to, initial, rise: 2, fall: 3, intervalMs: 60_000 });
  await before.register(anInstance({ id: 'broken', checks: [check(shutPort, 'passing')] }));
  await before.register(anInstance({ id: 'well', checks: [check(port, 'critical')] }));
  await before.register(anInstance({ id: 'untried', checks: [check(shutPort, 'passing')] }));
  before.reportResult('broken', 'alive', aResult('critical', 'refused'));
  before.reportResult('well', 'alive', aResult('passing', 'connected'));
  await before.stop();

  const registry = await Registry.open({ store, clock: systemClock, log: silentLogger });
  const status = (id: string) => registry.instance(id)?.status;
  assert.deepEqual(['broken', 'well', 'untried'].map(status), ['unhealthy', 'healthy', 'healthy']);
  const seen = new Set<string>();
  registry.onChange(({ instance }) => seen.add(`${instance?.instance.id} ${instance?.status}`));
  const probed = new Promise<void>((resolve) => {
    const tried = () =>
      ['broken', 'well', 'untried'].every((id) => registry.instance(id)?.checks.alive?.latencyMs !== undefined);
    const look = setInterval(() => {
      if (!tried()) return;
      clearInterval(look);
      resolve();
    }, 5);
  });
  const health = startHealth(registry, CONFIG, {
    log: silentLogger,
    metrics: new MetricsRegistry(),
    ownEndpoints: () => [],
    cluster: new ClusterHost({
      store,
      clock: systemClock,
      log: silentLogger,
      metrics: new MetricsRegistry(),
      config: { store: { kind: 'memory' }, health: CONFIG },
      version: '1.0.0',
      onStale: () => {},
    }),
    report: reportTo(registry, () => {}),
  });
  await probed;
  await health.stop();
  await registry.stop();
  open.close();
  // The one that was never tried counts from its `initial`: a first failure is not yet `fall`.
  assert.deepEqual(['broken', 'well', 'untried'].map(status), ['unhealthy', 'healthy', 'healthy']);
  assert.deepEqual([...seen], [], 'nothing changed in between');
});
