// fake-clock.ts -- a Clock that stands still until a test moves it

import type { Clock, Timer } from '../../src/base/clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Time that only `advance` moves. Timers fire in the order they are due, those due together in the order set. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #pending: Pending[] = [];

  constructor(wallStartMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = wallStartMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), callback, cancelled: false };
    this.#pending.splice(this.#indexAfter(entry.dueMs), 0, entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  afterTurn(callback: () => void): void {
    this.after(0, callback);
  }

  /** Timers that are set and not cancelled. */
  get pendingCount(): number {
    return this.#pending.filter((entry) => !entry.cancelled).length;
  }

  /** Set the wall clock forward or back, as an operator or NTP would; monotonic time does not notice. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Let `ms` pass without firing anything, as when something holds up the event loop: `advance` fires it late. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Move time on by `ms`, firing what falls due on the way; promises settle after each timer and at the end. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#takeDue(untilMs); next !== undefined; next = this.#takeDue(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #takeDue(untilMs: number): Pending | undefined {
    while (this.#pending[0]?.cancelled) this.#pending.shift();
    const first = this.#pending[0];
    return first !== undefined && first.dueMs <= untilMs ? this.#pending.shift() : undefined;
  }

  #indexAfter(dueMs: number): number {
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pending[middle]!.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Let every promise that can settle without time or I/O do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
