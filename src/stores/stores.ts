// stores.ts -- the stores there are: the `store.kind` of the configuration -> how to open it
//
// To add a store: one file beside this one, one row here, one call of the suite in test/conformance/stores.ts.

import { assert } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Store } from '../registry/store.ts';
import type { EtcdAccess } from './etcd-client.ts';
import { openLmdbStore } from './lmdb.ts';
import { openMemoryStore } from './memory.ts';
import type { StoreClaim } from './store-claim.ts';

/** What a factory may need; each takes what concerns it. */
export interface StoreOptions {
  /** The folder of an embedded store. */
  readonly path: string;
  readonly log: Logger;
  /** The folder claimed already; it passes to the store. */
  readonly claim?: StoreClaim | undefined;
  /** Where etcd is, and what of it is ours. */
  readonly etcd?: EtcdAccess & { readonly prefix: string };
}

export type StoreKind = 'memory' | 'lmdb' | 'etcd';

/** Opens a store, or rejects with a CodedError `store_...`. */
export type StoreFactory = (options: StoreOptions) => Promise<Store>;

export const STORES: Readonly<Record<StoreKind, StoreFactory>> = {
  memory: async ({ log }) => openMemoryStore(log),
  lmdb: openLmdbStore,
  etcd: async ({ etcd, path, log, claim }) => {
    assert(etcd !== undefined, 'a store in etcd is told where it is');
    // Only here: whoever has no etcd need not load its client.
    const [{ openEtcdStore }, { openPairedStore }, { nodeId }] = await Promise.all([
      import('./etcd.ts'),
      import('./paired.ts'),
      import('./node-id.ts'),
    ]);
    const local = await openLmdbStore({ path, log, claim });
    const node = await nodeId(local);
    return await openPairedStore({ local, openRemote: () => openEtcdStore({ ...etcd, node, log }), node, log });
  },
};
