// schedule.ts -- when a check runs next: intervals with jitter, and the timers behind them
//
// Everything the monitor knows about timers is here, so that one timer per check can become a timer wheel without
// anyone noticing.

import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

/**
 * Delay before the first probe: none, or with `spread` anywhere in [0, intervalMs), so that a bulk load does not
 * knock on ten thousand doors at once, now and in every later period.
 */
export function firstDelayMs(intervalMs: number, spread: boolean, random: Random): number {
  return spread ? intervalMs * random.next() : 0;
}

/** One period: uniform in intervalMs x [1 - jitter, 1 + jitter), drawn anew each time so that checks drift apart. */
export function periodMs(intervalMs: number, jitter: number, random: Random): number {
  return intervalMs * (1 + jitter * (2 * random.next() - 1));
}

/** Timers of all checks. */
export class Schedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #jitter: number;

  /** `jitter` is a fraction of the interval, 0 <= jitter < 1. */
  constructor(clock: Clock, random: Random, jitter: number) {
    this.#clock = clock;
    this.#random = random;
    this.#jitter = jitter;
  }

  /** Call once for the first probe of a check. */
  first(intervalMs: number, spread: boolean, callback: () => void): Timer {
    return this.exactly(firstDelayMs(intervalMs, spread, this.#random), callback);
  }

  /**
   * Call once for the probe after the one that began at `startedMs` (monotonic). Periods run from start to start,
   * so a slow probe does not stretch the time it takes to notice a failure; one that outlasts its period is followed
   * at once.
   */
  next(intervalMs: number, startedMs: number, callback: () => void): Timer {
    const dueMs = startedMs + periodMs(intervalMs, this.#jitter, this.#random);
    return this.exactly(Math.max(0, dueMs - this.#clock.monotonicMs()), callback);
  }

  /** Call once after `delayMs`, without jitter. */
  exactly(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(Math.min(delayMs, LONGEST_TIMER_MS), callback);
  }
}

/** Node fires a longer timer at once; 24 days are long enough for any period to count as "later". */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
