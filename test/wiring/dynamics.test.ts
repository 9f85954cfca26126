// dynamics.test.ts -- load, latency and slow start over a registry: who is told what, when, and how often

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { memberNews, newsOf, policyNews, readingsNews, tellMember } from '../../src/nameserver/news.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { Change } from '../../src/registry/change.ts';
import type { Instance, InstanceState } from '../../src/registry/instance.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Store } from '../../src/registry/store.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { Dynamics } from '../../src/wiring/dynamics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

interface SetUp {
  readonly store?: Store;
  readonly clock?: FakeClock;
  readonly policy?: Policy;
  readonly statics?: readonly Instance[];
}

/** A registry and what moves in it, joined as server.ts joins them, and a replica that hears the news. */
async function setUp({ store = openMemoryStore(), clock = new FakeClock(), policy, statics = [] }: SetUp = {}) {
  const late: { dynamics?: Dynamics } = {};
  const registry = await Registry.open({
    store,
    clock,
    log: silentLogger,
    onReport: (state, report) => late.dynamics?.report(state, report),
  });
  const replica = new Replica(new Cursors(createCursorMemory(64)));
  for (const service of registry.services()) {
    replica.apply(policyNews(service.name, service, 0));
    for (const state of service.instances.values()) replica.apply(memberNews(state, 0));
  }
  const changes: Change[] = [];
  registry.onChange((change) => {
    changes.push(change);
    replica.apply(
      structuredClone(
        newsOf(
          change,
          (name) => registry.service(name),
          () => 0,
        ),
      ),
    );
  });
  registry.setStatic(statics);
  const told: { atMs: number; ids: string[] }[] = [];
  const tell = (news: ReadonlyMap<string, readonly InstanceState[]>): void => {
    for (const [name, states] of news) {
      told.push({ atMs: clock.monotonicMs(), ids: states.map(({ instance }) => instance.id) });
      replica.apply(structuredClone(readingsNews(name, states)));
    }
  };
  const dynamics = new Dynamics({ registry, clock, tell });
  late.dynamics = dynamics;
  if (policy !== undefined) await registry.setPolicy('web', policy);
  const readings = (id: string) => {
    const { connections, latencyMs, warmth } = registry.instance(id)!;
    const member = replica.service('web')?.instances.get(id);
    assert.deepEqual(
      [member?.connections, member?.latencyMs, member?.warmth],
      [connections, latencyMs, warmth],
      'a replica knows the same',
    );
    return { connections, latencyMs, warmth };
  };
  const result = (id: string, outcome: 'passing' | 'critical', latencyMs = 1) =>
    registry.reportResult(id, 'alive', { ...aResult(outcome), latencyMs });
  return { registry, clock, store, dynamics, changes, told, readings, result };
}

const CHECKED = { checks: [aCheck()] };

