// registry.test.ts -- the registry's commands over a memory store

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Change } from '../../src/registry/change.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

async function setUp() {
  const clock = new FakeClock();
  const store = new UnrulyStore(openMemoryStore());
  const registry = await Registry.open({ store, clock, log: silentLogger });
  const changes: Change[] = [];
  registry.onChange((change) => changes.push(change));
  const told = () =>
    changes
      .splice(0)
      .map(({ kind, service, instance }) =>
        `${kind} ${instance?.instance.id ?? service} ${instance?.status ?? ''}`.trim(),
      );
  const keys = async () => (await store.load()).records.map(({ key }) => key).sort();
  return { clock, store, registry, changes, told, keys };
}

function code(expected: string) {
  return { name: 'CodedError', code: expected };
}

describe('register', () => {
  it('returns when everybody can see it', async () => {
    const { registry, store, clock, told } = await setUp();
    const open = store.hold();
    let done = false;
    const pending = registry.register(anInstance()).then((result) => {
      done = true;
      return result;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([done, registry.instance('a'), told()], [false, undefined, []]);
    open();
    const { state, isNew } = await pending;
    assert.equal(state, registry.instance('a'));
    assert.deepEqual([isNew, state.status, state.revision, state.registeredAtMs], [true, 'healthy', 1, clock.wallMs()]);
    assert.deepEqual(told(), ['register a healthy']);
  });
  it('writes nothing when repeated, however its fields are ordered', async () => {
    const { registry, store, told } = await setUp();
    const instance = anInstance({ meta: { a: '1', b: '2' }, checks: [aCheck()] });
    await registry.register(instance);
    await registry.flush();
    store.asked.length = 0;
    told();
    const { state, isNew } = await registry.register({ ...structuredClone(instance), meta: { b: '2', a: '1' } });
    assert.deepEqual([isNew, state.revision, store.asked, told()], [false, 1, [], []]);
  });
  it('replaces, and keeps the time of registration', async () => {
    const { registry, clock, told } = await setUp();
    const first = await registry.register(anInstance());
    await clock.advance(1000);
    const { state, isNew } = await registry.register(anInstance({ weight: 7 }));
    assert.deepEqual([isNew, state.instance.weight, state.registeredAtMs], [false, 7, first.state.registeredAtMs]);
    assert.ok(state.revision > first.state.revision);
    assert.deepEqual(told(), ['register a healthy', 'update a healthy']);
  });
  it('refuses an id of another service, and a second registration where it must be the first', async () => {
    const { registry, told } = await setUp();
    await registry.register(anInstance());
    told();
    await assert.rejects(registry.register(anInstance({ service: 'mail' })), code('id_taken'));
    await assert.rejects(registry.register(anInstance({ service: 'mail' }), true), code('id_taken'));
    await assert.rejects(registry.register(anInstance(), true), code('already_registered'));
    assert.deepEqual([registry.service('mail'), told()], [undefined, []]);
  });
  it('lets one of many first registrations win', async () => {
    const { registry } = await setUp();
    const tries = Array.from({ length: 20 }, (_, i) => registry.register(anInstance({ weight: i }), true));
    const results = await Promise.allSettled(tries);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(registry.instance('a')?.instance.weight, 0);
  });
  it('lets every one of many writers through', async () => {
    const { registry, told } = await setUp();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => registry.register(anInstance({ weight: i }))),
    );
    assert.deepEqual(
      results.map(({ isNew, state }) => [isNew, state.instance.weight]),
      results.map((_, i) => [i === 0, i]),
    );
    assert.equal(told().length, 50);
  });
  it('returns what it registered, even when somebody deregisters it right behind', async () => {
    const { registry, told, keys } = await setUp();
    await registry.register(anInstance());
    for (let i = 1; i < 5; i++) {
      const [{ state }] = await Promise.all([registry.register(anInstance({ weight: i })), registry.deregister('a')]);
      assert.equal(state.instance.weight, i);
      assert.deepEqual([registry.instance('a'), await keys()], [undefined, []]);
      await registry.register(anInstance());
    }
    assert.equal(told().at(-1), 'register a healthy');
  });
  it('holds when it comes right behind a deregistration', async () => {
    const { registry, store } = await setUp();
    await registry.register(anInstance());
    const open = store.hold();
    const leaving = registry.deregister('a');
    // As it is registered: nothing to write, were it not for the deregistration under way.
    const coming = registry.register(anInstance());
    open();
    await leaving;
    assert.equal((await coming).isNew, true);
    assert.equal(registry.instance('a')?.status, 'healthy');
  });
  it('tries again when another node was faster, and gives up only when it always is', async () => {
    const { registry, store } = await setUp();
    await registry.register(anInstance());
    const commit = store.commit.bind(store);
    let rivals = 0;
    const rival = async (mine: Parameters<typeof commit>) => {
      rivals += 1;
      const value = { instance: anInstance({ weight: 100 + rivals }), registeredAtMs: 1 };
      await commit([{ key: 'instance/a', value }]);
      return commit(...mine);
    };
    store.commit = (...mine) => (rivals < 3 ? rival(mine) : commit(...mine));
    assert.equal((await registry.register(anInstance({ weight: 2 }))).state.instance.weight, 2);
    assert.equal(rivals, 3);
    store.commit = (...mine) => rival(mine);
    await assert.rejects(registry.register(anInstance({ weight: 3 })), code('conflict'));
    assert.equal(registry.instance('a')?.instance.weight, 100 + rivals);
  });
  it('passes on that the store is unavailable, and has changed nothing', async () => {
    const { registry, store, told } = await setUp();
    await registry.register(anInstance());
    told();
    store.failing = true;
    const commands: (() => Promise<unknown>)[] = [
      () => registry.register(anInstance({ weight: 2 })),
      () => registry.register(anInstance({ id: 'b' })),
      () => registry.deregister('a'),
      () => registry.putCheck('a', aCheck()),
      () => registry.setDraining('a', true),
      () => registry.setMaintenance('a', 'x'),
      () => registry.setServiceMaintenance('web', 'x'),
      () => registry.setPolicy('web', { maxAnswers: 1 }),
    ];
    for (const command of commands) await assert.rejects(command, code('store_unavailable'));
    assert.deepEqual([told(), registry.instanceCount, registry.instance('a')?.status], [[], 1, 'healthy']);
    store.failing = false;
    await registry.register(anInstance({ weight: 2 }));
    assert.equal(registry.instance('a')?.instance.weight, 2);
  });
});

