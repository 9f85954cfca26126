// sequence-reserve.ts -- sees to it that the sequence of changes never goes back, whatever becomes of the process
//
// Blocking readers and secondary name servers wait for numbers to rise. Health changes raise the sequence too, and are
// stored many at a time or not at all, so the store's own revision lags behind. So numbers are reserved in the store
// ahead of time, and a start begins behind all that may have been given.

import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Store, StoreSnapshot } from './store.ts';
import { type StoredSequence, storedKey } from './stored.ts';

/** How many are reserved at once. More are asked for when half of them are used. */
const SPAN = 65_536;
const RETRY_MS = 1000;

const SEQUENCE_KEY = storedKey('sequence', 'reserved');

export interface SequenceOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Sequences rise over restarts too, for which numbers are reserved in the store; by default they need not. */
  readonly keepSequence?: boolean;
}

export class SequenceReserve {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Where sequences begin: behind all that were given before. */
  readonly first: number;
  /** What the store knows of. */
  #reserved: number;
  #isAsking = false;
  #retry: Timer | undefined;
  #stopped: boolean;

  constructor({ store, clock, log, keepSequence }: SequenceOptions, { revision, records }: StoreSnapshot) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#stopped = keepSequence !== true;
    const stored = records.find(({ key }) => key === SEQUENCE_KEY)?.value as StoredSequence | undefined;
    this.first = Math.max(revision, stored?.upTo ?? 0);
    this.#reserved = this.first;
  }

  /** The sequence has come so far. */
  reached(sequence: number): void {
    if (this.#reserved - sequence > SPAN / 2 || this.#isAsking || this.#stopped) return;
    this.#isAsking = true;
    void this.#ask(sequence + SPAN);
  }

  /** Ask for nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  async #ask(upTo: number): Promise<void> {
    const value: StoredSequence = { upTo };
    try {
      await this.#store.commit([{ key: SEQUENCE_KEY, value }]);
      this.#reserved = upTo;
      this.#isAsking = false;
    } catch (error) {
      if (this.#stopped) return;
      this.#log.warn({ err: error }, 'sequence numbers could not be reserved; will try again');
      this.#retry = this.#clock.after(RETRY_MS, () => void this.#ask(upTo));
    }
  }
}
