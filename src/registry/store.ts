// store.ts -- what the registry needs of a store: a consistent snapshot, atomic durable batches, and a watch
//
// The registry changes its own state only from what the store delivers, so an embedded file and a cluster behave
// alike. Values are JSON. A store knows nothing of services.

/** One stored value and the revision that wrote it. */
export interface StoreRecord {
  readonly key: string;
  readonly value: unknown;
  readonly revision: number;
}

/** Everything in the store at one revision. */
export interface StoreSnapshot {
  readonly revision: number;
  readonly records: readonly StoreRecord[];
}

/** One write: `value` undefined deletes. */
export interface Mutation {
  readonly key: string;
  readonly value: unknown;
}

/** The batch is applied only while `key` was last written at `revision` (0: does not exist). */
export interface Precondition {
  readonly key: string;
  readonly revision: number;
}

/** A batch that became durable. All its records carry its revision; in etcd several batches may share one. */
export interface CommittedBatch {
  readonly revision: number;
  readonly mutations: readonly Mutation[];
}

export interface Store {
  /** The name used in configuration and in `/v1/status`. */
  readonly kind: string;
  /** Everything, at one revision. An empty store of its own is at revision 0; in a shared etcd it may be at any. */
  load(): Promise<StoreSnapshot>;
  /**
   * Apply all mutations or none, under one new revision, and make them durable. Watchers have been called by the time
   * the promise resolves with that revision. Rejects with a CodedError: `conflict` when a precondition fails (nothing
   * is changed), `store_unavailable` when it cannot be made durable, `batch_too_large` where the store has a bound.
   */
  commit(mutations: readonly Mutation[], preconditions?: readonly Precondition[]): Promise<number>;
  /** Call `listener` for every batch committed from now on, in order of revision. Returns the way to stop. */
  watch(listener: (batch: CommittedBatch) => void): () => void;
  /** False while commits fail. */
  isUp(): boolean;
  /** Finish the commits under way and release everything. */
  close(): Promise<void>;
}
