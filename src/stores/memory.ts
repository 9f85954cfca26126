// memory.ts -- the store that forgets: for tests and for servers whose services register anew at each start

import { CodedError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import type { CommittedBatch, Mutation, Precondition, Store, StoreRecord, StoreSnapshot } from '../registry/store.ts';
import { findConflict, type PreparedBatch, prepareBatch } from './batch.ts';
import { Watchers } from './watchers.ts';

/** An empty store in this process's memory. `log` hears of watchers that throw. */
export function openMemoryStore(log: Logger = silentLogger): Store {
  return new MemoryStore(log);
}

class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly #records = new Map<string, StoreRecord>();
  readonly #watchers: Watchers;
  #revision = 0;
  #closed = false;
  /** Ends when all that was asked so far is done: a commit made by a watcher waits until its batch reached everyone. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(log: Logger) {
    this.#watchers = new Watchers(log);
  }

  async load(): Promise<StoreSnapshot> {
    return this.#inTurn(() => ({ revision: this.#revision, records: [...this.#records.values()] }));
  }

  async commit(mutations: readonly Mutation[], preconditions: readonly Precondition[] = []): Promise<number> {
    const batch = prepareBatch(mutations, preconditions);
    return this.#inTurn(() => this.#apply(batch));
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#watchers.add(listener);
  }

  isUp(): boolean {
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    this.#watchers.clear();
  }

  #inTurn<T>(action: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new CodedError('store_closed', 'the store is closed'));
    const result = this.#tail.then(action);
    this.#tail = result.catch(() => {});
    return result;
  }

  #apply({ mutations, preconditions }: PreparedBatch): number {
    const conflict = findConflict(preconditions, (key) => this.#records.get(key)?.revision ?? 0);
    if (conflict !== undefined) throw conflict;
    if (mutations.length === 0) return this.#revision;
    this.#revision += 1;
    for (const { key, value } of mutations) {
      if (value === undefined) this.#records.delete(key);
      else this.#records.set(key, Object.freeze({ key, value, revision: this.#revision }));
    }
    this.#watchers.deliver(Object.freeze({ revision: this.#revision, mutations }));
    return this.#revision;
  }
}
