// history-keeper.ts -- stores the history behind the changes: a ring of records, some of them each second
//
// Keeping history must cost less than making it. So it is written in one commit a second, of a bounded number of
// changes: of a flood only the last ones outlive a restart. What could not be stored is not tried again.

import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Change } from './change.ts';
import { ChangeHistory, type PastChange, pastChange } from './change-history.ts';
import type { Policy } from './policy.ts';
import type { Mutation, Store } from './store.ts';
import { type StoredPastChange, storedKey } from './stored.ts';

const FLUSH_MS = 1000;
/** The most that one commit stores. */
const MAX_FLUSH = 200;
/** Records in the ring. */
const SLOTS = 4096;

export interface HistoryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Is it to outlive a restart? */
  readonly keepHistory?: boolean;
}

/** The history in memory, and what is stored of it. */
export class HistoryKeeper {
  readonly #options: HistoryOptions;
  readonly #history = new ChangeHistory();
  #restored: StoredPastChange[] | undefined = [];
  #waiting: PastChange[] = [];
  #number = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** The last `limit` changes of a service, newest first; undefined when none are known. */
  of(service: string, limit: number): readonly PastChange[] | undefined {
    return this.#history.of(service, limit);
  }

  /** A record of the store; of interest at the start only, later ones are our own that come back. */
  restore(value: StoredPastChange | undefined): void {
    if (value !== undefined) this.#restored?.push(value);
  }

  /** All that was stored is here; changes that come from now on are news. */
  endRestoring(): void {
    for (const { number, change } of (this.#restored ?? []).toSorted((a, b) => a.number - b.number)) {
      this.#number = number + 1;
      this.#history.add(change);
    }
    this.#restored = undefined;
  }

  /** Note a change; `policy` is the service's afterwards. */
  record(change: Change, policy: Policy | undefined): void {
    if (this.#restored !== undefined || this.#stopped) return;
    const past = pastChange(change, policy);
    this.#history.add(past);
    if (this.#options.keepHistory !== true) return;
    this.#waiting.push(past);
    if (this.#waiting.length > 2 * MAX_FLUSH) this.#waiting = this.#waiting.slice(-MAX_FLUSH);
    this.#timer ??= this.#options.clock.after(FLUSH_MS, () => void this.#flush());
  }

  /** Store what is waiting, and nothing after that. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
    if (this.#waiting.length === 0) return;
    this.#running = this.#store();
    await this.#running;
  }

  async #store(): Promise<void> {
    const { store, log } = this.#options;
    const changes = this.#waiting.slice(-MAX_FLUSH);
    this.#waiting = [];
    const mutations = changes.map((change): Mutation => {
      const number = this.#number++;
      const value: StoredPastChange = { number, change };
      return { key: storedKey('history', String(number % SLOTS)), value };
    });
    try {
      await store.commit(mutations);
    } catch (error) {
      log.warn({ reason: errorMessage(error), changes: changes.length }, 'history could not be stored');
    }
  }
}
