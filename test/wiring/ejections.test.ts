// ejections.test.ts -- what the gateway finds reaches status, DNS answers and history, and goes away again

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Outliers } from '../../src/gateway/outliers.ts';
import type { PastChange } from '../../src/registry/change-history.ts';
import { Registry } from '../../src/registry/registry.ts';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { answerableIds, applyVerdict, followRegistry } from '../../src/wiring/ejections.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { formatReply, NameServer } from '../support/name-server.ts';
import { aCheck, anInstance, aResult, refusal } from '../support/registrations.ts';

const SETTINGS = {
  consecutive: 3,
  errorShare: 1,
  minRequests: 20,
  windowMs: 10_000,
  ejectForMs: 10_000,
  maxEjectForMs: 60_000,
  maxEjected: 0.5,
};

/** Three instances of `web`, 10.0.0.1 to 3, and a gateway that sends requests to them. */
async function setUp() {
  const server = await NameServer.open();
  const { registry, clock } = server;
  const outliers = new Outliers({
    clock,
    answerable: (service) => answerableIds(registry, service),
    onVerdict: (verdict) => applyVerdict(registry, silentLogger, verdict),
  });
  const stop = followRegistry(registry, outliers);
  const watch = outliers.watch('web', SETTINGS);
  const instance = (n: number, parts: object = {}) =>
    anInstance({ id: `i${n}`, address: `10.0.0.${n}`, checks: [aCheck()], ...parts });
  for (const n of [1, 2, 3]) {
    await registry.register(instance(n));
    registry.reportResult(`i${n}`, 'alive', aResult('passing'));
  }
  const fail = (id: string): void => {
    for (let i = 0; i < SETTINGS.consecutive; i++) watch.note(id, 'failure', clock.monotonicMs());
  };
  const answers = (): string[] =>
    formatReply(server.ask('web.service.local. IN A')).flatMap((line) => /10\.0\.0\.\d+/.exec(line)?.[0] ?? []);
  const sorted = () => answers().sort().join(' ');
  const status = (id: string) => {
    const { status: now, reason } = registry.instance(id)!;
    return `${now}: ${reason}`;
  };
  const last = (): PastChange => registry.history('web', 1)![0]!;
  return { server, registry, clock, outliers, watch, stop, instance, fail, sorted, status, last };
}

const EJECTED = 'unhealthy: ejected by the gateway for 10s: 3 failures in a row';

