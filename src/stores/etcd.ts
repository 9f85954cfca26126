// etcd.ts -- the store of several nodes: etcd decides, and every node follows its history
//
// A commit is one transaction (etcd-transaction.ts), made once or not at all (etcd-writer.ts), and answered when the
// watch (etcd-watch.ts) has brought it back and the watchers here have seen it (etcd-feed.ts). Revisions are etcd's:
// they rise with whatever else is written there, and commits that waited for the same transaction share one.

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CommittedBatch, Mutation, Precondition, SharedStore, Store, StoreSnapshot } from '../registry/store.ts';
import { prepareBatch } from './batch.ts';
import { type EtcdAccess, EtcdClient } from './etcd-client.ts';
import { EtcdFeed } from './etcd-feed.ts';
import { EtcdKeys } from './etcd-keys.ts';
import { EtcdLeases } from './etcd-leases.ts';
import { EtcdWatch, WATCH_TIMES, type WatchTimes } from './etcd-watch.ts';
import { EtcdWriter } from './etcd-writer.ts';
import { Watchers } from './watchers.ts';

const NO_LEASES: ReadonlyMap<string, string> = new Map();
/** The most commits that share a transaction. */
const MAX_GROUP = 500;

export interface EtcdStoreOptions extends EtcdAccess {
  /** Where the store is in etcd, without a slash at its end. */
  readonly prefix: string;
  /** Names this node in keys of its own; of no other node. By default it is another at each start. */
  readonly node?: string;
  readonly log: Logger;
  readonly maxGroup?: number;
  readonly times?: WatchTimes;
}

/** Open the store. Rejects with CodedError `store_unavailable` when etcd does not answer or does not let us in. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  let client: EtcdClient;
  try {
    client = new EtcdClient(options, options.log);
  } catch (error) {
    throw unavailable(error); // a file of the certificates
  }
  const store = new EtcdStore(client, options);
  try {
    await store.start();
  } catch (error) {
    await store.close();
    throw unavailable(error);
  }
  return store;
}

class EtcdStore implements Store {
  readonly kind = 'etcd';
  readonly shared: SharedStore;
  readonly #leases: EtcdLeases;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #watchers: Watchers;
  readonly #watch: EtcdWatch;
  readonly #writer: EtcdWriter;
  #closing: Promise<void> | undefined;
  /** What must have ended before the writer closes. */
  readonly #early = new Set<Promise<unknown>>();

  constructor(
    client: EtcdClient,
    { prefix, node = randomBytes(4).toString('hex'), log, maxGroup = MAX_GROUP, times = WATCH_TIMES }: EtcdStoreOptions,
  ) {
    const keys = new EtcdKeys(prefix);
    const writer = randomBytes(8).toString('hex');
    this.#client = client;
    this.#keys = keys;
    this.#watchers = new Watchers(log);
    const leases = new EtcdLeases(client, log);
    this.#leases = leases;
    const feed = new EtcdFeed(keys, writer, this.#watchers, log, (key, lease) => leases.take(key, lease));
    this.#watch = new EtcdWatch(client, keys, feed, log, times);
    const catchUp = () => this.#watch.list();
    this.#writer = new EtcdWriter({ client, keys, feed, log, writer, maxGroup, catchUp });
    this.shared = {
      node,
      renew: (key) => leases.renew(key),
      silentMs: () => this.#watch.silentMs,
      describe: async () => ({ revision: feed.revision, endpoints: await client.describe() }),
    };
  }

  async start(): Promise<void> {
    await this.#watch.start();
    this.#client.startProbing(Buffer.from(this.#keys.first));
  }

  async load(): Promise<StoreSnapshot> {
    this.#refuseClosed();
    const loading = this.#watch.list();
    this.#early.add(loading);
    try {
      const { revision, records } = await loading;
      return { revision, records: records.map((record) => Object.freeze({ ...record })) };
    } catch (error) {
      throw unavailable(error);
    } finally {
      this.#early.delete(loading);
    }
  }

  async commit(mutations: readonly Mutation[], preconditions: readonly Precondition[] = []): Promise<number> {
    const batch = prepareBatch(mutations, preconditions);
    this.#refuseClosed();
    const isTimed = batch.mutations.some(({ ttlMs }) => ttlMs !== undefined);
    return await this.#writer.commit(batch, isTimed ? await this.#grant(batch.mutations) : NO_LEASES);
  }

  async #grant(mutations: readonly Mutation[]): Promise<ReadonlyMap<string, string>> {
    const granting = this.#leases.grant(mutations);
    this.#early.add(granting);
    try {
      return await granting;
    } catch (error) {
      throw unavailable(error);
    } finally {
      this.#early.delete(granting);
    }
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#watchers.add(listener);
  }

  isUp(): boolean {
    return this.#client.isUp && !this.#writer.isDoubtful;
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    await Promise.allSettled(this.#early);
    await this.#writer.close();
    this.#watchers.clear();
    this.#leases.close();
    const watch = this.#watch.close();
    this.#client.close();
    await watch;
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new CodedError('store_closed', 'the store is closed');
  }
}

function unavailable(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError('store_unavailable', `etcd: ${errorMessage(error)}`);
}
