// paired.ts -- a store of several nodes with a local one beside it: what is a node's own, and a copy of all the rest
//
// Shared keys are committed remotely, keys of a node's own (`isLocalKey`) locally. What the remote store tells is copied
// behind, so that a node which starts while the remote store is away knows what it knew last. The copy is never written to
// by anybody but the remote store's news; when the remote store is there again, the difference is told as changes.
//
// Revisions are the remote store's; those of local keys mean nothing, and their batches are not told: whoever wrote them
// is the only one to read them, at its next start.

import { isDeepStrictEqual } from 'node:util';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type {
  CommittedBatch,
  Mutation,
  Precondition,
  SharedStore,
  Store,
  StoreRecord,
  StoreSnapshot,
} from '../registry/store.ts';
import { isLocalKey } from '../registry/stored.ts';
import { findConflict } from './batch.ts';
import { copied, StoreCopy } from './store-copy.ts';
import { Watchers } from './watchers.ts';

/** How long a start waits for the remote store before it begins from the copy. */
const OPEN_WITHIN_MS = 4_000;
const REOPEN_MS = 1_000;

export interface PairedOptions {
  readonly local: Store;
  /** Opens the remote store, which is shared. Rejects while it is away. */
  readonly openRemote: () => Promise<Store>;
  readonly node: string;
  readonly log: Logger;
}

/** Rejects with CodedError `store_unavailable` when the remote store is away and there is no copy. Owns `local`. */
export async function openPairedStore(options: PairedOptions): Promise<Store> {
  const store = new PairedStore(options);
  try {
    await store.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class PairedStore implements Store {
  readonly kind = 'etcd';
  readonly shared: SharedStore;
  readonly #options: PairedOptions;
  readonly #watchers: Watchers;
  readonly #copy: StoreCopy;
  /** All that is shared, as told. */
  readonly #known = new Map<string, StoreRecord>();
  #own: readonly StoreRecord[] = [];
  #revision = 0;
  #remote: Store | undefined;
  #opening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PairedOptions) {
    const { local, log, node } = options;
    this.#options = options;
    this.#watchers = new Watchers(log);
    this.#copy = new StoreCopy(local, log);
    this.shared = {
      node,
      renew: (key) => this.#remote?.shared?.renew(key),
      silentMs: () => this.#remote?.shared?.silentMs() ?? Number.POSITIVE_INFINITY,
      describe: async () => (await this.#remote?.shared?.describe()) ?? { revision: this.#revision, endpoints: [] },
    };
  }

  async start(): Promise<void> {
    const { local, log } = this.#options;
    const { records } = await local.load();
    this.#own = records.filter(({ key }) => isLocalKey(key));
    const kept = records.flatMap((record) => copied(record) ?? []);
    for (const record of kept) this.#take(record.key, record);
    let reason = '';
    const opened = this.#connect().catch((error: unknown) => {
      reason = errorMessage(error);
    });
    let late: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      late = setTimeout(resolve, OPEN_WITHIN_MS);
    });
    await Promise.race([opened, tooLong]);
    clearTimeout(late);
    if (this.#remote !== undefined) return;
    if (kept.length === 0) {
      const why = reason || `no answer within ${OPEN_WITHIN_MS / 1000} s`;
      throw new CodedError('store_unavailable', `${why}; and there is no copy of an earlier start`);
    }
    log.warn({ reason, records: kept.length }, 'etcd does not answer: beginning with what was known last');
    void opened.then(() => this.#connectLater());
  }

  async load(): Promise<StoreSnapshot> {
    this.#refuseClosed();
    return { revision: this.#revision, records: [...this.#known.values(), ...this.#own] };
  }

  async commit(mutations: readonly Mutation[], preconditions: readonly Precondition[] = []): Promise<number> {
    this.#refuseClosed();
    const shared = mutations.filter(({ key }) => !isLocalKey(key));
    const own = mutations.filter(({ key }) => isLocalKey(key));
    if (shared.length > 0 || own.length === 0) {
      const revision = await this.#reached().commit(shared, preconditions);
      if (own.length > 0) await this.#commitOwn(own).catch((error: unknown) => this.#warn(error));
      return revision;
    }
    const conflict = findConflict(preconditions, (key) => this.#known.get(key)?.revision ?? 0);
    if (conflict !== undefined) throw conflict;
    await this.#commitOwn(own);
    return this.#revision;
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#watchers.add(listener);
  }

  isUp(): boolean {
    return this.#remote?.isUp() ?? false;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#opening?.catch(() => {});
    await this.#remote?.close();
    this.#watchers.clear();
    await this.#copy.stop();
    await this.#options.local.close();
  }

  #reached(): Store {
    if (this.#remote !== undefined) return this.#remote;
    throw new CodedError('store_unavailable', 'etcd has not been reached since the start: it was not made');
  }

  async #commitOwn(mutations: readonly Mutation[]): Promise<void> {
    await this.#options.local.commit(mutations.map(({ key, value }) => ({ key, value })));
  }

  #warn(error: unknown): void {
    this.#options.log.warn({ reason: errorMessage(error) }, 'what is this node’s own could not be stored');
  }

  #connect(): Promise<void> {
    this.#opening ??= this.#connectOnce().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  #connectLater(): void {
    if (this.#closed || this.#remote !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#connect().catch(() => this.#connectLater());
    }, REOPEN_MS).unref();
  }

  /** Open the remote store, and tell what is different there. */
  async #connectOnce(): Promise<void> {
    const remote = await this.#options.openRemote();
    // What comes while it is loaded is in what is loaded, or comes after.
    const early: CommittedBatch[] = [];
    let listener = (batch: CommittedBatch): void => void early.push(batch);
    remote.watch((batch) => listener(batch));
    let snapshot: StoreSnapshot;
    try {
      snapshot = await remote.load();
    } catch (error) {
      await remote.close();
      throw error;
    }
    if (this.#closed) return await remote.close();
    this.#remote = remote;
    this.#reconcile(snapshot);
    for (const batch of early) if (batch.revision > snapshot.revision) this.#tell(batch);
    listener = (batch) => this.#tell(batch);
  }

  #reconcile({ revision, records }: StoreSnapshot): void {
    const there = new Set(records.map(({ key }) => key));
    const changed = records.filter((record) => !isDeepStrictEqual(this.#known.get(record.key), record));
    const gone = [...this.#known.keys()].filter((key) => !there.has(key));
    for (const record of changed.toSorted((a, b) => a.revision - b.revision)) {
      this.#tell({ revision: record.revision, mutations: [{ key: record.key, value: record.value }] });
    }
    if (gone.length > 0) this.#tell({ revision, mutations: gone.map((key) => ({ key, value: undefined })) });
    this.#revision = revision;
  }

  #tell(batch: CommittedBatch): void {
    const { revision, mutations } = batch;
    this.#revision = Math.max(this.#revision, revision);
    for (const { key, value } of mutations) {
      this.#take(key, value === undefined ? undefined : { key, value, revision });
      this.#copy.note(key, this.#known.get(key));
    }
    this.#watchers.deliver(batch);
  }

  #take(key: string, record: StoreRecord | undefined): void {
    if (record === undefined) this.#known.delete(key);
    else this.#known.set(key, record);
    this.#revision = Math.max(this.#revision, record?.revision ?? 0);
  }

  #refuseClosed(): void {
    if (this.#closed) throw new CodedError('store_closed', 'the store is closed');
  }
}
