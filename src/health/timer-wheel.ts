// timer-wheel.ts -- many timers over one: a hashed wheel (Varghese and Lauck, scheme 6)
//
// Time is cut into ticks, counted from when the wheel was made, so that nothing adds up to a drift. A timer hangs in
// the slot `tick % slots` with its absolute tick; those of later rounds are passed over. Only the next slot that holds
// something has a real timer.

import type { Clock, Timer } from '../base/clock.ts';

export interface TimerWheelOptions {
  /** Resolution: a timer fires up to so much after its time, never before. Default 10. */
  readonly tickMs?: number;
  /** Ticks in a round; a power of two. Default 1024. */
  readonly slots?: number;
  /** Callbacks in a row before others get a turn. Default 256. */
  readonly slice?: number;
}

/** A place in a list that runs in a circle; alone, it points at itself. */
interface Link {
  before: Link;
  after: Link;
}

interface Entry extends Link {
  readonly tick: number;
  readonly callback: () => void;
}

/** Setting and taking back a timer costs the same however many there are. */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #mask: number;
  readonly #slice: number;
  readonly #originMs: number;
  readonly #slots: Link[];
  /** What is due and has not fired yet, oldest first as far as one round goes. */
  readonly #due = newList();
  #size = 0;
  /** The slots of all ticks up to this one hold nothing that is due. */
  #tick = -1;
  #armed: Timer | undefined;
  /** When the real timer fires; no timer is earlier than -Infinity: a turn is under way or goes on soon. */
  #armedTick = Number.POSITIVE_INFINITY;
  #stallMs = 0;

  constructor(clock: Clock, options: TimerWheelOptions = {}) {
    const { tickMs = 10, slots = 1024, slice = 256 } = options;
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#mask = slots - 1;
    this.#slice = slice;
    this.#originMs = clock.monotonicMs();
    this.#slots = Array.from({ length: slots }, newList);
  }

  /** Timers that are set. */
  get size(): number {
    return this.#size;
  }

  /**
   * Within a callback: how late the turn is that it belongs to, in milliseconds. More than the resolution means that
   * the event loop was held up, or the whole process.
   */
  get stallMs(): number {
    return this.#stallMs;
  }

  /** Call `callback` once, `delayMs` from now; timers for one tick fire in the order in which they were set. */
  after(delayMs: number, callback: () => void): Timer {
    const nowMs = this.#clock.monotonicMs();
    if (this.#armedTick === Number.POSITIVE_INFINITY) this.#tick = this.#tickAt(nowMs) - 1;
    const due = Math.ceil((nowMs + Math.max(0, delayMs) - this.#originMs) / this.#tickMs);
    const entry = newEntry(Math.max(due, this.#tick + 1), callback);
    link(entry, this.#slots[entry.tick & this.#mask]!);
    this.#size++;
    if (entry.tick < this.#armedTick) this.#arm(entry.tick);
    return { cancel: () => this.#cancel(entry) };
  }

  #cancel(entry: Entry): void {
    if (!unlink(entry)) return;
    this.#size--;
    if (this.#size === 0 && this.#armed !== undefined) this.#disarm();
  }

  #tickAt(nowMs: number): number {
    return Math.floor((nowMs - this.#originMs) / this.#tickMs);
  }

  #arm(tick: number): void {
    this.#disarm();
    this.#armedTick = tick;
    const dueMs = this.#originMs + tick * this.#tickMs;
    this.#armed = this.#clock.after(Math.max(0, dueMs - this.#clock.monotonicMs()), () => {
      this.#stallMs = Math.max(0, this.#clock.monotonicMs() - dueMs);
      this.#turn();
    });
  }

  #disarm(): void {
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
  }

  /** Fire what is due, but no more than a slice of it; the rest goes on in a moment. */
  #turn(): void {
    this.#armed = undefined;
    this.#armedTick = Number.NEGATIVE_INFINITY;
    this.#collect();
    try {
      for (let left = this.#slice; left > 0 && this.#due.after !== this.#due; left--) {
        const entry = this.#due.after as Entry;
        unlink(entry);
        this.#size--;
        entry.callback();
      }
    } finally {
      if (this.#due.after !== this.#due) this.#armed = this.#clock.after(0, () => this.#turn());
      else if (this.#size > 0) this.#arm(this.#nextTick());
      else this.#disarm();
    }
  }

  /** Move everything that is due out of the slots: each is looked at once, however long ago the last turn was. */
  #collect(): void {
    const now = this.#tickAt(this.#clock.monotonicMs());
    for (let tick = Math.max(this.#tick + 1, now - this.#mask); tick <= now; tick++) {
      const list = this.#slots[tick & this.#mask]!;
      for (let at = list.after; at !== list; ) {
        const entry = at as Entry;
        at = at.after;
        if (entry.tick > now) continue;
        unlink(entry);
        link(entry, this.#due);
      }
    }
    this.#tick = Math.max(this.#tick, now);
  }

  /** The tick of the next slot that holds something; it may turn out to hold only timers of later rounds. */
  #nextTick(): number {
    let tick = this.#tick + 1;
    while (this.#slots[tick & this.#mask]!.after === this.#slots[tick & this.#mask]) tick++;
    return tick;
  }
}

function newList(): Link {
  const list = {} as Link;
  list.before = list;
  list.after = list;
  return list;
}

function newEntry(tick: number, callback: () => void): Entry {
  const entry = { tick, callback } as Entry;
  entry.before = entry;
  entry.after = entry;
  return entry;
}

/** Put `entry` at the end of the list. */
function link(entry: Link, list: Link): void {
  entry.before = list.before;
  entry.after = list;
  list.before.after = entry;
  list.before = entry;
}

/** Take out of its list; false when it is in none. */
function unlink(entry: Link): boolean {
  if (entry.after === entry) return false;
  entry.before.after = entry.after;
  entry.after.before = entry.before;
  entry.before = entry;
  entry.after = entry;
  return true;
}