describe('slow start', () => {
  it('begins with the registration and ends after its time', async () => {
    const { registry, clock, told, readings } = await setUp({ policy: { slowStartMs: 9000 } });
    await registry.register(anInstance());
    assert.equal(readings('a').warmth, 0.1, 'when the registration is acknowledged');
    const levels: (number | undefined)[] = [];
    for (let second = 1; second <= 9; second++) {
      await clock.advance(1000);
      levels.push(readings('a').warmth);
    }
    assert.deepEqual(levels, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, undefined]);
    assert.equal(told.length, 10);
    assert.equal(clock.pendingCount, 0, 'no timer is left');
  });

  it('goes by what the instance says, which may be changed', async () => {
    const { registry, clock, readings } = await setUp({ policy: { slowStartMs: 9000 } });
    await registry.register(anInstance({ id: 'own', warmupMs: 90_000 }));
    await registry.register(anInstance({ id: 'never', warmupMs: 0 }));
    await clock.advance(9000);
    assert.deepEqual([readings('own').warmth, readings('never').warmth], [0.1, undefined]);
    await clock.advance(1000);
    assert.equal(readings('own').warmth, 0.2);
    await registry.update('own', (instance) => ({ ...instance, warmupMs: 18_000 }));
    await clock.advance(100);
    assert.equal(readings('own').warmth, 0.6);
    await registry.update('own', (instance) => ({ ...instance, warmupMs: 0 }));
    await clock.advance(100);
    assert.equal(readings('own').warmth, undefined);
  });

  it('comes again with each recovery, from checks, drain and maintenance', async () => {
    const { registry, clock, readings, result } = await setUp({ policy: { slowStartMs: 9000 } });
    await registry.register(anInstance(CHECKED));
    assert.equal(readings('a').warmth, undefined, 'pending: not in the answers');
    result('a', 'passing');
    const begins = async (what: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(readings('a').warmth, 0.1, what);
      await clock.advance(10_000);
      assert.equal(readings('a').warmth, undefined, `${what}, later`);
    };
    await begins('the first result');
    result('a', 'critical');
    result('a', 'passing');
    await begins('recovery');
    await registry.setDraining('a', true);
    await registry.setDraining('a', false);
    await begins('the end of a drain');
    await registry.setServiceMaintenance('web', 'works');
    await registry.setServiceMaintenance('web', undefined);
    await begins('the end of maintenance');
  });

  it('ends at once with the answers it is in, and begins from the beginning', async () => {
    const { registry, clock, readings, result } = await setUp({ policy: { slowStartMs: 9000 } });
    await registry.register(anInstance(CHECKED));
    result('a', 'passing');
    await clock.advance(5000);
    result('a', 'critical');
    await clock.advance(1000);
    assert.equal(readings('a').warmth, undefined);
    result('a', 'passing');
    await clock.advance(1);
    assert.equal(readings('a').warmth, 0.1);
  });

  it('is no change: nothing is told to listeners, and nothing gets another index', async () => {
    const { registry, clock, changes } = await setUp({ policy: { slowStartMs: 9000 } });
    await registry.register(anInstance());
    const { index } = registry.service('web')!;
    const { sequence } = registry;
    changes.length = 0;
    await clock.advance(20_000);
    assert.deepEqual([changes.length, registry.service('web')!.index, registry.sequence], [0, index, sequence]);
  });

  it('does not come after a restart to those who were there, or may have been', async () => {
    const first = await setUp({ policy: { slowStartMs: 9000 } });
    await first.registry.register(anInstance({ id: 'well', ...CHECKED }));
    await first.registry.register(anInstance({ id: 'ill', ...CHECKED }));
    await first.registry.register(anInstance({ id: 'unchecked' }));
    first.result('well', 'passing');
    first.result('ill', 'passing');
    first.result('ill', 'critical');
    await first.clock.advance(20_000);
    await first.registry.stop();
    first.dynamics.stop();
    const statics = ['static', 'failing'].map((id) => anInstance({ id, ...CHECKED }));
    statics.push(anInstance({ id: 'plain' }));
    const { registry, clock, readings, result } = await setUp({ store: first.store, clock: first.clock, statics });
    const warmth = () => ['well', 'ill', 'unchecked', 'static', 'failing', 'plain'].map((id) => readings(id).warmth);
    assert.deepEqual(warmth(), Array(6).fill(undefined));
    result('failing', 'critical');
    result('failing', 'passing');
    result('static', 'passing');
    result('well', 'passing');
    result('ill', 'passing');
    await clock.advance(1);
    const expected = [undefined, 0.1, undefined, undefined, 0.1, undefined];
    assert.deepEqual(warmth(), expected, 'those that were seen to recover warm up');
    result('static', 'critical');
    result('static', 'passing');
    await clock.advance(1);
    assert.equal(readings('static').warmth, 0.1, 'and a static one at its first recovery that we see');
    await registry.stop();
  });

  it('of many in one batch is told at once', async () => {
    const { registry, told } = await setUp({ policy: { slowStartMs: 9000 } });
    const operations = Array.from({ length: 50 }, (_, i) => {
      const instance = anInstance({ id: `i${i}` });
      return { op: 'register' as const, id: instance.id, instance };
    });
    await registry.batch(operations);
    assert.deepEqual([told.length, told[0]?.ids.length], [1, 50]);
  });
});

