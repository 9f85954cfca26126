// watchers.ts -- the listeners of one store

import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CommittedBatch } from '../registry/store.ts';

/** Calls every listener with every batch, in the order of `deliver`. */
export class Watchers {
  readonly #listeners = new Map<symbol, (batch: CommittedBatch) => void>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Add a listener (the same function may be added twice). Returns the way to remove it. */
  add(listener: (batch: CommittedBatch) => void): () => void {
    const id = Symbol('watcher');
    this.#listeners.set(id, listener);
    return () => {
      this.#listeners.delete(id);
    };
  }

  /** Call the listeners there are. One that throws is logged: the batch is durable and others must still see it. */
  deliver(batch: CommittedBatch): void {
    for (const [id, listener] of [...this.#listeners]) {
      if (!this.#listeners.has(id)) continue; // removed by a listener before it
      try {
        listener(batch);
      } catch (error) {
        this.#log.error({ revision: batch.revision, reason: errorMessage(error) }, 'a store watcher threw');
      }
    }
  }

  /** Forget them all. */
  clear(): void {
    this.#listeners.clear();
  }
}
