// change-listeners.ts -- those who hear of every change

import type { Logger } from '../base/log.ts';
import type { Change } from './change.ts';

export class ChangeListeners {
  readonly #log: Logger;
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Returns the way to stop. */
  add(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // A bug above us; the rest of what was committed must be applied all the same.
        this.#log.error({ err: error, kind: change.kind, service: change.service }, 'a registry listener threw');
      }
    }
  }
}
