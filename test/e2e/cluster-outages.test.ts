// cluster-outages.test.ts -- three nodes on three members of etcd, some of which fail; a short cut of the ordeal cluster-etcd

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LEAVE_LIMIT_MS, type OutageName, outagesUnderLoad } from '../support/cluster-outages.ts';
import { ETCD_TOOLS } from '../support/etcd-server.ts';
import { requireTools } from '../support/tools.ts';

/** Those in which something different is put to the test; the ordeal has them all. */
const OUTAGES: readonly OutageName[] = ['leader frozen', 'what the leader sends is lost', 'all members killed'];

const skip = (why?: string): void => void it('runs on a real etcd', { skip: why ?? true }, () => {});
if (await requireTools({ skip }, ETCD_TOOLS)) {
  it('answers rightly whatever happens to etcd, and nodes agree again afterwards', async (t) => {
    const { outages, load, wrong } = await outagesUnderLoad(t, {
      perSecond: 600,
      leaderGoneMs: 7_000,
      allGoneMs: 8_000,
      outages: OUTAGES,
    });
    for (const { name, leftMs, equalMs } of outages) {
      t.diagnostic(`${name}: the dead are out after ${Math.round(leftMs)} ms, equal after ${Math.round(equalMs)} ms`);
      assert.ok(leftMs <= LEAVE_LIMIT_MS, `${name}: a dead instance was answered for ${leftMs} ms`);
    }
    assert.equal(outages.length, OUTAGES.length);
    assert.ok(load.asked > 10_000, `${load.asked} questions`);
    assert.deepEqual([load.lost.length, wrong], [0, []]);
  });
}
