// name-index.ts -- which tags and addresses exist at all, whatever the status of their instances
//
// Existence decides between NODATA and NXDOMAIN, so it must be known without looking through the services. The index
// is the same for every domain. There is one for each thread that answers, so it holds little more than references.

import { parseIp } from '../base/ip.ts';
import type { AnsweringInstance } from '../registry/member.ts';
import { addressLabel } from './address-label.ts';

/** Most addresses belong to one instance, which then stands here itself. */
type Holders = AnsweringInstance | Map<string, AnsweringInstance>;

/** Counts tags and addresses as instances come and go. */
export class NameIndex {
  readonly #instances = new Map<string, AnsweringInstance>();
  readonly #tags = new Map<string, number>();
  readonly #addresses = new Map<string, Holders>();

  /**
   * An instance was registered or replaced. Returns the other services that have its address: what was kept of them
   * may hold the address with a TTL that is no longer the least.
   */
  put(instance: AnsweringInstance): string[] {
    this.remove(instance.id);
    this.#instances.set(instance.id, instance);
    for (const tag of instance.tags) this.#tags.set(tag, (this.#tags.get(tag) ?? 0) + 1);
    const label = labelOf(instance);
    if (label === undefined) return [];
    const holders = this.#addresses.get(label);
    if (holders === undefined) {
      this.#addresses.set(label, instance);
      return [];
    }
    const all = holders instanceof Map ? holders : new Map([[holders.id, holders]]);
    const services = new Set(Array.from(all.values(), ({ service }) => service));
    services.delete(instance.service);
    this.#addresses.set(label, all.set(instance.id, instance));
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
    const label = labelOf(instance);
    if (label === undefined) return;
    const holders = this.#addresses.get(label);
    if (holders instanceof Map) holders.delete(id);
    if (!(holders instanceof Map) || holders.size === 0) this.#addresses.delete(label);
  }

  get hasAddresses(): boolean {
    return this.#addresses.size > 0;
  }

  hasTag(tag: string): boolean {
    return this.#tags.has(tag);
  }

  /** The instances that have the address behind a label below `addr.D`; none when nobody has. */
  holdersOf(label: string): AnsweringInstance[] {
    const holders = this.#addresses.get(label);
    if (holders === undefined) return [];
    return holders instanceof Map ? [...holders.values()] : [holders];
  }
}

/** Undefined for an instance whose address is a host name. */
function labelOf({ address: text }: AnsweringInstance): string | undefined {
  const address = parseIp(text);
  return address === undefined ? undefined : addressLabel(address);
}