describe('reported load', () => {
  it('reaches the instances that a policy needs it of, ten times a second at most', async () => {
    const { registry, clock, told, readings } = await setUp({ policy: { strategy: 'least-connections' } });
    await registry.register(anInstance({ id: 'a' }));
    await registry.register(anInstance({ id: 'b' }));
    for (let ms = 0; ms < 1000; ms += 10) {
      registry.heartbeat('a', { connections: ms });
      registry.heartbeat('b', { connections: 7, latencyMs: 9, cpu: 1 });
      await clock.advance(10);
    }
    await clock.advance(100);
    assert.deepEqual(readings('a'), { connections: 990, latencyMs: undefined, warmth: undefined });
    assert.equal(readings('b').connections, 7);
    assert.ok(told.length <= 11, `told ${told.length} times in a second`);
    for (const [i, { atMs }] of told.entries()) {
      assert.ok(i === 0 || atMs - told[i - 1]!.atMs >= 100, `${atMs} after ${told[i - 1]?.atMs}`);
    }
  });

  it('comes from checks too, and fades when nobody reports any more', async () => {
    const { registry, clock, readings, told } = await setUp({ policy: { strategy: 'least-connections' } });
    await registry.register(anInstance({ id: 'a', ...CHECKED }));
    await registry.register(anInstance({ id: 'b' }));
    registry.reportResult('a', 'alive', { ...aResult('passing'), load: 50 });
    for (let second = 0; second < 45; second += 5) {
      registry.heartbeat('b', { connections: 10 });
      await clock.advance(5000);
    }
    const { connections } = readings('a');
    assert.ok(connections! > 25 && connections! < 35, `${connections}, half the way to 10`);
    await clock.advance(60_000);
    assert.deepEqual([readings('a').connections, readings('b').connections], [undefined, undefined]);
    const times = told.length;
    await clock.advance(3_600_000);
    assert.deepEqual([told.length, clock.pendingCount], [times, 0], 'then nothing moves');
  });

  it('is not looked at where no policy needs it', async () => {
    const { registry, clock, told, result } = await setUp({ policy: { strategy: 'weighted' } });
    await registry.register(anInstance(CHECKED));
    registry.heartbeat('a', { connections: 3, latencyMs: 4 });
    result('a', 'passing', 20);
    await clock.advance(5000);
    assert.deepEqual([told, clock.pendingCount], [[], 0]);
  });

  it('is let go when the policy goes by something else', async () => {
    const { registry, clock, readings } = await setUp({ policy: { strategy: 'least-connections' } });
    await registry.register(anInstance());
    registry.heartbeat('a', { connections: 3, latencyMs: 40 });
    await clock.advance(100);
    assert.deepEqual(readings('a'), { connections: 3, latencyMs: undefined, warmth: undefined });
    await registry.setPolicy('web', { strategy: 'latency' });
    registry.heartbeat('a', { connections: 3, latencyMs: 40 });
    await clock.advance(200);
    assert.deepEqual(readings('a'), { connections: undefined, latencyMs: 40, warmth: undefined });
    await registry.setPolicy('web', undefined);
    await clock.advance(200);
    assert.deepEqual(readings('a'), { connections: undefined, latencyMs: undefined, warmth: undefined });
  });

  it('stays with an instance that is changed, and goes with one that is deregistered', async () => {
    const { registry, clock, readings } = await setUp({ policy: { strategy: 'least-connections' } });
    await registry.register(anInstance());
    registry.heartbeat('a', { connections: 3 });
    await clock.advance(100);
    await registry.register(anInstance({ weight: 5, tags: ['x'] }));
    assert.equal(readings('a').connections, 3);
    await registry.deregister('a');
    await registry.register(anInstance());
    await clock.advance(100);
    assert.equal(readings('a').connections, undefined);
  });

  it('moves latency up at once and down slowly', async () => {
    const { registry, clock, readings, result } = await setUp({ policy: { strategy: 'latency' } });
    await registry.register(anInstance(CHECKED));
    const after = async (latencyMs: number) => {
      result('a', 'passing', latencyMs);
      await clock.advance(10_000);
      return readings('a').latencyMs;
    };
    assert.deepEqual([await after(10), await after(90), await after(10), await after(10)], [10, 90, 50, 30]);
  });

  it('of a large service is worked out more seldom', async () => {
    const { registry, clock, told } = await setUp({ policy: { strategy: 'least-connections' } });
    const operations = Array.from({ length: 5000 }, (_, i) => {
      const instance = anInstance({ id: `i${i}` });
      return { op: 'register' as const, id: instance.id, instance };
    });
    await registry.batch(operations);
    for (let ms = 0; ms < 2000; ms += 50) {
      registry.heartbeat(`i${ms}`, { connections: ms });
      await clock.advance(50);
    }
    assert.ok(told.length >= 3 && told.length <= 5, `told ${told.length} times in two seconds`);
  });
});

describe('a replica that begins later', () => {
  it('knows what the others were told', async () => {
    const { registry, clock } = await setUp({ policy: { strategy: 'least-connections', slowStartMs: 9000 } });
    await registry.register(anInstance({ id: 'a', zone: 'east' }));
    await registry.register(anInstance({ id: 'b' }));
    registry.heartbeat('a', { connections: 12 });
    await clock.advance(3000);
    const members = Array.from(registry.service('web')!.instances.values(), tellMember);
    const late = new Replica(new Cursors(createCursorMemory(64)));
    late.apply(structuredClone({ op: 'members', service: 'web', place: 0, members }));
    const told = [...late.service('web')!.instances.values()].map(({ instance, connections, loadReports, warmth }) => [
      instance.id,
      instance.zone,
      connections,
      loadReports,
      warmth,
    ]);
    assert.deepEqual(told, [
      ['a', 'east', 12, 1, 0.4],
      ['b', undefined, undefined, undefined, 0.4],
    ]);
  });

  it('is told nothing of instances that it does not know', () => {
    const replica = new Replica(new Cursors(createCursorMemory(64)));
    assert.deepEqual(
      [...replica.apply({ op: 'readings', service: 'web', told: [['a', 1, null, null, 1, null]] })],
      ['web'],
    );
    assert.equal(replica.service('web'), undefined);
  });
});
