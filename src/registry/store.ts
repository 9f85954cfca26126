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
  /**
   * The key goes by itself when it was neither written nor renewed (`SharedStore.renew`) for so long. Only in a store
   * that is shared; a later write of the key without it ends that.
   */
  readonly ttlMs?: number;
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
  /** Nobody committed it: the time of its keys ran out. */
  readonly isExpiry?: boolean;
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
  /** What only a store has that several nodes share. */
  readonly shared?: SharedStore;
}

/** The side of a store by which several nodes meet. */
export interface SharedStore {
  /** Names this node in the keys that are its own; the same over restarts. 1 to 64 of `A-Za-z0-9._-`. */
  readonly node: string;
  /** Begin the time of a key anew, if it has one. Cheap and without an answer: it may be called for every heartbeat. */
  renew(key: string): void;
  /**
   * For how many milliseconds the others have not been heard of; 0 while everything is told as it happens; Infinity when
   * all that is known is this node's own copy from an earlier start.
   */
  silentMs(): number;
  /** Ask every endpoint how it is. Never rejects. */
  describe(): Promise<SharedStoreState>;
}

export interface SharedStoreState {
  /** The revision up to which everything has been told here. */
  readonly revision: number;
  readonly endpoints: readonly SharedStoreEndpoint[];
}

export interface SharedStoreEndpoint {
  readonly url: string;
  readonly up: boolean;
  /** Why it is not up. */
  readonly reason?: string;
  readonly version?: string;
  readonly isLeader?: boolean;
  readonly revision?: number;
  readonly sizeOctets?: number;
}
