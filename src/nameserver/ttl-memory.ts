// ttl-memory.ts -- how long answers that are out already may live in caches

import type { ServiceState } from '../registry/change.ts';
import type { DomainSettings } from './domain-names.ts';

interface Remembered {
  ttlSeconds: number;
  /** Until when answers with the larger TTL of before may live, in the caller's milliseconds. */
  largerUntilMs: number;
}

/** Remembers, for each service, the TTL of its records and when the last larger one has died out. */
export class TtlMemory {
  readonly #services = new Map<string, Remembered>();

  /** Note a service's TTL at `nowMs`; call for every change that may have moved it. */
  note(service: ServiceState, domains: readonly DomainSettings[], nowMs: number): void {
    const ttlSeconds = largestTtlSeconds(service, domains);
    const known = this.#services.get(service.name);
    if (known === undefined) {
      this.#services.set(service.name, { ttlSeconds, largerUntilMs: nowMs });
      return;
    }
    if (ttlSeconds < known.ttlSeconds) {
      known.largerUntilMs = Math.max(known.largerUntilMs, nowMs + known.ttlSeconds * 1000);
    }
    known.ttlSeconds = ttlSeconds;
  }

  /** The service is gone. */
  forget(service: string): void {
    this.#services.delete(service);
  }

  /** Seconds from `nowMs` until no answer given so far is in any cache that honours TTLs. */
  inForceSeconds(service: string, nowMs: number): number {
    const known = this.#services.get(service);
    if (known === undefined) return 0;
    return Math.max(known.ttlSeconds, Math.ceil((known.largerUntilMs - nowMs) / 1000), 0);
  }
}

function largestTtlSeconds(service: ServiceState, domains: readonly DomainSettings[]): number {
  if (service.policy?.ttlSeconds !== undefined) return service.policy.ttlSeconds;
  let largest = domains.reduce((max, domain) => Math.max(max, domain.ttlSeconds), 0);
  for (const { instance } of service.instances.values()) largest = Math.max(largest, instance.ttlSeconds ?? 0);
  return largest;
}