describe('deregister', () => {
  it('takes everything of the instance out of the store', async () => {
    const { registry, keys, told } = await setUp();
    await registry.register(anInstance({ checks: [aCheck()] }));
    registry.reportResult('a', 'alive', aResult('passing'));
    await registry.setDraining('a', true);
    await registry.flush();
    assert.deepEqual(await keys(), ['hold/a', 'instance/a', 'status/a']);
    await registry.deregister('a');
    await registry.flush();
    assert.deepEqual([await keys(), registry.instance('a'), registry.service('web')], [[], undefined, undefined]);
    assert.equal(told().at(-1), 'deregister a draining');
  });
  it('refuses unknown ids, and those gone meanwhile', async () => {
    const { registry } = await setUp();
    await assert.rejects(registry.deregister('a'), code('unknown_instance'));
    await registry.register(anInstance());
    const results = await Promise.allSettled([registry.deregister('a'), registry.deregister('a')]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });
  it('leaves no outcome or hold behind that came in on the way', async () => {
    const { registry, store, keys } = await setUp();
    await registry.register(anInstance({ checks: [aCheck()] }));
    await registry.flush();
    const open = store.hold();
    const leaving = registry.deregister('a');
    const draining = registry.setDraining('a', true);
    registry.reportResult('a', 'alive', aResult('passing'));
    open();
    await leaving;
    await assert.rejects(draining, code('unknown_instance'));
    await registry.flush();
    assert.deepEqual(await keys(), []);
    const { state } = await registry.register(anInstance({ checks: [aCheck()] }));
    assert.equal(state.status, 'pending');
  });
});

describe('checks', () => {
  it('are added, replaced and removed', async () => {
    const { registry } = await setUp();
    await registry.register(anInstance());
    await registry.putCheck('a', aCheck('one'));
    await registry.putCheck('a', aCheck('two'));
    const { instance } = await registry.putCheck('a', aCheck('one', { port: 81 }));
    assert.deepEqual(
      instance.checks.map(({ id, port }) => [id, port]),
      [
        ['one', 81],
        ['two', 80],
      ],
    );
    await registry.deleteCheck('a', 'one');
    assert.deepEqual(
      registry.instance('a')?.instance.checks.map(({ id }) => id),
      ['two'],
    );
    await assert.rejects(registry.deleteCheck('a', 'one'), code('unknown_check'));
    await assert.rejects(registry.deleteCheck('b', 'one'), code('unknown_instance'));
    await assert.rejects(registry.putCheck('b', aCheck()), code('unknown_instance'));
  });
  it('are all there when many are added at once', async () => {
    const { registry } = await setUp();
    await registry.register(anInstance());
    await Promise.all(Array.from({ length: 20 }, (_, i) => registry.putCheck('a', aCheck(`c${i}`))));
    assert.equal(registry.instance('a')?.instance.checks.length, 20);
  });
  it('results take effect at once, and are stored behind', async () => {
    const { registry, store, told, keys } = await setUp();
    await registry.register(anInstance({ checks: [aCheck()] }));
    store.failing = true;
    registry.reportResult('a', 'alive', aResult('critical', 'connection refused'));
    assert.deepEqual(told(), ['register a pending', 'health a unhealthy']);
    assert.equal(registry.instance('a')?.reason, 'check alive is critical');
    await registry.flush();
    assert.deepEqual(await keys(), ['instance/a']);
    store.failing = false;
    await registry.flush();
    assert.deepEqual(await keys(), ['instance/a', 'status/a']);
  });
});

describe('update', () => {
  it('holds to the revision it was asked to', async () => {
    const { registry } = await setUp();
    const { state } = await registry.register(anInstance({ checks: [aCheck()] }));
    registry.reportResult('a', 'alive', aResult('passing'));
    await registry.flush();
    const after = await registry.update('a', (before) => ({ ...before, weight: 2 }), state.revision);
    assert.ok(after.revision > state.revision, 'health is no write, a change is');
    const late = registry.update('a', (before) => ({ ...before, weight: 3 }), state.revision);
    await assert.rejects(late, code('precondition_failed'));
    await assert.rejects(
      registry.update('b', (before) => before),
      code('unknown_instance'),
    );
    assert.equal(registry.instance('a')?.instance.weight, 2);
  });
  it('lets one of two with the same revision through', async () => {
    const { registry } = await setUp();
    const { state } = await registry.register(anInstance());
    const results = await Promise.allSettled(
      [2, 3].map((weight) => registry.update('a', (before) => ({ ...before, weight }), state.revision)),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });
});

describe('draining and maintenance', () => {
  it('stay when the instance registers again', async () => {
    const { registry } = await setUp();
    await registry.register(anInstance());
    assert.equal((await registry.setDraining('a', true)).status, 'draining');
    await registry.register(anInstance({ weight: 2 }));
    assert.equal((await registry.setMaintenance('a', 'new disk')).status, 'draining');
    const { status, reason } = await registry.setDraining('a', false);
    assert.deepEqual([status, reason], ['maintenance', 'new disk']);
    assert.equal((await registry.setMaintenance('a', undefined)).status, 'healthy');
  });
  it('do not undo each other when they come together', async () => {
    const { registry } = await setUp();
    await registry.register(anInstance());
    await Promise.all([registry.setDraining('a', true), registry.setMaintenance('a', 'new disk')]);
    const { draining, maintenance } = registry.instance('a')!;
    assert.deepEqual([draining, maintenance], [true, 'new disk']);
  });
  it('of an instance survive those of its service, even with the same reason', async () => {
    const { registry } = await setUp();
    await registry.register(anInstance());
    await registry.setMaintenance('a', 'upgrade');
    await registry.setServiceMaintenance('web', 'upgrade');
    await registry.setDraining('a', true);
    await registry.setDraining('a', false);
    await registry.setServiceMaintenance('web', undefined);
    assert.equal(registry.instance('a')?.status, 'maintenance');
    await registry.setMaintenance('a', undefined);
    assert.equal(registry.instance('a')?.status, 'healthy');
  });
  it('that are so already write nothing', async () => {
    const { registry, store } = await setUp();
    await registry.register(anInstance());
    store.asked.length = 0;
    await registry.setDraining('a', false);
    await registry.setMaintenance('a', undefined);
    await registry.setDraining('a', true);
    await registry.setDraining('a', true);
    assert.deepEqual(store.asked, [['hold/a']]);
    await assert.rejects(registry.setDraining('b', true), code('unknown_instance'));
  });
  it('of a service reach instances registered later', async () => {
    const { registry } = await setUp();
    await registry.setServiceMaintenance('web', 'move');
    assert.equal(registry.service('web'), undefined);
    assert.equal((await registry.register(anInstance())).state.reason, 'move');
  });
});

describe('policies', () => {
  it('make a service known, and hold to the revision they were asked to', async () => {
    const { registry, told } = await setUp();
    await registry.setPolicy('web', { maxAnswers: 1 }, 0);
    const { policy, policyRevision, instances } = registry.service('web')!;
    assert.deepEqual([policy, policyRevision, instances.size], [{ maxAnswers: 1 }, 1, 0]);
    await assert.rejects(registry.setPolicy('web', { maxAnswers: 2 }, 0), code('precondition_failed'));
    await assert.rejects(registry.setPolicy('web', undefined, 7), code('precondition_failed'));
    await registry.setPolicy('web', { maxAnswers: 2 }, 1);
    await registry.setPolicy('web', undefined, 2);
    assert.equal(registry.service('web'), undefined);
    assert.deepEqual(told(), ['policy web', 'policy web', 'policy web']);
  });
});

describe('static instances', () => {
  it('are there, and are not for the API to change', async () => {
    const { registry, keys, told } = await setUp();
    registry.setStatic([anInstance({ id: 's', checks: [aCheck()] })]);
    assert.deepEqual([registry.instance('s')?.isStatic, registry.instance('s')?.revision], [true, 0]);
    await assert.rejects(registry.register(anInstance({ id: 's' })), code('read_only'));
    await assert.rejects(registry.deregister('s'), code('read_only'));
    await assert.rejects(registry.putCheck('s', aCheck()), code('read_only'));
    await assert.rejects(
      registry.update('s', (before) => before),
      code('read_only'),
    );
    registry.reportResult('s', 'alive', aResult('passing'));
    await registry.flush();
    assert.deepEqual(await keys(), []);
    assert.deepEqual(told(), ['register s pending', 'health s healthy']);
  });
  it('follow the configuration, unchanged ones untouched', async () => {
    const { registry, told } = await setUp();
    registry.setStatic([anInstance({ id: 's' }), anInstance({ id: 't' }), anInstance({ id: 'u' })]);
    told();
    registry.setStatic([anInstance({ id: 't', weight: 2 }), anInstance({ id: 'u' }), anInstance({ id: 'v' })]);
    assert.deepEqual(told(), ['deregister s healthy', 'update t healthy', 'register v healthy']);
  });
  it('do not take ids of others, and then nothing changes', async () => {
    const { registry, told } = await setUp();
    await registry.register(anInstance());
    registry.setStatic([anInstance({ id: 's' })]);
    told();
    assert.throws(() => registry.setStatic([anInstance({ id: 't' }), anInstance()]), code('id_taken'));
    assert.deepEqual([told(), registry.instance('s')?.isStatic], [[], true]);
  });
  it('may be drained, and that goes with them', async () => {
    const { registry, keys } = await setUp();
    registry.setStatic([anInstance({ id: 's' })]);
    assert.equal((await registry.setDraining('s', true)).status, 'draining');
    registry.setStatic([anInstance({ id: 's', weight: 2 })]);
    assert.deepEqual([registry.instance('s')?.status, await keys()], ['draining', ['hold/s']]);
    registry.setStatic([]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await keys(), []);
  });
});

describe('changes', () => {
  it('are numbered without gaps, and are applied when they are told', async () => {
    const { registry, changes } = await setUp();
    const seen: unknown[] = [];
    registry.onChange(({ instance, sequence }) => {
      const id = instance?.instance.id;
      seen.push([sequence === registry.sequence, id === undefined || registry.instance(id) === instance]);
    });
    await registry.register(anInstance({ checks: [aCheck()] }));
    registry.reportResult('a', 'alive', aResult('passing'));
    await registry.setPolicy('web', {});
    await registry.setServiceMaintenance('web', 'x');
    assert.deepEqual(seen, Array(4).fill([true, true]));
    const first = changes[0]!.sequence;
    assert.deepEqual(
      changes.map(({ kind, sequence }) => [kind, sequence - first]),
      [
        ['register', 0],
        ['health', 1],
        ['policy', 2],
        ['health', 3],
      ],
    );
    assert.equal(registry.service('web')?.index, registry.sequence);
  });
  it('reach every listener although one throws, and a listener may leave', async () => {
    const { registry, told } = await setUp();
    registry.onChange(() => {
      throw new Error('a bug above');
    });
    let heard = 0;
    const leave = registry.onChange(() => {
      heard += 1;
      leave();
    });
    await registry.register(anInstance());
    await registry.register(anInstance({ id: 'b' }));
    assert.deepEqual([told(), heard], [['register a healthy', 'register b healthy'], 1]);
  });
  it('cost the same however much is registered', async () => {
    const { registry } = await setUp();
    const time = async () => {
      const startedMs = performance.now();
      for (let i = 0; i < 200; i++) await registry.register(anInstance({ id: `x${i % 10}`, weight: i }));
      return performance.now() - startedMs;
    };
    await time();
    const small = Math.min(await time(), await time());
    const many = Array.from({ length: 20_000 }, (_, i) =>
      anInstance({ id: `i${i}`, service: i < 10_000 ? 'web' : `s${i}` }),
    );
    registry.setStatic(many);
    const large = Math.min(await time(), await time(), await time());
    assert.ok(large < small * 5 + 20, `${small.toFixed(1)} ms among 10, ${large.toFixed(1)} ms among 20,000`);
  });
});

describe('stop', () => {
  it('stores what is waiting, then takes no commands and hears nothing', async () => {
    const { registry, store, clock, keys } = await setUp();
    await registry.register(anInstance({ leaseTtlMs: 5000, checks: [aCheck()] }));
    await registry.flush();
    const before = store.asked.length;
    registry.reportResult('a', 'alive', aResult('passing'));
    await registry.stop();
    const [outcomes, leases, ...more] = store.asked.slice(before);
    assert.deepEqual([outcomes, leases?.[0], more], [['status/a'], 'lease-clock/up', []]);
    await assert.rejects(registry.register(anInstance({ id: 'b' })), code('stopping'));
    await assert.rejects(registry.deregister('a'), code('stopping'));
    await store.commit([{ key: 'instance/c', value: { instance: anInstance({ id: 'c' }), registeredAtMs: 1 } }]);
    assert.equal(registry.instance('c'), undefined);
    await clock.advance(60_000);
    const kept = (await keys()).filter((key) => !key.startsWith('lease'));
    assert.deepEqual([kept, clock.pendingCount], [['instance/a', 'instance/c', 'status/a'], 0]);
  });
  it('comes to an end while the store fails', async () => {
    const { registry, store, clock } = await setUp();
    await registry.register(anInstance({ leaseTtlMs: 5000, checks: [aCheck()] }));
    store.failing = true;
    await clock.advance(5500);
    registry.reportResult('a', 'alive', aResult('passing'));
    await registry.stop();
    await clock.advance(60_000);
    assert.equal(clock.pendingCount, 0);
  });
});
