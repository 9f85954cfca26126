// open-store.ts -- opens the store of the configuration

import type { Logger } from '../base/log.ts';
import type { StoreConfig } from '../config/config.ts';
import type { Store } from '../registry/store.ts';
import type { StoreClaim } from '../stores/store-claim.ts';
import { STORES } from '../stores/stores.ts';

/** Rejects with a CodedError `store_...`. `claim`: the folder, when it is claimed already; it passes to the store. */
export async function openStore(store: StoreConfig, log: Logger, claim: StoreClaim | undefined): Promise<Store> {
  const path = store.kind === 'memory' ? '' : store.path;
  return await STORES[store.kind]({ path, log, claim, ...(store.kind === 'etcd' ? { etcd: store } : {}) });
}
