// lease-timers.ts -- when leases run out, on the monotonic clock
//
// Renewing only moves a number; the timer finds out when it fires that there is time left and sets itself again, so
// a heartbeat costs nothing but a map write. A timer may fire late, with heartbeats waiting in sockets: so one that finds
// no time left lets them be read first and looks again.

import type { Clock, Timer } from '../base/clock.ts';

/** The clock of the leases may stand still; asking it again at once would only burn time. */
const MIN_WAIT_MS = 1;

interface Lease {
  expiresAtMs: number;
  timer: Timer;
  /** It was due before, and what waited in sockets then has been read. */
  isJudged: boolean;
}

/** One timer for each instance with a lease. */
export class LeaseTimers {
  readonly #clock: Clock;
  readonly #onExpired: (id: string) => void;
  readonly #leases = new Map<string, Lease>();

  constructor(clock: Clock, onExpired: (id: string) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Start or renew: the lease runs out `ttlMs` from now. Returns that moment in `Clock.wallMs` time. */
  renew(id: string, ttlMs: number): number {
    const expiresAtMs = this.#clock.monotonicMs() + ttlMs;
    const lease = this.#leases.get(id);
    if (lease === undefined) this.#leases.set(id, { expiresAtMs, timer: this.#arm(id, ttlMs), isJudged: false });
    else {
      // A shorter lease than before must not wait for the old timer.
      if (expiresAtMs < lease.expiresAtMs) {
        lease.timer.cancel();
        lease.timer = this.#arm(id, ttlMs);
      }
      lease.expiresAtMs = expiresAtMs;
      lease.isJudged = false;
    }
    return this.#clock.wallMs() + ttlMs;
  }

  /** Is a lease running? */
  has(id: string): boolean {
    return this.#leases.has(id);
  }

  drop(id: string): void {
    this.#leases.get(id)?.timer.cancel();
    this.#leases.delete(id);
  }

  stop(): void {
    for (const { timer } of this.#leases.values()) timer.cancel();
    this.#leases.clear();
  }

  #arm(id: string, delayMs: number): Timer {
    return this.#clock.after(Math.max(0, delayMs), () => this.#judge(id));
  }

  #judge(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const leftMs = lease.expiresAtMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      lease.timer.cancel();
      lease.timer = this.#arm(id, Math.max(leftMs, MIN_WAIT_MS));
    } else if (!lease.isJudged) {
      lease.isJudged = true;
      this.#clock.afterTurn(() => this.#judge(id));
    } else {
      this.#leases.delete(id);
      this.#onExpired(id);
    }
  }
}
