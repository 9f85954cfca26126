// ttl-notes.ts -- keeps the memory of TTLs up to date with registry and configuration

import type { Clock } from '../base/clock.ts';
import type { DomainSettings } from '../nameserver/domain-names.ts';
import { TtlMemory } from '../nameserver/ttl-memory.ts';
import type { Change, ServiceState } from '../registry/change.ts';
import type { Instance } from '../registry/instance.ts';

export interface TtlNotesOptions {
  readonly clock: Clock;
  domains(): readonly DomainSettings[];
  service(name: string): ServiceState | undefined;
}

export class TtlNotes {
  readonly #memory = new TtlMemory();
  readonly #options: TtlNotesOptions;

  constructor(options: TtlNotesOptions) {
    this.#options = options;
  }

  /** At a start, and when the domains may have changed. */
  noteAll(services: Iterable<ServiceState>): void {
    const domains = this.#options.domains();
    for (const service of services) this.#memory.noteService(service, domains, this.#nowMs);
  }

  /** A change, as the registry tells it. */
  note({ kind, service: name, instance, before }: Change): void {
    if (kind === 'health') return;
    const earlier = (kind === 'deregister' ? instance : before)?.instance;
    const later = kind === 'deregister' ? undefined : instance?.instance;
    if (kind !== 'policy' && this.#memory.isUnmoved(name, earlier, later)) return;
    if (earlier !== undefined) this.#memory.noteInstance(earlier, later, this.#nowMs);
    const service = this.#options.service(name);
    if (service === undefined) this.#memory.forget(name, this.#nowMs);
    else this.#memory.noteService(service, this.#options.domains(), this.#nowMs);
  }

  /** Seconds until no resolver that keeps to TTLs has an answer of so far with this instance in it. */
  inForceSeconds(instance: Instance): number {
    return this.#memory.inForceSeconds(instance, this.#nowMs);
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
