// bulk-pace.ts -- tells a bulk load from single registrations: which first probes may be made at once

import type { Clock } from '../base/clock.ts';

/** So many checks at once are no bulk load yet. */
const BURST = 100;
/** Checks a second that never are. */
const LEAST_PER_SECOND = 20;

/**
 * A bucket of first probes. It fills as fast as checks are probed anyway, so that first probes at most double the
 * rate; what finds it empty belongs to a bulk load.
 */
export class BulkPace {
  readonly #clock: Clock;
  #level = BURST;
  #atMs: number;
  #perMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** A check with this interval is probed from now on. */
  add(intervalMs: number): void {
    this.#perMs += 1 / intervalMs;
  }

  /** It is probed no more. */
  remove(intervalMs: number): void {
    this.#perMs = Math.max(0, this.#perMs - 1 / intervalMs);
  }

  /** May a first probe be made at once? */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const perMs = Math.max(this.#perMs, LEAST_PER_SECOND / 1000);
    this.#level = Math.min(BURST, this.#level + (nowMs - this.#atMs) * perMs);
    this.#atMs = nowMs;
    if (this.#level < 1) return false;
    this.#level--;
    return true;
  }
}
