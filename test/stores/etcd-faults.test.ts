// etcd-faults.test.ts -- the etcd store on an etcd that loses answers, repeats, reorders, compacts and cuts

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/log.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import type { Store } from '../../src/registry/store.ts';
import { openEtcdStore } from '../../src/stores/etcd.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';

const PREFIX = '/r/v1/';
const TIMES = { relistMs: 700, relistAfterCutMs: 300, reconnectMs: 10 };
const COMMITS = 150;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

interface Attempt {
  readonly value: string;
  readonly key: string;
  readonly outcome: number | { code: string; message: string };
}

describe('the etcd store on an unruly etcd', { concurrency: true }, () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`loses nothing and does nothing twice (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const etcd = new FakeEtcd(random);
      await etcd.listen();
      const options = { endpoints: [etcd.endpoint], prefix: '/r', log: silentLogger, times: TIMES };
      const store = await openEtcdStore(options);
      const other = await openEtcdStore(options);
      const views = [store, other].map(observe);
      try {
        etcd.isMischievous = true;
        const attempts = await runUnruly(etcd, [store, other], random);
        etcd.isMischievous = false;
        await heal(etcd, [store, other]);
        judgeAttempts(etcd, attempts);
        for (const view of views) judgeView(etcd, view);
        assert.ok(Object.keys(etcd.done).length >= 8, `mischief was done: ${JSON.stringify(etcd.done)}`);
      } finally {
        await Promise.all([store.close(), other.close()]);
        etcd.close();
      }
    });
  }
});

async function runUnruly(etcd: FakeEtcd, stores: readonly Store[], random: Random): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  let number = 0;
  const callers = Array.from({ length: 6 }, async (_, caller) => {
    const store = stores[caller % stores.length]!;
    while (number < COMMITS) {
      const value = `v${number++}`;
      const key = KEYS[random.below(KEYS.length)]!;
      const guards = random.next() < 0.3 ? [{ key, revision: 0 }] : [];
      const extra = random.next() < 0.2 ? [{ key: KEYS[random.below(KEYS.length)]!, value: undefined }] : [];
      const mutations = [...extra.filter((each) => each.key !== key), { key, value }];
      const startedMs = performance.now();
      const outcome = await store.commit(mutations, guards).catch((error) => error);
      assert.ok(performance.now() - startedMs < 4_000, 'a commit has its answer in about two seconds');
      attempts.push({ value, key, outcome });
    }
  });
  const foreign = async () => {
    while (number < COMMITS) {
      await sleep(random.below(30));
      const key = KEYS[random.below(KEYS.length)]!;
      etcd.write(PREFIX + key, random.next() < 0.3 ? undefined : JSON.stringify(`foreign${random.below(1e6)}`));
      if (random.next() < 0.03) etcd.cut();
      if (random.next() < 0.03) etcd.compact();
    }
  };
  await Promise.all([...callers, foreign()]);
  return attempts;
}

/** Until the last commit in doubt is settled, and everything told. */
async function heal(etcd: FakeEtcd, stores: readonly Store[]): Promise<void> {
  await sleep(1_500); // what was late is made by now, or never
  for (const [i, store] of stores.entries()) {
    for (let tries = 0; ; tries++) {
      const outcome = await store.commit([{ key: `healed${i}`, value: true }]).catch((error) => error);
      if (typeof outcome === 'number') break;
      assert.ok(tries < 10, `it heals: ${outcome}`);
    }
    assert.equal(store.isUp(), true, 'up again');
  }
  const last = etcd.history.at(-1)!.revision;
  for (const store of stores) assert.ok((await store.load()).revision >= last, 'a load shows everything');
}

function judgeAttempts(etcd: FakeEtcd, attempts: readonly Attempt[]): void {
  for (const { value, key, outcome } of attempts) {
    const made = etcd.history.filter((each) => each.key === PREFIX + key && each.value === JSON.stringify(value));
    const what = `${value} of ${key}: ${typeof outcome === 'number' ? outcome : `${outcome.code} ${outcome.message}`}`;
    assert.ok(made.length <= 1, `made once at most: ${what}`);
    if (typeof outcome === 'number') assert.equal(made[0]?.revision, outcome, `acknowledged, so made: ${what}`);
    else if (outcome.code === 'conflict') assert.equal(made.length, 0, `refused, so not made: ${what}`);
    else {
      assert.equal(outcome.code, 'store_unavailable', what);
      if (outcome.message.includes('was not made')) assert.equal(made.length, 0, what);
    }
  }
}

interface View {
  readonly state: Map<string, [number, string]>;
  readonly seen: Map<string, number[]>;
}

function observe(store: Store): View {
  const view: View = { state: new Map(), seen: new Map() };
  store.watch(({ revision, mutations }) => {
    for (const { key, value } of mutations) {
      view.seen.set(key, [...(view.seen.get(key) ?? []), revision]);
      if (value === undefined) view.state.delete(key);
      else view.state.set(key, [revision, JSON.stringify(value)]);
    }
  });
  return view;
}

function judgeView(etcd: FakeEtcd, { state, seen }: View): void {
  assert.deepEqual(
    Object.fromEntries([...state].toSorted()),
    Object.fromEntries(Object.entries(etcd.state(PREFIX)).toSorted()),
  );
  for (const [key, revisions] of seen) {
    const inOrder = revisions.every((revision, i) => i === 0 || revision > revisions[i - 1]!);
    assert.ok(inOrder, `events of ${key} in order, each once: ${revisions}`);
  }
}
