// stores.ts -- what every store must do, whatever it is made of

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CommittedBatch, Mutation, Precondition, Store } from '../../src/registry/store.ts';

const RUNS = 30;

export interface StoreTraits {
  /** Commits that wait at the same time may come to share a revision. */
  readonly sharesRevisions?: boolean;
}

/** Run the suite. `open` gives an empty store each time; the suite closes it. */
export function testStore(name: string, open: () => Promise<Store>, traits: StoreTraits = {}): void {
  const { sharesRevisions = false } = traits;
  const withStore = (body: (store: Store) => Promise<void>) => async () => {
    const store = await open();
    try {
      await body(store);
    } finally {
      await store.close();
    }
  };

  describe(`${name}: the store interface`, () => {
    testCommits(withStore);
    if (sharesRevisions) testSharedRevisions(withStore);
    else testOwnRevisions(withStore);
    testPreconditions(withStore);
    testWatchers(withStore);
    testIsolation(withStore);
    testClose(open, sharesRevisions);
    it('behaves like a Map under random batches', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(arbitraryCommit, { maxLength: 25 }), fc.boolean(), async (commits, concurrent) => {
          // The model gives each commit a revision of its own.
          await withStore((store) => compareWithModel(store, commits, concurrent && !sharesRevisions))();
        }),
        { numRuns: RUNS },
      );
    });
  });
}

type WithStore = (body: (store: Store) => Promise<void>) => () => Promise<void>;

/** The contents as a plain object, key -> [revision, value]. */
export async function contents(store: Store): Promise<Record<string, [number, unknown]>> {
  const { records } = await store.load();
  return Object.fromEntries(records.map(({ key, revision, value }) => [key, [revision, value]]));
}

function put(key: string, value: unknown): Mutation {
  return { key, value };
}

function remove(key: string): Mutation {
  return { key, value: undefined };
}

function testCommits(withStore: WithStore): void {
  it(
    'is empty at revision 0 and up',
    withStore(async (store) => {
      assert.deepEqual(await store.load(), { revision: 0, records: [] });
      assert.equal(store.isUp(), true);
    }),
  );
  it(
    'grows by one revision a commit, and records carry the revision that wrote them',
    withStore(async (store) => {
      assert.equal(await store.commit([put('a', 1), put('b', 2)]), 1);
      assert.equal(await store.commit([put('b', 3), put('c', 4)]), 2);
      assert.equal(await store.commit([remove('a')]), 3);
      assert.equal((await store.load()).revision, 3);
      assert.deepEqual(await contents(store), { b: [2, 3], c: [2, 4] });
    }),
  );
  it(
    'takes the deletion of what is not there, and an empty batch costs no revision',
    withStore(async (store) => {
      assert.equal(await store.commit([remove('never')]), 1);
      assert.equal(await store.commit([]), 1);
      assert.deepEqual(await store.load(), { revision: 1, records: [] });
    }),
  );
  it(
    'lets the last mutation of a key win within a batch',
    withStore(async (store) => {
      await store.commit([put('a', 1), put('b', 1), put('a', 2), remove('b'), remove('c'), put('c', 3)]);
      assert.deepEqual(await contents(store), { a: [1, 2], c: [1, 3] });
    }),
  );
  it(
    'keeps any JSON and any key up to 511 bytes',
    withStore(async (store) => {
      const values: Record<string, unknown> = {
        null: null,
        false: false,
        zero: 0,
        'minus zero': -0,
        text: 'ü\u0000\u2028"\\',
        nested: { list: [[], {}, [null, { a: 'b' }]], '': 0 },
        prototype: JSON.parse('{"__proto__": {"x": 1}}'),
        long: 'x'.repeat(100_000),
        ['k'.repeat(511)]: 'longest',
        [`\u0000/${'ü'.repeat(200)}😀`]: 'odd key',
      };
      await store.commit(Object.entries(values).map(([key, value]) => put(key, value)));
      const found = await contents(store);
      assert.deepEqual(Object.keys(found).sort(), Object.keys(values).sort());
      for (const [key, value] of Object.entries(values)) {
        assert.equal(JSON.stringify(found[key]?.[1]), JSON.stringify(value), key.slice(0, 20));
      }
    }),
  );
  for (const [what, code, mutation] of refusedMutations()) {
    it(
      `refuses ${what} with ${code} and the whole batch with it`,
      withStore(async (store) => {
        await assert.rejects(store.commit([put('good', 1), mutation]), { name: 'CodedError', code });
        assert.deepEqual(await store.load(), { revision: 0, records: [] });
      }),
    );
  }
}

