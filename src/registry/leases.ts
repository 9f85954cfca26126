// leases.ts -- who has a lease and until when, over restarts
//
// After a restart a lease has what was left of it when it was last stored (lease-saver.ts), and a second more: that is
// how far the time may have been stored ahead, and how old the last heartbeat stored may be. The second is given, not
// stored, so it does not add up over restarts. Hence
//   - an instance that sends a heartbeat every third of its leaseTtl keeps its lease over a restart, and over any number
//     of them between which one of its heartbeats was stored;
//   - one that sends none is gone after its leaseTtl and a second of server time, however many restarts cut it up.

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { LeaseBook, Leaseholder } from './lease-book.ts';
import { LeaseClock } from './lease-clock.ts';
import { pageOf, registrationMark, type SavedLease, unpackLeases } from './lease-pages.ts';
import { LeaseSaver, SAVE_EVERY_MS } from './lease-saver.ts';
import { LeaseTimers } from './lease-timers.ts';
import type { Store } from './store.ts';
import type { StoredEntry } from './stored.ts';

const GRACE_MS = SAVE_EVERY_MS;

export interface LeasesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onExpired: (id: string) => void;
}

/** Stands still until `open`. */
export class Leases implements LeaseBook {
  readonly #time: LeaseClock;
  readonly #timers: LeaseTimers;
  readonly #saver: LeaseSaver;
  readonly #restored = new Map<string, SavedLease>();
  #isRestoring = true;

  constructor({ store, clock, log, onExpired }: LeasesOptions) {
    this.#time = new LeaseClock(clock);
    this.#timers = new LeaseTimers(this.#time, onExpired);
    this.#saver = new LeaseSaver({ store, time: this.#time, log });
  }

  /**
   * Take what an earlier start stored, before the instances that it speaks of. Tells whether the entry is of leases at
   * all; one that comes after `endRestoring` is our own and changes nothing.
   */
  restore(entry: StoredEntry): boolean {
    if (entry.kind !== 'leases' && entry.kind !== 'lease-clock') return false;
    if (!this.#isRestoring || entry.value === undefined) return true;
    this.#saver.noteStored();
    if (entry.kind === 'lease-clock') this.#time.startAt(entry.value.upMs);
    else for (const [id, lease] of unpackLeases(entry.value.leases)) this.#restored.set(id, lease);
    return true;
  }

  /** Everything that was stored is here: what is left belongs to nobody. Resolves when this start is stored too. */
  async endRestoring(): Promise<void> {
    for (const id of this.#restored.keys()) this.#saver.discard(pageOf(id));
    this.#restored.clear();
    this.#isRestoring = false;
    await this.#saver.begin();
  }

  /** Heartbeats are taken from now on: the time runs. */
  open(): void {
    this.#time.open();
    this.#saver.open();
  }

  /** Start or renew the instance's lease, or end it when it is to have none. Returns its end in `Clock.wallMs` time. */
  renew({ instance: { id, leaseTtlMs }, registeredAtMs, isStatic }: Leaseholder): number | undefined {
    const restored = this.#restored.get(id);
    if (restored !== undefined) this.#restored.delete(id);
    if (leaseTtlMs === undefined) {
      this.drop(id);
      if (restored !== undefined) this.#saver.discard(pageOf(id));
      return undefined;
    }
    const nowMs = this.#time.monotonicMs();
    const registered = registrationMark(registeredAtMs);
    if (restored?.registered === registered) {
      this.#saver.keepAsStored(id, restored);
      return this.#timers.renew(id, Math.min(leaseTtlMs, restored.expiresAtMs - nowMs + GRACE_MS));
    }
    if (!isStatic) this.#saver.keep(id, { expiresAtMs: nowMs + leaseTtlMs, registered });
    return this.#timers.renew(id, leaseTtlMs);
  }

  /** Is a lease running? */
  has(id: string): boolean {
    return this.#timers.has(id);
  }

  /** These run out by this node's own time, and never too early. */
  isHeard(): boolean {
    return false;
  }

  /** The instance is gone, or has no lease any more. */
  drop(id: string): void {
    this.#timers.drop(id);
    this.#saver.forget(id);
  }

  /** No lease runs out from now on. Resolves when what is left of them is stored, or cannot be. */
  async stop(): Promise<void> {
    this.#timers.stop();
    await this.#saver.stop();
  }
}