describe('an ejection', () => {
  it('takes the instance out of the answers, stands in the history, and ends by itself', async () => {
    const { registry, clock, fail, sorted, status, last } = await setUp();
    assert.equal(sorted(), '10.0.0.1 10.0.0.2 10.0.0.3');
    fail('i2');
    assert.equal(sorted(), '10.0.0.1 10.0.0.3');
    assert.equal(status('i2'), EJECTED);
    const change = { kind: 'health', service: 'web', by: { kind: 'gateway' }, instance: 'i2' };
    const { atMs, ...out } = last();
    assert.equal(atMs, clock.wallMs());
    assert.deepEqual(out, { ...change, status: 'unhealthy', reason: EJECTED.slice('unhealthy: '.length) });
    await clock.advance(10_000);
    assert.equal(sorted(), '10.0.0.1 10.0.0.2 10.0.0.3');
    const { atMs: _, ...back } = last();
    assert.deepEqual(back, { ...change, status: 'healthy', reason: 'all checks pass' });
    assert.equal(registry.isEjected('i2'), false);
  });

  it('is not overridden by checks, and what they say counts afterwards', async () => {
    const { registry, clock, fail, status } = await setUp();
    fail('i2');
    registry.reportResult('i2', 'alive', aResult('critical'));
    registry.reportResult('i2', 'alive', aResult('passing'));
    assert.equal(status('i2'), EJECTED);
    registry.reportResult('i2', 'alive', aResult('critical'));
    await clock.advance(10_000);
    assert.equal(status('i2'), 'unhealthy: check alive is critical');
  });

  it('gives way to drain and maintenance', async () => {
    const { registry, clock, fail, status } = await setUp();
    fail('i2');
    await registry.setDraining('i2', true);
    assert.equal(status('i2'), 'draining: draining');
    await registry.setDraining('i2', false);
    assert.equal(status('i2'), EJECTED);
    await registry.setMaintenance('i2', 'new disk');
    await clock.advance(10_000);
    assert.equal(status('i2'), 'maintenance: new disk');
    await registry.setMaintenance('i2', undefined);
    assert.equal(status('i2'), 'healthy: all checks pass');
  });

  it('ends by hand, also under a drain, with nothing held against the instance', async () => {
    const { registry, outliers, watch, clock, fail, sorted, status, last } = await setUp();
    fail('i2');
    await registry.setDraining('i2', true);
    registry.readmit('i2', { kind: 'token', id: 'ops' });
    assert.equal(outliers.isEjected('i2'), false);
    assert.deepEqual(last().by, { kind: 'token', id: 'ops' });
    await registry.setDraining('i2', false);
    assert.equal(sorted(), '10.0.0.1 10.0.0.2 10.0.0.3');
    const count = registry.history('web', 100)!.length;
    registry.readmit('i2');
    assert.equal(registry.history('web', 100)!.length, count, 'no news');
    watch.note('i2', 'failure', clock.monotonicMs());
    assert.equal(status('i2'), 'healthy: all checks pass');
    fail('i2');
    assert.equal(status('i2'), EJECTED);
    assert.equal(refusal(() => registry.readmit('nobody')).code, 'unknown_instance');
    assert.equal(refusal(() => registry.eject('nobody', 'why')).code, 'unknown_instance');
  });

  it('outlives a registration at the same place, not one at another', async () => {
    const { registry, outliers, instance, fail, status } = await setUp();
    fail('i2');
    await registry.register(instance(2, { tags: ['v2'] }));
    assert.equal(status('i2'), EJECTED);
    await registry.register(instance(2, { port: 81 }));
    assert.equal(status('i2'), 'healthy: all checks pass');
    assert.equal(outliers.isEjected('i2'), false);
  });

  it('goes with the instance', async () => {
    const { registry, clock, outliers, watch, instance, fail, status } = await setUp();
    fail('i2');
    await registry.deregister('i2');
    assert.equal(outliers.hasEjected, false);
    watch.note('i2', 'failure', clock.monotonicMs());
    await registry.register(instance(2, { checks: [] }));
    assert.equal(status('i2'), 'healthy: no checks');
    await clock.advance(60_000);
    assert.equal(status('i2'), 'healthy: no checks');
  });

  it('counts like an instance that is down: too few are well', async () => {
    const { server, registry, watch, clock, fail, sorted } = await setUp();
    await registry.setPolicy('web', readPolicy({ minHealthyFraction: 0.7, whenAllUnhealthy: 'all' }));
    assert.equal(sorted(), '10.0.0.1 10.0.0.2 10.0.0.3');
    fail('i2');
    assert.equal(sorted(), '10.0.0.1 10.0.0.2 10.0.0.3', 'all, by the policy');
    await registry.setPolicy('web', readPolicy({ minHealthyFraction: 0.6 }));
    assert.equal(sorted(), '10.0.0.1 10.0.0.3');
    watch.note('i1', 'failure', clock.monotonicMs());
    assert.deepEqual(server.failures, []);
  });

  it('is forgotten by a restart', async () => {
    const store = openMemoryStore();
    const clock = new FakeClock();
    const options = { store, clock, log: silentLogger, keepHistory: true };
    const first = await Registry.open(options);
    await first.register(anInstance());
    first.eject('a', 'ejected', { kind: 'gateway' });
    await first.stop();
    const second = await Registry.open(options);
    assert.equal(second.instance('a')?.status, 'healthy');
    assert.equal(second.history('web', 10)?.[0]?.by?.kind, 'gateway');
    await second.stop();
  });

  it('holds for instances of the configuration file too, until told no more', async () => {
    const { registry, outliers, stop, fail, status } = await setUp();
    registry.setStatic([anInstance({ id: 'fixed', address: '10.0.0.9' })]);
    fail('fixed');
    assert.equal(status('fixed'), EJECTED);
    registry.readmit('fixed');
    assert.equal(status('fixed'), 'healthy: no checks');
    assert.equal(outliers.isEjected('fixed'), false);
    stop();
    fail('fixed');
    registry.readmit('fixed');
    assert.equal(outliers.isEjected('fixed'), true);
  });
});
