// etcd.test.ts -- the etcd store against the suite of all stores, on a real etcd

import { after, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { openEtcdStore } from '../../src/stores/etcd.ts';
import { testStore } from '../conformance/stores.ts';
import { ETCD_TOOLS, startEtcd } from '../support/etcd-server.ts';
import { relativeStore } from '../support/relative-store.ts';
import { requireTools } from '../support/tools.ts';

const skip = (why?: string): void => void it('runs on a real etcd', { skip: why ?? true }, () => {});
if (await requireTools({ skip }, ETCD_TOOLS)) {
  const { endpoint } = await startEtcd({ after: (release) => after(async () => void (await release())) });
  let opened = 0;
  const open = async (maxGroup?: number) => {
    // One etcd for all of them, so each has a prefix of its own.
    const prefix = `/test-${opened++}`;
    const own = maxGroup === undefined ? {} : { maxGroup };
    return await relativeStore(await openEtcdStore({ endpoints: [endpoint], prefix, log: silentLogger, ...own }));
  };
  testStore('etcd, a commit to a transaction', async () => await open(1));
  testStore('etcd', async () => await open(), { sharesRevisions: true });
}
