// name-index.ts -- which tags and addresses exist at all, whatever the status of their instances
//
// Existence decides between NODATA and NXDOMAIN, so it must be known without looking through the services. The index
// is the same for every domain.

import { type IpAddress, parseIp } from '../base/ip.ts';
import type { AnsweringInstance } from '../registry/member.ts';
import { addressLabel } from './address-label.ts';

/** An address that some instance has. */
export interface IndexedAddress {
  readonly address: IpAddress;
  /** By id. */
  readonly instances: Map<string, AnsweringInstance>;
}

/** Counts tags and addresses as instances come and go. */
export class NameIndex {
  readonly #instances = new Map<string, AnsweringInstance>();
  readonly #tags = new Map<string, number>();
  readonly #addresses = new Map<string, IndexedAddress>();

  /**
   * An instance was registered or replaced. Returns the other services that have its address: what was kept of them
   * may hold the address with a TTL that is no longer the least.
   */
  put(instance: AnsweringInstance): string[] {
    this.remove(instance.id);
    this.#instances.set(instance.id, instance);
    for (const tag of instance.tags) this.#tags.set(tag, (this.#tags.get(tag) ?? 0) + 1);
    const address = parseIp(instance.address);
    if (address === undefined) return [];
    const label = addressLabel(address);
    const known = this.#addresses.get(label);
    if (known === undefined) {
      this.#addresses.set(label, { address, instances: new Map([[instance.id, instance]]) });
      return [];
    }
    known.instances.set(instance.id, instance);
    const services = new Set(Array.from(known.instances.values(), ({ service }) => service));
    services.delete(instance.service);
    return [...services];
  }

  /** An instance is gone. */
  remove(id: string): void {
    const instance = this.#instances.get(id);
    if (instance === undefined) return;
    this.#instances.delete(id);
    for (const tag of instance.tags) {
      const left = this.#tags.get(tag)! - 1;
      if (left === 0) this.#tags.delete(tag);
      else this.#tags.set(tag, left);
    }
    const address = parseIp(instance.address);
    const indexed = address === undefined ? undefined : this.#addresses.get(addressLabel(address));
    if (indexed === undefined) return;
    indexed.instances.delete(id);
    if (indexed.instances.size === 0) this.#addresses.delete(addressLabel(indexed.address));
  }

  get hasInstances(): boolean {
    return this.#instances.size > 0;
  }

  get hasAddresses(): boolean {
    return this.#addresses.size > 0;
  }

  hasTag(tag: string): boolean {
    return this.#tags.has(tag);
  }

  /** The address behind a label below `addr.D`. */
  address(label: string): IndexedAddress | undefined {
    return this.#addresses.get(label);
  }
}
