// idle-watch.ts -- notices that nothing has happened for a while, without a timer for each thing that happens

import type { Clock, Timer } from '../base/clock.ts';

export class IdleWatch {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onIdle: () => void;
  #lastMs: number;
  #timer: Timer;

  constructor(clock: Clock, timeoutMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onIdle = onIdle;
    this.#lastMs = clock.monotonicMs();
    this.#timer = clock.after(timeoutMs, () => this.#check());
  }

  /** Something happened. */
  touch(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  cancel(): void {
    this.#timer.cancel();
  }

  #check(): void {
    const leftMs = this.#lastMs + this.#timeoutMs - this.#clock.monotonicMs();
    if (leftMs <= 0) this.#onIdle();
    else this.#timer = this.#clock.after(leftMs, () => this.#check());
  }
}
