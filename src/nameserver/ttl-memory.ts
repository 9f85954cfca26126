// ttl-memory.ts -- how long answers that are out already may live in caches

import type { ServiceState } from '../registry/change.ts';
import type { DomainSettings } from './domain-names.ts';

/** Remembers, for each service, the TTL of its records and when the last larger one has died out. */
export class TtlMemory {
  readonly #ttlSeconds = new Map<string, number>();
  /** Until when answers with a larger TTL of before may live, in the caller's milliseconds; of services that had one. */
  readonly #largerUntilMs = new Map<string, number>();

  /** Note a service's TTL at `nowMs`; call for every change that may have moved it. */
  note(service: ServiceState, domains: readonly DomainSettings[], nowMs: number): void {
    const { name } = service;
    const ttlSeconds = largestTtlSeconds(service, domains);
    const before = this.#ttlSeconds.get(name) ?? 0;
    if (ttlSeconds < before) {
      this.#largerUntilMs.set(name, Math.max(this.#largerUntilMs.get(name) ?? 0, nowMs + before * 1000));
    }
    this.#ttlSeconds.set(name, ttlSeconds);
  }

  /** The service is gone. */
  forget(service: string): void {
    this.#ttlSeconds.delete(service);
    this.#largerUntilMs.delete(service);
  }

  /** Seconds from `nowMs` until no answer given so far is in any cache that honours TTLs. */
  inForceSeconds(service: string, nowMs: number): number {
    const ttlSeconds = this.#ttlSeconds.get(service) ?? 0;
    const largerUntilMs = this.#largerUntilMs.get(service) ?? nowMs;
    return Math.max(ttlSeconds, Math.ceil((largerUntilMs - nowMs) / 1000));
  }
}

function largestTtlSeconds(service: ServiceState, domains: readonly DomainSettings[]): number {
  if (service.policy?.ttlSeconds !== undefined) return service.policy.ttlSeconds;
  let largest = domains.reduce((max, domain) => Math.max(max, domain.ttlSeconds), 0);
  for (const { instance } of service.instances.values()) largest = Math.max(largest, instance.ttlSeconds ?? 0);
  return largest;
}
