// ttl-memory.ts -- how long answers that are out already may live in caches

import type { ServiceState } from '../registry/change.ts';
import type { Instance } from '../registry/instance.ts';
import type { DomainSettings } from './domain-names.ts';

/** Only what makes a difference to how long records live. */
type Timed = Pick<Instance, 'id' | 'service' | 'ttlSeconds'>;

/** When so many are kept, those that have died out are looked for. */
const MANY = 1024;

/** Remembers the TTLs of services and instances, and when the last larger one has died out. Times are the caller's. */
export class TtlMemory {
  readonly #services = new Map<
    string,
    { readonly policySeconds: number | undefined; readonly othersSeconds: number }
  >();
  /** By `service` or `service/id`: until when answers with a larger TTL of before may live. */
  readonly #largerUntilMs = new Map<string, number>();
  #purgeAt = MANY;

  /** How many larger ones are kept; some may have died out. */
  get remembered(): number {
    return this.#largerUntilMs.size;
  }

  /** Does a change of this instance leave the TTLs of its service as they are? */
  isUnmoved(service: string, before: Timed | undefined, after: Timed | undefined): boolean {
    return this.#services.has(service) && before?.ttlSeconds === undefined && after?.ttlSeconds === undefined;
  }

  /** Note a service's TTLs at `nowMs`; call for every change that may have moved them. */
  noteService(service: ServiceState, domains: readonly DomainSettings[], nowMs: number): void {
    const { name, policy } = service;
    const before = this.#services.get(name);
    const after = { policySeconds: policy?.ttlSeconds, othersSeconds: largestTtlSeconds(service, domains) };
    this.#services.set(name, after);
    if (before === undefined) return;
    const largest = before.policySeconds ?? before.othersSeconds;
    if ((after.policySeconds ?? after.othersSeconds) < largest) this.#wasLarger(name, nowMs + largest * 1000, nowMs);
  }

  /** Note that an instance changed, or went: `before` is as it was. Comes before `noteService` for the same change. */
  noteInstance(before: Timed, after: Timed | undefined, nowMs: number): void {
    const seconds = this.#seconds(before);
    if (after !== undefined && this.#seconds(after) >= seconds) return;
    this.#wasLarger(keyOf(before), nowMs + seconds * 1000, nowMs);
  }

  /** The service is gone; its answers may live on. */
  forget(service: string, nowMs: number): void {
    const known = this.#services.get(service);
    this.#services.delete(service);
    if (known === undefined) return;
    this.#wasLarger(service, nowMs + (known.policySeconds ?? known.othersSeconds) * 1000, nowMs);
  }

  /** Seconds from `nowMs` until no answer given so far that holds this instance is in any cache that honours TTLs. */
  inForceSeconds(instance: Timed, nowMs: number): number {
    const largerUntilMs = Math.max(
      this.#largerUntilMs.get(instance.service) ?? nowMs,
      this.#largerUntilMs.get(keyOf(instance)) ?? nowMs,
    );
    return Math.max(this.#seconds(instance), Math.ceil((largerUntilMs - nowMs) / 1000));
  }

  /** The most that the TTL of a record set with this instance in it can be: the least of its instances' counts. */
  #seconds({ service, ttlSeconds }: Timed): number {
    const { policySeconds, othersSeconds = 0 } = this.#services.get(service) ?? {};
    return policySeconds ?? ttlSeconds ?? othersSeconds;
  }

  #wasLarger(key: string, untilMs: number, nowMs: number): void {
    this.#largerUntilMs.set(key, Math.max(this.#largerUntilMs.get(key) ?? 0, untilMs));
    if (this.#largerUntilMs.size < this.#purgeAt) return;
    for (const [each, until] of this.#largerUntilMs) if (until <= nowMs) this.#largerUntilMs.delete(each);
    this.#purgeAt = Math.max(MANY, this.#largerUntilMs.size * 2);
  }
}

function keyOf({ service, id }: Timed): string {
  return `${service}/${id}`;
}

/** The TTL of an instance without its own: the domain's, or that of others it stands beside. */
function largestTtlSeconds(service: ServiceState, domains: readonly DomainSettings[]): number {
  let largest = domains.reduce((max, domain) => Math.max(max, domain.ttlSeconds), 0);
  for (const { instance } of service.instances.values()) largest = Math.max(largest, instance.ttlSeconds ?? 0);
  return largest;
}