function testOwnRevisions(withStore: WithStore): void {
  it(
    'orders concurrent commits as they were made',
    withStore(async (store) => {
      const revisions = await Promise.all(Array.from({ length: 200 }, (_, i) => store.commit([put(`k${i % 7}`, i)])));
      assert.deepEqual(
        revisions,
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
      for (const [key, [revision, value]] of Object.entries(await contents(store))) {
        assert.equal(revision - 1, value);
        assert.equal(key, `k${Number(value) % 7}`);
        assert.ok(revision > 193);
      }
    }),
  );
  it(
    'leaves no gap between a watch and a load made after it',
    withStore(async (store) => {
      const writes = Array.from({ length: 30 }, (_, i) => store.commit([put(`k${i}`, i)]));
      const later: number[] = [];
      store.watch(({ revision }) => later.push(revision));
      const snapshot = await store.load();
      const more = store.commit([put('last', 1)]);
      await Promise.all([...writes, more]);
      assert.equal(snapshot.records.length, snapshot.revision);
      assert.deepEqual(
        later.filter((revision) => revision > snapshot.revision),
        Array.from({ length: 31 - snapshot.revision }, (_, i) => snapshot.revision + 1 + i),
      );
    }),
  );
}

/** As above where revisions are shared: nothing is lost, nothing comes twice, and each key has its order. */
function testSharedRevisions(withStore: WithStore): void {
  it(
    'orders concurrent commits of one key as they were made, and answers each',
    withStore(async (store) => {
      const seen: [string, unknown, number][] = [];
      store.watch(({ revision, mutations }) => {
        for (const { key, value } of mutations) seen.push([key, value, revision]);
      });
      const revisions = await Promise.all(Array.from({ length: 200 }, (_, i) => store.commit([put(`k${i % 7}`, i)])));
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
      );
      assert.ok(new Set(revisions).size < 200, 'commits share revisions');
      assert.equal(seen.length, 200);
      for (const [key, value, revision] of seen) {
        assert.equal(key, `k${Number(value) % 7}`);
        assert.equal(revision, revisions[Number(value)]);
      }
      for (let key = 0; key < 7; key++) {
        const values = seen.filter(([name]) => name === `k${key}`).map(([, value]) => Number(value));
        assert.deepEqual(
          values,
          values.toSorted((a, b) => a - b),
        );
      }
      for (const [key, [revision, value]] of Object.entries(await contents(store))) {
        assert.ok(Number(value) >= 193, `${key} has its last value`);
        assert.equal(revision, revisions[Number(value)]);
      }
    }),
  );
  it(
    'lets one refused commit not take others with it that came at the same time',
    withStore(async (store) => {
      await store.commit([put('taken', 1)]);
      const settled = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => {
          const key = i === 7 ? 'taken' : `k${i}`;
          return store.commit([put(key, i)], [{ key, revision: 0 }]);
        }),
      );
      assert.deepEqual(
        settled.flatMap(({ status }, i) => (status === 'rejected' ? [i] : [])),
        [7],
      );
      assert.equal(Object.keys(await contents(store)).length, 20);
    }),
  );
  it(
    'tells between a watch and a load made after it what the load does not show',
    withStore(async (store) => {
      const writes = Array.from({ length: 30 }, (_, i) => store.commit([put(`k${i}`, i)]));
      const later: [number, string][] = [];
      store.watch(({ revision, mutations }) =>
        later.push(...mutations.map(({ key }) => [revision, key] as [number, string])),
      );
      const snapshot = await store.load();
      await Promise.all([...writes, store.commit([put('last', 1)])]);
      const keys = snapshot.records.map(({ key }) => key);
      for (const [revision, key] of later) if (revision > snapshot.revision) keys.push(key);
      assert.deepEqual(keys.toSorted(), [...Array.from({ length: 30 }, (_, i) => `k${i}`), 'last'].toSorted());
    }),
  );
}

