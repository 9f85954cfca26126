// loop-lag.ts -- how long our own event loop was held up while probes were under way
//
// While the loop stands still, a target's answer lies unread and the probe's timeout goes on. A pulse that comes late
// tells of it. It only beats while there is something to watch over.

import type { Clock, Timer } from '../base/clock.ts';
import type { TimerWheel } from './timer-wheel.ts';

const PULSE_MS = 30;
/** A pulse may be as late as this on a loop that is well. */
const NOISE_MS = 20;

/** Adds up lateness; what it says at two moments differs by the time the loop stood still between them. */
export class LoopLag {
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  #watching = 0;
  #totalMs = 0;
  #dueMs = 0;
  #pulse: Timer | undefined;

  constructor(clock: Clock, wheel: TimerWheel) {
    this.#clock = clock;
    this.#wheel = wheel;
  }

  /** Begin to watch over something; returns a function that ends it and tells how long the loop stood still. */
  watch(): () => number {
    if (this.#watching++ === 0) this.#beat();
    const beforeMs = this.#soFarMs();
    return () => {
      const lagMs = this.#soFarMs() - beforeMs;
      if (--this.#watching === 0) this.#pulse?.cancel();
      return lagMs;
    };
  }

  #beat(): void {
    this.#dueMs = this.#clock.monotonicMs() + PULSE_MS;
    this.#pulse = this.#wheel.after(PULSE_MS, () => {
      this.#totalMs = this.#soFarMs();
      this.#beat();
    });
  }

  /** With the pulse that is overdue: after a stall, a probe's timeout may be heard of before it. */
  #soFarMs(): number {
    const lateMs = this.#clock.monotonicMs() - this.#dueMs;
    return this.#totalMs + (lateMs > NOISE_MS ? lateMs : 0);
  }
}
