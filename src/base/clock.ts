// clock.ts -- the only source of time below the I/O floor
//
// Nothing under `net/` reads a clock or sets a timer itself: it is handed a Clock, so that a test can hold time
// still and move it. Durations and deadlines use `monotonicMs`, which never jumps; `wallMs` is for people, logs and
// protocols that put a date on the wire.

/** A timer that was set and can be taken back. */
export interface Timer {
  /** Take the timer back; harmless when it has fired already. */
  cancel(): void;
}

/** Time as seen by the whole program. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump when the machine's clock is set. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start, the same for all threads; never goes back and ignores clock changes. */
  monotonicMs(): number;
  /** Call `callback` once, `delayMs` (>= 0) from now. A timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Call `callback` once, when whatever waits in sockets at this moment has been read. */
  afterTurn(callback: () => void): void;
}

/** `performance.now` begins anew in every thread; hrtime has one beginning for all. */
const THREAD_STARTED_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The machine's own clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => THREAD_STARTED_MS + performance.now(),
  after(delayMs, callback) {
    let handle: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, MAX_TIMEOUT_MS);
      handle = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : callback()), stepMs);
      handle.unref();
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  // Timers come first in a turn of the event loop, then sockets, then this.
  afterTurn: (callback) => void setImmediate(callback),
};

/** About 25 days: setTimeout fires at once when it is given more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** RFC 3339 text, UTC, with milliseconds, of a `wallMs` reading. */
export function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
