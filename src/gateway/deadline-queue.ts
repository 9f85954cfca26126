// deadline-queue.ts -- many things that are all given the same time: one timer, and nothing made for each of them

import type { Clock, Timer } from '../base/clock.ts';

/** What is in a queue says itself where it stands in it; in one queue at a time. */
export interface Timed {
  dueMs: number;
  earlier: Timed | undefined;
  later: Timed | undefined;
  queue: DeadlineQueue | undefined;
  /** Its time is over; it is not in the queue any more. */
  expired(nowMs: number): void;
}

/** First in, first due: to add and to remove are a few assignments. */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #delayMs: number;
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** From `nowMs` on, which never goes back. It leaves the queue in which it is. */
  add(timed: Timed, nowMs: number): void {
    timed.queue?.remove(timed);
    timed.queue = this;
    timed.dueMs = nowMs + this.#delayMs;
    timed.earlier = this.#last;
    if (this.#last === undefined) this.#first = timed;
    else this.#last.later = timed;
    this.#last = timed;
    this.#timer ??= this.#clock.after(this.#delayMs, this.#fire);
  }

  /** Nothing happens when it is in no queue or another. */
  remove(timed: Timed): void {
    if (timed.queue !== this) return;
    const { earlier, later } = timed;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    timed.earlier = undefined;
    timed.later = undefined;
    timed.queue = undefined;
  }

  /** No timer is left; what is in the queue never falls due. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The timer was set for one that may be gone by now: it goes on with the one that is first. */
  readonly #fire = (): void => {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    // What comes in meanwhile is due later.
    for (let first = this.#first; first !== undefined && first.dueMs <= nowMs + EARLY_MS; first = this.#first) {
      this.remove(first);
      first.expired(nowMs);
    }
    if (this.#first === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.after(Math.max(0, this.#first.dueMs - this.#clock.monotonicMs()), this.#fire);
  };
}

/** Timers count whole milliseconds, and may come a little early. */
const EARLY_MS = 1;