function refusedMutations(): [string, string, Mutation][] {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  return [
    ['an empty key', 'invalid_key', put('', 1)],
    ['a key of 512 bytes', 'invalid_key', put('ü'.repeat(256), 1)],
    ['a key with a lone surrogate', 'invalid_key', put('a\ud800', 1)],
    ['a key that is a number', 'invalid_key', put(7 as unknown as string, 1)],
    ['undefined inside', 'invalid_value', put('k', { a: { b: undefined } })],
    ['a hole', 'invalid_value', put('k', new Array(1))],
    ['NaN', 'invalid_value', put('k', [Number.NaN])],
    ['a bigint', 'invalid_value', put('k', 1n)],
    ['a function', 'invalid_value', put('k', { f: () => 1 })],
    ['a Date', 'invalid_value', put('k', { at: new Date(0) })],
    ['a Map', 'invalid_value', put('k', new Map())],
    ['a cycle', 'invalid_value', put('k', cycle)],
  ];
}

function testPreconditions(withStore: WithStore): void {
  it(
    'applies a batch only while its preconditions hold, and changes nothing otherwise',
    withStore(async (store) => {
      const seen: CommittedBatch[] = [];
      store.watch((batch) => seen.push(batch));
      await store.commit([put('a', 1)], [{ key: 'a', revision: 0 }]); // revision 1
      await store.commit([put('b', 1)], [{ key: 'a', revision: 1 }]); // revision 2
      const before = await store.load();
      const failing: Precondition[][] = [
        [{ key: 'a', revision: 0 }],
        [{ key: 'a', revision: 2 }],
        [{ key: 'gone', revision: 1 }],
        [
          { key: 'a', revision: 1 },
          { key: 'b', revision: 1 },
        ],
      ];
      for (const preconditions of failing) {
        await assert.rejects(store.commit([put('a', 9), put('z', 9), remove('b')], preconditions), {
          name: 'CodedError',
          code: 'conflict',
        });
      }
      assert.deepEqual(await store.load(), before);
      assert.equal(seen.length, 2);
      assert.equal(store.isUp(), true);
      await assert.rejects(store.commit([], [{ key: 'a', revision: 0 }]), { code: 'conflict' });
      assert.equal(await store.commit([remove('a')], [{ key: 'a', revision: 1 }]), 3);
      assert.equal(await store.commit([put('a', 2)], [{ key: 'a', revision: 0 }]), 4);
    }),
  );
  it(
    'lets exactly one of many creators win',
    withStore(async (store) => {
      const settled = await Promise.allSettled(
        Array.from({ length: 50 }, (_, i) => store.commit([put('leader', i)], [{ key: 'leader', revision: 0 }])),
      );
      assert.deepEqual(
        settled.map(({ status }) => status),
        ['fulfilled', ...Array.from({ length: 49 }, () => 'rejected')],
      );
      assert.deepEqual(await contents(store), { leader: [1, 0] });
    }),
  );
  it(
    'never loses an increment made by compare and swap',
    withStore(async (store) => {
      const increment = async (): Promise<void> => {
        for (;;) {
          const { records } = await store.load();
          const { revision, value } = records[0] ?? { revision: 0, value: 0 };
          try {
            await store.commit([put('n', Number(value) + 1)], [{ key: 'n', revision }]);
            return;
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'conflict');
          }
        }
      };
      await Promise.all(Array.from({ length: 12 }, increment));
      assert.deepEqual(await contents(store), { n: [12, 12] });
    }),
  );
}

function testWatchers(withStore: WithStore): void {
  it(
    'tells watchers of each batch, in order, before the commit resolves',
    withStore(async (store) => {
      const seen: CommittedBatch[] = [];
      store.watch((batch) => seen.push(batch));
      await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const revision = await store.commit([put('k', i), remove('x')]);
          assert.ok(seen.some((batch) => batch.revision === revision));
        }),
      );
      assert.deepEqual(
        seen,
        Array.from({ length: 40 }, (_, i) => ({ revision: i + 1, mutations: [put('k', i), remove('x')] })),
      );
    }),
  );
  it(
    'stops when told to, also in the middle of a delivery, and keeps the others',
    withStore(async (store) => {
      const calls: string[] = [];
      const listen = (name: string) => store.watch(({ revision }) => calls.push(`${name}${revision}`));
      store.watch(() => stopB());
      const stopA = listen('a');
      const stopB = listen('b');
      listen('c');
      await store.commit([put('k', 1)]);
      stopA();
      stopA();
      await store.commit([put('k', 2)]);
      assert.deepEqual(calls, ['a1', 'c1', 'c2']);
    }),
  );
  it(
    'outlives a watcher that throws',
    withStore(async (store) => {
      const seen: number[] = [];
      store.watch(() => {
        throw new Error('a fault of the watcher');
      });
      store.watch(({ revision }) => seen.push(revision));
      assert.equal(await store.commit([put('k', 1)]), 1);
      assert.equal(await store.commit([put('k', 2)]), 2);
      assert.deepEqual(seen, [1, 2]);
    }),
  );
  it(
    'keeps the order for all when a watcher commits',
    withStore(async (store) => {
      const seen: number[] = [];
      let second: Promise<number> | undefined;
      store.watch(() => {
        second ??= store.commit([put('k', 2)]);
      });
      store.watch(({ revision }) => seen.push(revision));
      await store.commit([put('k', 1)]);
      assert.equal(await second, 2);
      assert.deepEqual(seen, [1, 2]);
    }),
  );
}

