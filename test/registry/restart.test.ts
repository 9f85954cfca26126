// restart.test.ts -- a registry opened on a store shows what the one before it showed

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { InstanceState } from '../../src/registry/instance.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Store } from '../../src/registry/store.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

/** Everything of an instance that outlives a restart. */
function lasting({ checks, ...state }: InstanceState) {
  // Of what is held, it is not stored when it was last answerable: only outcomes are.
  const { leaseExpiresAtMs: _lease, load: _load, lastAnswerableMs: _last, ...rest } = state;
  const lastingChecks = Object.entries(checks).map(([id, { latencyMs: _latency, isRestored: _restored, ...check }]) => [
    id,
    check,
  ]);
  return { ...rest, checks: Object.fromEntries(lastingChecks) };
}

function picture(registry: Registry): unknown {
  return [...registry.services()]
    .map(({ index: _index, instances, ...service }) => ({
      ...service,
      instances: [...instances.values()].map(lasting),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Some of everything. */
async function fill(registry: Registry, clock: FakeClock): Promise<void> {
  const checks = [aCheck('one'), aCheck('two')];
  // Not in the order of their ids.
  for (const id of ['d', 'c', 'b', 'a']) {
    await clock.advance(10);
    await registry.register(
      anInstance({ id, checks, tags: ['v1'], meta: { owner: 'ä' }, ports: { x: { port: 1, proto: 'udp' } } }),
    );
    registry.reportResult(id, 'one', aResult('passing', 'fine'));
    registry.reportResult(id, 'two', aResult(id === 'b' ? 'critical' : 'passing'));
    await clock.advance(10);
  }
  await registry.putCheck('a', aCheck('new'));
  await registry.setDraining('c', true);
  await registry.setMaintenance('d', 'new disk');
  await registry.setMaintenance('b', 'for a moment');
  await registry.setMaintenance('b', undefined);
  await registry.register(anInstance({ id: 'm', service: 'mail', leaseTtlMs: 5000 }));
  await registry.register(anInstance({ id: 'gone', checks }));
  registry.reportResult('gone', 'one', aResult('passing'));
  await registry.setDraining('gone', true);
  await registry.deregister('gone');
  await registry.setServiceMaintenance('mail', 'move');
  await registry.setServiceMaintenance('later', 'not yet');
  await registry.setPolicy('web', { strategy: 'weighted', maxAnswers: 2, ttlSeconds: 9 });
  await registry.setPolicy('nobody', { maxAnswers: 1 });
  await registry.setPolicy('mail', {});
  await registry.setPolicy('mail', undefined);
}

async function comparesEqual(open: () => Promise<Store>, close: (store: Store) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const store = await open();
  const registry = await Registry.open({ store, clock, log: silentLogger });
  await fill(registry, clock);
  const before = picture(registry);
  await registry.stop();
  await close(store);
  const again = await open();
  const restarted = await Registry.open({ store: again, clock, log: silentLogger });
  assert.deepEqual(picture(restarted), before);
  assert.deepEqual(
    [...restarted.service('web')!.instances.values()].map(({ instance, status }) => `${instance.id} ${status}`),
    ['d maintenance', 'c draining', 'b unhealthy', 'a healthy'],
  );
  assert.equal(restarted.instance('a')?.checks.new?.neutral, true);
  assert.equal(restarted.instance('m')?.leaseExpiresAtMs, clock.wallMs() + 5000);
  await restarted.setPolicy('web', { maxAnswers: 3 }, restarted.service('web')?.policyRevision);
  const { state } = await restarted.register(anInstance({ id: 'gone', checks: [aCheck('one')] }));
  assert.equal(state.status, 'pending');
  const { isNew } = await restarted.register(anInstance({ id: 'l', service: 'later' }));
  assert.deepEqual([isNew, restarted.instance('l')?.reason], [true, 'not yet']);
  await restarted.stop();
  await close(again);
}

describe('a restart brings back', () => {
  it('everything from a memory store', async () => {
    const store = openMemoryStore();
    await comparesEqual(
      async () => store,
      async () => {},
    );
  });
  it('everything from an lmdb store', async () => {
    const path = await mkdtemp(join(tmpdir(), 'rollcall-restart-'));
    try {
      await comparesEqual(
        () => openLmdbStore({ path, log: silentLogger }),
        (store) => store.close(),
      );
    } finally {
      await rm(path, { recursive: true });
    }
  });
  it('nothing of an outcome without an instance, and of keys of a later version', async () => {
    const store = openMemoryStore();
    const checks = { alive: { outcome: 'passing', output: '', sinceMs: 1 } };
    await store.commit([
      { key: 'status/a', value: { checks } },
      { key: 'quota/web', value: { of: 'tomorrow' } },
      { key: 'instances', value: {} },
    ]);
    const registry = await Registry.open({ store, clock: new FakeClock(), log: silentLogger });
    assert.deepEqual([...registry.services()], []);
    const { state } = await registry.register(anInstance({ checks: [aCheck()] }));
    assert.equal(state.status, 'pending');
  });
});

describe('opening', () => {
  it('misses nothing that is written meanwhile', async () => {
    const store = new UnrulyStore(openMemoryStore());
    const put = (id: string) =>
      store.commit([{ key: `instance/${id}`, value: { instance: anInstance({ id }), registeredAtMs: 1 } }]);
    await put('before');
    const load = store.load.bind(store);
    store.load = async () => {
      await put('early');
      const snapshot = await load();
      await put('late');
      await store.commit([{ key: 'instance/early', value: undefined }]);
      return snapshot;
    };
    const registry = await Registry.open({ store, clock: new FakeClock(), log: silentLogger });
    assert.deepEqual([...registry.instances()].map(({ instance }) => instance.id).sort(), ['before', 'late']);
    assert.equal(registry.instance('late')?.revision, 3);
  });
  it('that fails leaves no watcher behind', async () => {
    let watchers = 0;
    const store: Store = {
      ...openMemoryStore(),
      kind: 'broken',
      load: () => Promise.reject(new Error('torn')),
      watch: () => {
        watchers += 1;
        return () => {
          watchers -= 1;
        };
      },
    };
    await assert.rejects(Registry.open({ store, clock: new FakeClock(), log: silentLogger }), { message: 'torn' });
    assert.equal(watchers, 0);
  });
});
