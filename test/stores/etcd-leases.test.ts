// etcd-leases.test.ts -- keys that go by themselves, on a real etcd: renewed by any store, over restarts and freezes

import assert from 'node:assert/strict';
import { after, it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { CommittedBatch } from '../../src/registry/store.ts';
import { openEtcdStore } from '../../src/stores/etcd.ts';
import { ETCD_TOOLS, startEtcd } from '../support/etcd-server.ts';
import { requireTools } from '../support/tools.ts';
import { until } from '../support/until.ts';

const skip = (why?: string): void => void it('runs on a real etcd', { skip: why ?? true }, () => {});
if (await requireTools({ skip }, ETCD_TOOLS)) {
  const etcd = await startEtcd({ after: (release) => after(async () => void (await release())) });
  let prefixes = 0;
  const open = async (t: TestContext, prefix: string, { endpoint } = etcd) => {
    const store = await openEtcdStore({ endpoints: [endpoint], prefix, log: silentLogger });
    t.after(() => store.close());
    const told: CommittedBatch[] = [];
    store.watch((batch) => told.push(batch));
    await store.load();
    return { store, shared: store.shared!, told };
  };

  it('a key goes when nobody renews it, and everybody is told that nobody took it away', async (t) => {
    const prefix = `/leases-${prefixes++}`;
    const [one, two] = [await open(t, prefix), await open(t, prefix)];
    await one.store.commit([{ key: 'a', value: 1, ttlMs: 2_000 }]);
    await one.store.commit([{ key: 'b', value: 1 }]);
    await two.store.commit([{ key: 'b', value: undefined }]);
    for (const { told } of [one, two]) {
      await until('the key is gone', () => told.some(({ isExpiry }) => isExpiry === true));
      const gone = told.filter(({ mutations }) => mutations.some(({ value }) => value === undefined));
      assert.deepEqual(
        gone.map(({ mutations, isExpiry }) => [mutations[0]?.key, isExpiry === true]),
        [
          ['b', false],
          ['a', true],
        ],
      );
    }
  });

  it('stays while any store renews it, and over a restart of etcd', async (t) => {
    const prefix = `/leases-${prefixes++}`;
    const own = await startEtcd(t);
    const [one, two] = [await open(t, prefix, own), await open(t, prefix, own)];
    await one.store.commit([
      { key: 'kept', value: 1, ttlMs: 2_000 },
      { key: 'left', value: 1, ttlMs: 2_000 },
    ]);
    await until('the other knows it', () => two.told.length > 0);
    const beat = setInterval(() => two.shared.renew('kept'), 500);
    t.after(() => clearInterval(beat));
    const isGone = (key: string) => one.told.some(({ isExpiry, mutations }) => isExpiry && mutations[0]?.key === key);
    await until('the one that nobody renews is gone', () => isGone('left'));
    await own.kill();
    await own.restart();
    const isThere = async () => (await one.shared.describe()).endpoints.every(({ up }) => up);
    await until('etcd is heard of again', isThere);
    await until('it is written to again', () =>
      one.store.commit([{ key: 'first', value: 1 }]).then(Boolean, () => false),
    );
    await one.store.commit([{ key: 'marker', value: 1, ttlMs: 2_000 }]);
    await until('a time longer than its own has passed', () => isGone('marker'));
    assert.equal(isGone('kept'), false);
  });

  it('that is written again without a time stays for good', async (t) => {
    const prefix = `/leases-${prefixes++}`;
    const { store, told } = await open(t, prefix);
    await store.commit([
      { key: 'a', value: 1, ttlMs: 2_000 },
      { key: 'b', value: 1, ttlMs: 2_000 },
    ]);
    await store.commit([{ key: 'a', value: 2 }]);
    await until('the other is gone', () => told.some(({ isExpiry }) => isExpiry === true));
    assert.deepEqual(
      (await store.load()).records.map(({ key }) => key),
      ['a'],
    );
  });

  it('silence is noticed when etcd is frozen, and its end', async (t) => {
    const { shared } = await open(t, `/leases-${prefixes++}`);
    assert.equal(shared.silentMs(), 0);
    process.kill(etcd.process.pid, 'SIGSTOP');
    try {
      await until('it is silent', () => shared.silentMs() > 3_000);
      const { endpoints } = await shared.describe();
      assert.equal(endpoints[0]?.up, false);
    } finally {
      process.kill(etcd.process.pid, 'SIGCONT');
    }
    await until('it is heard of again', () => shared.silentMs() === 0);
    const { endpoints } = await shared.describe();
    assert.equal(endpoints[0]?.up, true);
    assert.equal(endpoints[0]?.isLeader, true);
  });
}