function testIsolation(withStore: WithStore): void {
  it(
    'shares no value with its callers',
    withStore(async (store) => {
      const value = { list: [1], deep: { a: 1 } };
      const expected = structuredClone(value);
      const delivered: unknown[] = [];
      store.watch(({ mutations }) => delivered.push(mutations[0]?.value));
      const written = store.commit([put('k', value)]);
      value.list.push(2);
      value.deep.a = 2;
      await written;
      for (const seen of [delivered[0], (await store.load()).records[0]?.value] as (typeof value)[]) {
        assert.deepEqual(seen, expected);
        assert.throws(() => seen.list.push(3), TypeError);
        assert.throws(() => {
          seen.deep.a = 3;
        }, TypeError);
      }
      assert.deepEqual(await contents(store), { k: [1, expected] });
    }),
  );
}

function testClose(open: () => Promise<Store>, sharesRevisions: boolean): void {
  it('finishes what was asked before close, refuses what comes after, and closes once', async () => {
    const store = await open();
    const written = Promise.all(Array.from({ length: 20 }, (_, i) => store.commit([put(`k${i}`, i)])));
    const closed = Promise.all([store.close(), store.close()]);
    await assert.rejects(store.commit([put('late', 1)]), { name: 'CodedError', code: 'store_closed' });
    await assert.rejects(store.load(), { name: 'CodedError', code: 'store_closed' });
    const revisions = await written;
    assert.equal(revisions.length, 20);
    if (!sharesRevisions) assert.equal(revisions.at(-1), 20);
    await closed;
    await store.close();
  });
}

interface RandomCommit {
  readonly mutations: readonly Mutation[];
  /** Keys that must be as the model has them; `stale` makes the first one wrong. */
  readonly guarded: readonly string[];
  readonly stale: boolean;
}

const arbitraryKey = fc.constantFrom('a', 'b', 'c/ü', 'd'.repeat(300));

const arbitraryCommit: fc.Arbitrary<RandomCommit> = fc.record({
  mutations: fc.array(
    fc.record({ key: arbitraryKey, value: fc.oneof(fc.constant(undefined), fc.jsonValue({ maxDepth: 3 })) }),
    { maxLength: 5 },
  ),
  guarded: fc.uniqueArray(arbitraryKey, { maxLength: 2 }),
  stale: fc.boolean(),
});

/** Make the same commits in the store and in a Map, one by one or all at once, and compare every outcome. */
async function compareWithModel(store: Store, commits: readonly RandomCommit[], concurrent: boolean): Promise<void> {
  const model = new Map<string, [number, unknown]>();
  let revision = 0;
  const outcomes: Promise<number | string>[] = [];
  const expected: (number | string)[] = [];
  for (const { mutations, guarded, stale } of commits) {
    const preconditions = guarded.map((key, i) => ({
      key,
      revision: (model.get(key)?.[0] ?? 0) + (stale && i === 0 ? 1 : 0),
    }));
    const outcome = store.commit(mutations, preconditions).catch((error: { code: string }) => error.code);
    outcomes.push(outcome);
    if (!concurrent) await outcome;
    if (stale && guarded.length > 0) {
      expected.push('conflict');
      continue;
    }
    if (mutations.length > 0) revision += 1;
    for (const { key, value } of mutations) {
      if (value === undefined) model.delete(key);
      else model.set(key, [revision, JSON.parse(JSON.stringify(value))]);
    }
    expected.push(revision);
  }
  assert.deepEqual(await Promise.all(outcomes), expected);
  assert.deepEqual(await contents(store), Object.fromEntries(model));
  assert.equal((await store.load()).revision, revision);
}
