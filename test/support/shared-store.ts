// shared-store.ts -- a store that several nodes of a test share, in memory and on a fake clock, with cuts

import type { Clock, Timer } from '../../src/base/clock.ts';
import { CodedError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import type {
  CommittedBatch,
  Mutation,
  Precondition,
  SharedStore,
  Store,
  StoreRecord,
  StoreSnapshot,
} from '../../src/registry/store.ts';
import { findConflict, prepareBatch } from '../../src/stores/batch.ts';
import { Watchers } from '../../src/stores/watchers.ts';

interface Shared extends StoreRecord {
  readonly ttlMs?: number | undefined;
}

/** What all nodes share; stands for etcd. */
export class SharedWorld {
  readonly clock: Clock;
  readonly nodes = new Map<string, WorldNode>();
  readonly records = new Map<string, Shared>();
  readonly #expiries = new Map<string, Timer>();
  /** Every batch there was. */
  readonly batches: CommittedBatch[] = [];
  revision = 0;
  isUp = true;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The store as one node sees it; the node that was there before under this name is cut off for good. */
  open(node: string): Store & { readonly shared: SharedStore } {
    this.nodes.get(node)?.cut();
    const made = new WorldNode(this, node);
    this.nodes.set(node, made);
    return made;
  }

  /** The node neither reaches the others nor hears of them. */
  cut(node: string): void {
    this.nodes.get(node)!.cut();
  }

  /** The node hears everything, and may write nothing for now. */
  refuse(node: string, isRefusing: boolean): void {
    this.nodes.get(node)!.isRefusing = isRefusing;
  }

  heal(node: string): void {
    this.nodes.get(node)!.heal();
  }

  /** All of etcd is away: nothing is answered, and nobody's time runs out. */
  stop(): void {
    this.isUp = false;
    for (const timer of this.#expiries.values()) timer.cancel();
    for (const node of this.nodes.values()) node.cut();
  }

  /** etcd is back; every key has its whole time anew. */
  start(): void {
    this.isUp = true;
    for (const { key } of this.records.values()) this.renew(key);
    for (const node of this.nodes.values()) node.heal();
  }

  commit(mutations: readonly Mutation[], preconditions: readonly Precondition[], isExpiry = false): number {
    const conflict = findConflict(preconditions, (key) => this.records.get(key)?.revision ?? 0);
    if (conflict !== undefined) throw conflict;
    this.revision += 1;
    for (const { key, value, ttlMs } of mutations) {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, { key, value, revision: this.revision, ttlMs });
      this.renew(key);
    }
    const batch: CommittedBatch = { revision: this.revision, mutations, ...(isExpiry ? { isExpiry } : {}) };
    this.batches.push(batch);
    for (const node of this.nodes.values()) node.tell();
    return this.revision;
  }

  /** The time of a key runs out, also too early. */
  expire(key: string): void {
    this.commit([{ key, value: undefined }], [], true);
  }

  renew(key: string): void {
    this.#expiries.get(key)?.cancel();
    this.#expiries.delete(key);
    const { ttlMs } = this.records.get(key) ?? {};
    if (ttlMs === undefined || !this.isUp) return;
    this.#expiries.set(
      key,
      this.clock.after(ttlMs, () => this.expire(key)),
    );
  }
}

class WorldNode implements Store {
  readonly kind = 'shared memory';
  readonly shared: SharedStore;
  readonly #world: SharedWorld;
  readonly #watchers = new Watchers(silentLogger);
  isRefusing = false;
  #cutAtMs: number | undefined;
  /** How many batches it was told. */
  #told: number;
  #isTelling = false;

  constructor(world: SharedWorld, node: string) {
    this.#world = world;
    this.#told = world.batches.length;
    this.shared = {
      node,
      renew: (key) => {
        if (this.#cutAtMs === undefined) world.renew(key);
      },
      silentMs: () => (this.#cutAtMs === undefined ? 0 : world.clock.monotonicMs() - this.#cutAtMs),
      describe: async () => ({ revision: world.revision, endpoints: [] }),
    };
    if (!world.isUp) this.cut();
  }

  async load(): Promise<StoreSnapshot> {
    this.#refuseCut();
    const records = Array.from(this.#world.records.values(), ({ key, value, revision }) => ({ key, value, revision }));
    this.#told = this.#world.batches.length;
    return { revision: this.#world.revision, records };
  }

  async commit(mutations: readonly Mutation[], preconditions: readonly Precondition[] = []): Promise<number> {
    const batch = prepareBatch(mutations, preconditions);
    this.#refuseCut();
    if (this.isRefusing) throw new CodedError('store_unavailable', 'the store takes no writes of this node');
    if (batch.mutations.length === 0) {
      const conflict = findConflict(preconditions, (key) => this.#world.records.get(key)?.revision ?? 0);
      if (conflict !== undefined) throw conflict;
      return this.#world.revision;
    }
    const timed = new Map(mutations.map(({ key, ttlMs }) => [key, ttlMs]));
    const withTimes = batch.mutations.map(({ key, value }): Mutation => {
      const ttlMs = timed.get(key);
      return ttlMs === undefined ? { key, value } : { key, value, ttlMs };
    });
    return this.#world.commit(withTimes, preconditions);
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#watchers.add(listener);
  }

  isUp(): boolean {
    return this.#cutAtMs === undefined;
  }

  async close(): Promise<void> {
    this.#watchers.clear();
  }

  cut(): void {
    this.#cutAtMs ??= this.#world.clock.monotonicMs();
  }

  heal(): void {
    if (this.#cutAtMs === undefined) return;
    this.#cutAtMs = undefined;
    this.tell();
  }

  /** Tell what there is to tell, in order, also when somebody commits because of it. */
  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    const { batches } = this.#world;
    while (this.#cutAtMs === undefined && this.#told < batches.length) this.#watchers.deliver(batches[this.#told++]!);
    this.#isTelling = false;
  }

  #refuseCut(): void {
    if (this.#cutAtMs !== undefined) throw new CodedError('store_unavailable', 'the store is cut off');
  }
}
