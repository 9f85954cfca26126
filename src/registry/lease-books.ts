// lease-books.ts -- which leases a store goes with

import type { LeaseBook } from './lease-book.ts';
import { Leases, type LeasesOptions } from './leases.ts';
import { SharedLeases, type SharedLeasesOptions } from './shared-leases.ts';

/** Leases by this node's own time, or where several nodes share the store by the store's. */
export function openLeaseBook(options: LeasesOptions & Omit<SharedLeasesOptions, 'shared'>): LeaseBook {
  const { shared } = options.store;
  return shared === undefined ? new Leases(options) : new SharedLeases({ ...options, shared });
}
