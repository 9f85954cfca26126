// shared-leases.ts -- leases that the store keeps for all nodes: whoever gets a heartbeat renews, and the store lets go
//
// The registration itself goes by itself when nobody renews it, so it makes no difference which node gets heartbeats and
// which of them dies. While the store is silent nothing can be renewed or let go there; then a node takes out of its own
// answers whom it heard from last and does not any more.

import type { Clock, Timer } from '../base/clock.ts';
import type { LeaseBook, Leaseholder } from './lease-book.ts';
import type { SharedStore } from './store.ts';
import { SHARED_GRACE_MS, storedKey } from './stored.ts';

/** Without news of the store for so long this node goes by what it hears itself. */
const ALONE_AFTER_MS = 5_000;
const LOOK_MS = 1_000;

export interface SharedLeasesOptions {
  readonly shared: SharedStore;
  readonly clock: Clock;
  /** Its lease ran out, as far as can be known here; it may be wrong. */
  readonly onSilent: (id: string) => void;
  /** The store is heard of again: what it tells holds, and the instance is still there. */
  readonly onHeard: (id: string) => void;
}

export class SharedLeases implements LeaseBook {
  readonly #options: SharedLeasesOptions;
  /** Ends of the leases that were renewed here, in `Clock.monotonicMs` time. */
  readonly #ends = new Map<string, number>();
  readonly #silent = new Set<string>();
  #timer: Timer | undefined;

  constructor(options: SharedLeasesOptions) {
    this.#options = options;
  }

  restore({ kind }: { readonly kind: string }): boolean {
    return kind === 'leases' || kind === 'lease-clock';
  }

  async endRestoring(): Promise<void> {}

  open(): void {
    this.#look();
  }

  renew({ instance: { id, leaseTtlMs } }: Leaseholder): number | undefined {
    if (leaseTtlMs === undefined) {
      this.drop(id);
      return undefined;
    }
    const { shared, clock } = this.#options;
    shared.renew(storedKey('instance', id));
    this.#silent.delete(id);
    this.#ends.set(id, clock.monotonicMs() + leaseTtlMs + SHARED_GRACE_MS);
    return clock.wallMs() + leaseTtlMs;
  }

  has(): boolean {
    return true;
  }

  isHeard(id: string): boolean {
    const endMs = this.#ends.get(id);
    // Not the grace: the store may have been told of heartbeats up to half a second before the last.
    return endMs !== undefined && endMs - SHARED_GRACE_MS > this.#options.clock.monotonicMs();
  }

  drop(id: string): void {
    this.#ends.delete(id);
    this.#silent.delete(id);
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  #look(): void {
    const { shared, clock, onSilent, onHeard } = this.#options;
    const silentMs = shared.silentMs();
    const nowMs = clock.monotonicMs();
    if (silentMs > ALONE_AFTER_MS) {
      for (const [id, endMs] of this.#ends) {
        if (endMs > nowMs || this.#silent.has(id)) continue;
        this.#silent.add(id);
        onSilent(id);
      }
    } else if (this.#silent.size > 0) {
      const ids = [...this.#silent];
      this.#silent.clear();
      for (const id of ids) onHeard(id);
    } else {
      // Another node gets its heartbeats by now, or the store lets it go.
      for (const [id, endMs] of this.#ends) if (endMs + LOOK_MS < nowMs) this.#ends.delete(id);
    }
    this.#timer = clock.after(LOOK_MS, () => this.#look());
  }
}
