// status-saver.test.ts -- outcomes reach the store, late but surely, and never without their instance

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Roster } from '../../src/registry/roster.ts';
import { StatusSaver } from '../../src/registry/status-saver.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

/** A roster with instances `a`, `b`, `c` as they are in the store, and `s` from the configuration. */
async function setUp() {
  const clock = new FakeClock();
  const store = new UnrulyStore(openMemoryStore());
  const roster = new Roster(clock, 0, () => {});
  const saver = new StatusSaver(store, roster, clock, silentLogger);
  for (const id of ['a', 'b', 'c', 's']) {
    const isStatic = id === 's';
    const instance = anInstance({ id, checks: [aCheck()] });
    const revision = isStatic ? 0 : await store.commit([{ key: `instance/${id}`, value: { instance } }]);
    roster.put(instance, { revision, registeredAtMs: 1, isStatic });
  }
  store.asked.length = 0;
  const saved = async (): Promise<Record<string, unknown>> => {
    const { records } = await store.load();
    return Object.fromEntries(
      records
        .filter(({ key }) => key.startsWith('status/'))
        // biome-ignore lint/suspicious/noExplicitAny: the shape of what is stored is what is tested
        .map(({ key, value }) => [key.slice(7), (value as any).checks.alive?.outcome]),
    );
  };
  const report = (id: string, outcome: 'passing' | 'critical'): void => {
    roster.applyResult(id, 'alive', aResult(outcome, 'why'));
    saver.mark(id);
  };
  return { clock, store, roster, saver, saved, report };
}

describe('the status saver', () => {
  it('stores outcome, output and since when', async () => {
    const { clock, store, saver, report } = await setUp();
    report('a', 'passing');
    await saver.flush();
    const { records } = await store.load();
    assert.deepEqual(records.find(({ key }) => key === 'status/a')?.value, {
      checks: { alive: { outcome: 'passing', output: 'why', sinceMs: clock.wallMs() } },
    });
  });
  it('stores a check without a say as such, and one without a result not at all', async () => {
    const { store, roster, saver } = await setUp();
    roster.applyResult('a', 'alive', aResult('passing'));
    const revision = await store.commit([{ key: 'instance/a', value: {} }]);
    const checks = [aCheck(), aCheck('new')];
    roster.put(anInstance({ checks }), { revision, registeredAtMs: 1, isStatic: false });
    saver.mark('a');
    saver.mark('b');
    await saver.flush();
    const { records } = await store.load();
    const stored = (id: string) => records.find(({ key }) => key === `status/${id}`)?.value as { checks: object };
    assert.deepEqual(Object.keys(stored('a').checks), ['alive', 'new']);
    assert.deepEqual(Object.values(stored('a').checks)[1].outcome, null);
    assert.deepEqual(stored('b').checks, {});
  });
  it('gathers while a commit is under way', async () => {
    const { store, saver, saved, report } = await setUp();
    const open = store.hold();
    report('a', 'passing');
    for (const outcome of ['passing', 'critical', 'passing', 'critical'] as const) {
      report('b', outcome);
      report('c', outcome);
    }
    open();
    await saver.flush();
    assert.deepEqual(store.asked, [['status/a'], ['status/b', 'status/c']]);
    assert.deepEqual(await saved(), { a: 'passing', b: 'critical', c: 'critical' });
  });
  it('does not lose what is marked right behind one with nothing to store', async () => {
    const { saver, saved, report } = await setUp();
    report('s', 'passing');
    report('a', 'passing');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await saved(), { a: 'passing' });
    await saver.flush();
  });
  it('does not lose what is marked at the very end of a commit', async () => {
    const { store, saver, saved, report } = await setUp();
    for (let turns = 0; turns < 12; turns++) {
      report('a', turns % 2 === 0 ? 'passing' : 'critical');
      // However many microtasks the commit takes, one of these falls right behind it.
      for (let i = 0; i < turns; i++) await undefined;
      report('b', turns % 2 === 0 ? 'passing' : 'critical');
      await new Promise((resolve) => setImmediate(resolve));
      const expected = turns % 2 === 0 ? 'passing' : 'critical';
      assert.deepEqual(await saved(), { a: expected, b: expected }, `${turns} microtasks`);
    }
    assert.ok(store.asked.length >= 12);
    saver.stop();
  });
  it('tries again every second while the store fails, with what is newest', async () => {
    const { clock, store, saved, report } = await setUp();
    store.failing = true;
    report('a', 'passing');
    await clock.advance(3500);
    assert.equal(store.asked.length, 4);
    report('a', 'critical');
    report('b', 'passing');
    assert.equal(store.asked.length, 4, 'waits for the retry');
    store.failing = false;
    await clock.advance(1000);
    assert.deepEqual(await saved(), { a: 'critical', b: 'passing' });
    assert.equal(clock.pendingCount, 0);
  });
  it('flush tries at once, and does not wait for ever', async () => {
    const { clock, store, saver, saved, report } = await setUp();
    store.failing = true;
    report('a', 'passing');
    await saver.flush();
    assert.deepEqual(await saved(), {});
    store.failing = false;
    await saver.flush();
    assert.deepEqual([await saved(), clock.pendingCount], [{ a: 'passing' }, 0]);
    await saver.flush();
    assert.equal(store.asked.length, 2);
  });
  it('stores nothing of an instance that goes meanwhile, and the others all the same', async () => {
    const { store, roster, saver, saved, report } = await setUp();
    const open = store.hold();
    report('a', 'passing');
    report('b', 'passing');
    report('c', 'passing');
    // The deregistration overtakes the batch that holds `b`.
    const gone = store.commit([{ key: 'instance/b', value: undefined }]).then(() => roster.remove('b'));
    open();
    await gone;
    await saver.flush();
    assert.deepEqual(await saved(), { a: 'passing', c: 'passing' });
  });
  it('gives in to a registration that always changes first, and comes back later', async () => {
    const { clock, store, saver, saved, report } = await setUp();
    await store.commit([{ key: 'instance/a', value: { another: 'node' } }]);
    store.asked.length = 0;
    report('a', 'passing');
    await saver.flush();
    assert.ok(store.asked.length > 1 && store.asked.length < 20, `${store.asked.length} attempts`);
    assert.deepEqual([await saved(), clock.pendingCount], [{}, 1]);
  });
  it('stores nothing any more after stop', async () => {
    const { clock, store, saver, report } = await setUp();
    store.failing = true;
    report('a', 'passing');
    await saver.flush();
    saver.stop();
    report('b', 'passing');
    await clock.advance(10_000);
    assert.deepEqual([store.asked.length, clock.pendingCount], [1, 0]);
  });
});
