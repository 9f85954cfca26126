// followed-store.ts -- everything in a store and every batch after it, with nothing lost in between

import type { CommittedBatch, Store, StoreSnapshot } from './store.ts';

/** What was there, and the way to hear of what comes. */
export interface FollowedStore {
  readonly snapshot: StoreSnapshot;
  /** Hear of every batch after the snapshot: of those that came meanwhile at once, of others when they come. */
  readonly follow: (listener: (batch: CommittedBatch) => void) => void;
  readonly unwatch: () => void;
}

/** Rejects as the store's `load` does. */
export async function followStore(store: Store): Promise<FollowedStore> {
  // Watching begins before loading.
  const early: CommittedBatch[] = [];
  let listener = (batch: CommittedBatch): void => void early.push(batch);
  const unwatch = store.watch((batch) => listener(batch));
  const snapshot = await store.load().catch((error: unknown) => {
    unwatch();
    throw error;
  });
  return {
    snapshot,
    follow: (late) => {
      for (const batch of early) if (batch.revision > snapshot.revision) late(batch);
      listener = late;
    },
    unwatch,
  };
}
