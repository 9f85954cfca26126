// service-places.ts -- which place in the counters a service has: the first thousand their own, the rest a common one

import { SERVICE_PLACES } from './query-counters.ts';

const OTHER = SERVICE_PLACES - 1;

/** Numbers services in order of first appearance. Places are never given back, so a count keeps its meaning. */
export class ServicePlaces {
  readonly #places = new Map<string, number>();
  readonly #names: string[] = [];

  /** The place of a service. */
  of(service: string): number {
    const known = this.#places.get(service);
    if (known !== undefined) return known;
    if (this.#names.length >= OTHER) return OTHER;
    this.#places.set(service, this.#names.length);
    return this.#names.push(service) - 1;
  }

  /** The label of a service in metrics: its name, or `other` when it has no place of its own. */
  labelOf(service: string): string {
    return this.nameOf(this.of(service));
  }

  /** The name to show for a place. */
  nameOf(place: number): string {
    return this.#names[place] ?? 'other';
  }
}
