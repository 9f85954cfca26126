// lease-clock.ts -- the time by which leases run: only that in which a heartbeat could have come
//
// A lease is a promise to send heartbeats, so time in which none could be taken does not count against it: while the
// server is down or not ready, while the process is stopped, while its event loop is held up. The time goes on where
// the server before stopped (see stored.ts), so it never runs backwards either.

import type { Clock, Timer } from '../base/clock.ts';

/** How often the clock is looked at while leases run. */
const LOOK_MS = 250;
/** A look that comes this much too late was held up; less than that is the ordinary life of a busy process. */
const STALL_MS = 250;

/** Stands still until `open`. */
export class LeaseClock implements Clock {
  readonly #clock: Clock;
  /** What to take from the clock's time to have that of the leases. */
  #offsetMs = 0;
  /** Where the time stands; undefined while it runs. */
  #standsAtMs: number | undefined = 0;
  #lookedAtMs = 0;
  #look: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  /** Milliseconds in which heartbeats could come, over all starts of the server. */
  monotonicMs(): number {
    if (this.#standsAtMs !== undefined) return this.#standsAtMs;
    const nowMs = this.#clock.monotonicMs();
    if (this.#look !== undefined) {
      const passedMs = nowMs - this.#lookedAtMs;
      if (passedMs > LOOK_MS + STALL_MS) this.#offsetMs += passedMs - LOOK_MS;
      this.#lookedAtMs = nowMs;
    }
    return nowMs - this.#offsetMs;
  }

  /** In the clock's own time: one that fires may find that the time of the leases has not come as far. */
  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, callback);
  }

  afterTurn(callback: () => void): void {
    this.#clock.afterTurn(callback);
  }

  /** Where an earlier start left off. Only before `open`. */
  startAt(ms: number): void {
    this.#standsAtMs = ms;
  }

  /** Heartbeats are taken from now on. */
  open(): void {
    if (this.#standsAtMs === undefined) return;
    this.#offsetMs = this.#clock.monotonicMs() - this.#standsAtMs;
    this.#standsAtMs = undefined;
  }

  /** Notice from now on when the process is held up; while nobody has a lease, that is not worth a timer. */
  watch(): void {
    if (this.#look !== undefined) return;
    this.#lookedAtMs = this.#clock.monotonicMs();
    this.#lookLater();
  }

  unwatch(): void {
    this.#look?.cancel();
    this.#look = undefined;
  }

  #lookLater(): void {
    this.#look = this.#clock.after(LOOK_MS, () => {
      this.monotonicMs();
      this.#lookLater();
    });
  }
}
