// expired-leases.ts -- deregisters the instances whose lease ran out, and tries again while the store will not

import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Turns } from './turns.ts';

const RETRY_MS = 1000;

export interface ExpiredLeasesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The registry's: an expiry waits for the writes before it, and may find that one of them renewed the lease. */
  readonly turns: Turns;
  /** Is the lease still expired, and the instance one that may be deregistered? */
  readonly isDue: (id: string) => boolean;
  readonly remove: (id: string) => Promise<void>;
}

export class ExpiredLeases {
  readonly #options: ExpiredLeasesOptions;
  readonly #leaving = new Set<string>();
  readonly #retries = new Map<string, Timer>();
  #stopped = false;

  constructor(options: ExpiredLeasesOptions) {
    this.#options = options;
  }

  /** Is the instance being deregistered at this moment? It cannot be brought back by a heartbeat then. */
  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** The lease ran out. */
  begin(id: string): void {
    const { clock, log, turns } = this.#options;
    this.#retries.get(id)?.cancel();
    this.#retries.delete(id);
    turns
      .take(id, () => this.#removeDue(id))
      .catch((error: unknown) => {
        if (this.#stopped) return;
        log.warn({ instance: id, reason: errorMessage(error) }, 'expired instance could not be deregistered yet');
        this.#retries.set(
          id,
          clock.after(RETRY_MS, () => this.begin(id)),
        );
      });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
  }

  async #removeDue(id: string): Promise<void> {
    if (this.#stopped || !this.#options.isDue(id)) return;
    this.#leaving.add(id);
    try {
      await this.#options.remove(id);
    } finally {
      this.#leaving.delete(id);
    }
  }
}
