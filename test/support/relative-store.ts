// relative-store.ts -- a store whose revisions count from where it was opened, for tests that know their numbers

import type { CommittedBatch, Precondition, Store } from '../../src/registry/store.ts';

/** A store of a shared etcd is never at revision 0; here it is. Nothing else may write there meanwhile. */
export async function relativeStore(store: Store): Promise<Store> {
  const { revision: base } = await store.load();
  const absolute = ({ key, revision }: Precondition): Precondition => {
    return { key, revision: revision === 0 ? 0 : revision + base };
  };
  return {
    kind: store.kind,
    load: async () => {
      const { revision, records } = await store.load();
      return {
        revision: revision - base,
        records: records.map((record) => ({ ...record, revision: record.revision - base })),
      };
    },
    commit: async (mutations, preconditions = []) =>
      (await store.commit(mutations, preconditions.map(absolute))) - base,
    watch: (listener: (batch: CommittedBatch) => void) =>
      store.watch(({ revision, mutations }) => listener({ revision: revision - base, mutations })),
    isUp: () => store.isUp(),
    close: () => store.close(),
  };
}
