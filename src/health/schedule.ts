// schedule.ts -- when a check runs next: intervals with jitter, kept apart after a stall
//
// One timer wheel carries all checks. After the event loop was held up, everything that fell due meanwhile would run
// in one burst, now and in every later period; it is spread over as much time as the stall took.

import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { TimerWheel } from './timer-wheel.ts';

/**
 * Delay before the first probe of a check in a bulk load: anywhere in [0, intervalMs), so that ten thousand doors are
 * not knocked on at once, now and in every later period.
 */
export function spreadDelayMs(intervalMs: number, random: Random): number {
  return intervalMs * random.next();
}

/** One period: uniform in intervalMs x [1 - jitter, 1 + jitter), drawn anew each time so that checks drift apart. */
export function periodMs(intervalMs: number, jitter: number, random: Random): number {
  return intervalMs * (1 + jitter * (2 * random.next() - 1));
}

/**
 * When a period begins: at the time the probe was due, so that small delays do not add up; at its start when that was
 * later than the resolution explains, so that probes which were put off do not run close upon each other.
 */
export function periodBeginsMs(dueMs: number, startedMs: number): number {
  return startedMs - dueMs <= SMALL_DELAY_MS ? dueMs : startedMs;
}

/**
 * How long a probe is put off that fell due in a stall: anywhere in the time that the stall took, but never more than
 * an interval, so that all which fell due in it only double the pace. Short stalls put nothing off.
 */
export function putOffMs(stallMs: number, intervalMs: number, random: Random): number {
  return stallMs < SHORT_STALL_MS ? 0 : Math.min(stallMs, intervalMs) * random.next();
}

const SMALL_DELAY_MS = 50;
const SHORT_STALL_MS = 500;

/** Timers of all checks. */
export class Schedule {
  /** For what goes by the clock, without jitter. */
  readonly wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #jitter: number;

  /** `jitter` is a fraction of the interval, 0 <= jitter < 1. */
  constructor(clock: Clock, random: Random, jitter: number) {
    this.wheel = new TimerWheel(clock);
    this.#clock = clock;
    this.#random = random;
    this.#jitter = jitter;
  }

  /** Call once, anywhere in the coming `withinMs`; `callback` is told when that was due (monotonic). */
  spread(withinMs: number, callback: (dueMs: number) => void): Timer {
    return this.#at(this.#clock.monotonicMs() + spreadDelayMs(withinMs, this.#random), withinMs, callback);
  }

  /**
   * Call once for the probe after the one whose period began at `beganMs` (monotonic). Periods run from start to
   * start, so a slow probe does not stretch the time it takes to notice a failure; one that outlasts its period is
   * followed at once.
   */
  next(intervalMs: number, beganMs: number, callback: (dueMs: number) => void): Timer {
    return this.#at(beganMs + periodMs(intervalMs, this.#jitter, this.#random), intervalMs, callback);
  }

  #at(dueMs: number, intervalMs: number, callback: (dueMs: number) => void): Timer {
    let timer = this.wheel.after(dueMs - this.#clock.monotonicMs(), () => {
      const delayMs = putOffMs(this.wheel.stallMs, intervalMs, this.#random);
      if (delayMs === 0) callback(dueMs);
      else timer = this.wheel.after(delayMs, () => callback(dueMs));
    });
    return { cancel: () => timer.cancel() };
  }
}
