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
  readonly #tags = new Map<string, number>();
  /** By address in canonical text, which the instance has anyway. */
  readonly #addresses = new Map<string, Holders>();

  /**
   * An instance was registered, or replaced what it was `before`. Returns the other services that have its address: what
   * was kept of them may hold the address with a TTL that is no longer the least.
   */
  put(instance: AnsweringInstance, before: AnsweringInstance | undefined): string[] {
    if (before !== undefined) this.remove(before);
    for (const tag of instance.tags) this.#tags.set(tag, (this.#tags.get(tag) ?? 0) + 1);
    const { address } = instance;
    if (!isIp(address)) return [];
    const holders = this.#addresses.get(address);
    if (holders === undefined) {
      this.#addresses.set(address, instance);
      return [];
    }
    const all = holders instanceof Map ? holders : new Map([[holders.id, holders]]);
    const services = new Set(Array.from(all.values(), ({ service }) => service));
    services.delete(instance.service);
    this.#addresses.set(address, all.set(instance.id, instance));
    return [...services];
  }

  /** An instance, as it was last put here, is gone. */
  remove({ id, address, tags }: AnsweringInstance): void {
    for (const tag of tags) {
      const left = this.#tags.get(tag)! - 1;
      if (left === 0) this.#tags.delete(tag);
      else this.#tags.set(tag, left);
    }
    const holders = this.#addresses.get(address);
    if (holders instanceof Map) holders.delete(id);
    if (!(holders instanceof Map) || holders.size === 0) this.#addresses.delete(address);
  }

  get hasAddresses(): boolean {
    return this.#addresses.size > 0;
  }

  hasTag(tag: string): boolean {
    return this.#tags.has(tag);
  }

  /** The instances that have the address behind a label below `addr.D`; none when nobody has. */
  holdersOf(label: string): AnsweringInstance[] {
    const address = addressOf(label);
    const holders = address === undefined ? undefined : this.#addresses.get(address);
    if (holders === undefined) return [];
    return holders instanceof Map ? [...holders.values()] : [holders];
  }
}

/** Is the canonical address of an instance no host name? No host name ends in a number (registry/label.ts). */
function isIp(address: string): boolean {
  return address.includes(':') || /\.\d+$/.test(address);
}

/** The address that a label stands for, in canonical text; undefined when the label is not exactly that address's. */
function addressOf(label: string): string | undefined {
  const address = parseIp(label.replaceAll('-', label.split('-').length === 4 ? '.' : ':'));
  return address !== undefined && addressLabel(address) === label ? address.text : undefined;
}
