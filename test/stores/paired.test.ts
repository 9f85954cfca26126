// paired.test.ts -- a shared store with a local one beside it: what goes where, and starts while the shared one is away

import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { CommittedBatch, Store } from '../../src/registry/store.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { openPairedStore } from '../../src/stores/paired.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SharedWorld } from '../support/shared-store.ts';
import { until } from '../support/until.ts';

/** A local store that outlives its closing. */
function disk(): Store {
  const inner = openMemoryStore();
  return {
    kind: 'memory',
    load: () => inner.load(),
    commit: (...args) => inner.commit(...args),
    watch: (listener) => inner.watch(listener),
    isUp: () => true,
    close: async () => {},
  };
}

async function open(t: TestContext, world: SharedWorld, local: Store, node = 'a') {
  const openRemote = async () => {
    const remote = world.open(node);
    await remote.load();
    return remote;
  };
  const store = await openPairedStore({ local, openRemote, node, log: silentLogger });
  t.after(() => store.close());
  const told: CommittedBatch[] = [];
  store.watch((batch) => told.push(batch));
  return { store, told };
}

const keys = async (store: Store) => (await store.load()).records.map(({ key }) => key).sort();

it('shared keys are shared, and a node’s own are its own', async (t) => {
  const world = new SharedWorld(new FakeClock());
  const { store, told } = await open(t, world, disk());
  await store.commit([{ key: 'instance/x', value: 1 }]);
  await store.commit([{ key: 'history/1', value: 2 }]);
  await store.commit([
    { key: 'instance/y', value: 3 },
    { key: 'status/y', value: 4 },
  ]);
  assert.deepEqual([...world.records.keys()], ['instance/x', 'instance/y']);
  assert.deepEqual(
    told.flatMap(({ mutations }) => mutations.map(({ key }) => key)),
    ['instance/x', 'instance/y'],
  );
  const { store: other } = await open(t, world, disk(), 'b');
  assert.deepEqual(await keys(other), ['instance/x', 'instance/y']);
});

it('a node’s own keys may be conditioned on shared ones', async (t) => {
  const world = new SharedWorld(new FakeClock());
  const { store } = await open(t, world, disk());
  const revision = await store.commit([{ key: 'instance/x', value: 1 }]);
  await store.commit([{ key: 'status/x', value: 1 }], [{ key: 'instance/x', revision }]);
  await store.commit([{ key: 'instance/x', value: 2 }]);
  const late = store.commit([{ key: 'status/x', value: 2 }], [{ key: 'instance/x', revision }]);
  await assert.rejects(late, { code: 'conflict' });
});

it('without the shared store and without a copy there is nothing to begin with', async (t) => {
  const world = new SharedWorld(new FakeClock());
  world.stop();
  await assert.rejects(open(t, world, disk()), { code: 'store_unavailable', message: /no copy of an earlier start/ });
});

it('a start without the shared store knows what was known last, writes nothing, and is told the difference later', async (t) => {
  const world = new SharedWorld(new FakeClock());
  const local = disk();
  const before = await open(t, world, local);
  await before.store.commit([{ key: 'instance/stays', value: 1 }]);
  await before.store.commit([{ key: 'instance/goes', value: 1 }]);
  await before.store.commit([{ key: 'instance/changes', value: 1 }]);
  await before.store.commit([{ key: 'history/1', value: 1 }]);
  await before.store.commit([{ key: 'member/a', value: 1 }]);
  await before.store.close();
  const other = world.open('b');
  await other.commit([{ key: 'instance/goes', value: undefined }]);
  await other.commit([{ key: 'instance/changes', value: 2 }]);
  await other.commit([{ key: 'instance/comes', value: 1 }]);

  world.stop();
  const { store, told } = await open(t, world, local);
  assert.deepEqual(await keys(store), ['history/1', 'instance/changes', 'instance/goes', 'instance/stays']);
  assert.equal(store.shared?.silentMs(), Number.POSITIVE_INFINITY);
  await assert.rejects(store.commit([{ key: 'instance/x', value: 1 }]), { code: 'store_unavailable' });
  await store.commit([{ key: 'history/2', value: 2 }]);

  world.start();
  await until('the shared store is there', () => store.isUp());
  assert.deepEqual(
    told
      .flatMap(({ mutations }) => mutations.map(({ key, value }) => [key, value]))
      .filter(([key]) => key !== 'member/a'),
    [
      ['instance/changes', 2],
      ['instance/comes', 1],
      ['instance/goes', undefined],
    ],
  );
  assert.equal(store.shared?.silentMs(), 0);
  assert.equal(world.records.has('instance/x'), false);
});
