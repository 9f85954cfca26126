// housekeeping.ts -- the elected node removes what belongs to nobody: what is left of instances and of nodes that went

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Mutation, Precondition, Store } from '../registry/store.ts';
import { storedKey } from '../registry/stored.ts';

const SWEEP_MS = 30_000;
/** A leftover is removed when it was one in two sweeps: what is only late is left in peace. */
const MAX_BATCH = 500;

export interface HousekeepingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isElected: () => boolean;
  readonly fence: () => Precondition;
  /** What is left over at this moment, and the instance that must not be there for it to be removed, if any. */
  readonly leftovers: () => Iterable<{ readonly key: string; readonly instanceId?: string }>;
}

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #seen = new Set<string>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(SWEEP_MS, () => {
      this.#running = this.#sweep();
      this.start();
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#running;
  }

  async #sweep(): Promise<void> {
    const { isElected, leftovers, log, store, fence } = this.#options;
    if (!isElected()) {
      this.#seen.clear();
      return;
    }
    const found = [...leftovers()];
    const due = found.filter(({ key }) => this.#seen.has(key)).slice(0, MAX_BATCH);
    this.#seen = new Set(found.map(({ key }) => key));
    if (due.length === 0) return;
    const mutations = due.map(({ key }): Mutation => ({ key, value: undefined }));
    const gone = new Set(due.flatMap(({ instanceId }) => instanceId ?? []));
    const preconditions = Array.from(gone, (id) => ({ key: storedKey('instance', id), revision: 0 }));
    try {
      await store.commit(mutations, [fence(), ...preconditions]);
      log.info({ records: due.length }, 'leftovers removed');
    } catch (error) {
      const isOther = error instanceof CodedError && ['not_elected', 'conflict'].includes(error.code);
      if (!isOther) log.warn({ reason: errorMessage(error) }, 'leftovers could not be removed');
    }
  }
}
