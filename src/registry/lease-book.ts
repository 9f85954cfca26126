// lease-book.ts -- what the registry needs of its leases: by this node's own time, or by that of a store that is shared

import type { StoredEntry } from './stored.ts';

/** What the leases must know of an instance. */
export interface Leaseholder {
  readonly instance: { readonly id: string; readonly leaseTtlMs?: number };
  readonly registeredAtMs: number;
  /** Nothing is stored of instances from the configuration: they have no lease before their first heartbeat. */
  readonly isStatic: boolean;
}

export interface LeaseBook {
  /** Take what an earlier start stored. Tells whether the entry is of leases at all. */
  restore(entry: StoredEntry): boolean;
  /** Everything that was stored is here. */
  endRestoring(): Promise<void>;
  /** Heartbeats are taken from now on. */
  open(): void;
  /** Start or renew an instance's lease, or end it when it is to have none. Returns its end in `Clock.wallMs` time. */
  renew(holder: Leaseholder): number | undefined;
  /** Is there nothing to begin when the store tells of the instance? */
  has(id: string): boolean;
  /** Where the store lets go: was the instance heard of here within its lease? */
  isHeard(id: string): boolean;
  /** The instance is gone, or has no lease any more. */
  drop(id: string): void;
  stop(): Promise<void>;
}
