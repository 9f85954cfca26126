// name-index.ts -- which tags, addresses, labels and service types exist at all, whatever the status of their instances
//
// Existence decides between NODATA and NXDOMAIN, so it must be known without looking through the services. The index
// is the same for every domain. There is one for each thread that answers, so it holds little more than references.

import { parseIp } from '../base/ip.ts';
import type { AnsweringInstance, Member } from '../registry/member.ts';
import { addressLabel } from './address-label.ts';
import { AddressOrder } from './address-order.ts';
import { foldLabel, instanceLabel } from './instance-label.ts';
import { InstancesByKey } from './instances-by-key.ts';
import { countIn, ServiceTypes } from './service-types.ts';

/** Kept as instances come, change and go. */
export class NameIndex {
  readonly types = new ServiceTypes();
  /** How many instances have a tag, by service. */
  readonly #tags = new Map<string, Map<string, number>>();
  /** How many instances have any tag, by service. */
  readonly #tagged = new Map<string, number>();
  /** By address in canonical text, which the instance has anyway. */
  readonly #addresses = new InstancesByKey();
  /** By label in DNS-SD, folded; mostly the instance's own id. */
  readonly #labels = new InstancesByKey();
  #order: AddressOrder | undefined;

  /**
   * An instance was registered, replaced what it was `before`, or has another status. Returns the other services that
   * have its address, if it may be new there: what was kept of them may hold the address with a TTL that is no longer
   * the least.
   */
  put(member: Member, before: Member | undefined): string[] {
    const { instance } = member;
    this.types.put(member, before);
    if (before?.instance === instance) return [];
    if (before !== undefined) this.#removeInstance(before.instance);
    this.#addTags(instance);
    this.#labels.add(labelKey(instance), instance);
    const { address } = instance;
    if (!isIp(address)) return [];
    const services = new Set<string>();
    for (const { service } of this.#addresses.of(address)) services.add(service);
    services.delete(instance.service);
    if (this.#addresses.add(address, instance)) this.#order?.add(address);
    return [...services];
  }

  /** An instance, as it was last put here, is gone. */
  remove(member: Member): void {
    this.types.remove(member);
    this.#removeInstance(member.instance);
  }

  get hasAddresses(): boolean {
    return this.#addresses.size > 0;
  }

  hasTag(tag: string): boolean {
    return this.#tags.has(tag);
  }

  /** The services that have an instance, in any status, with the tag; with the empty tag, with any at all. */
  servicesWith(tag: string): ReadonlyMap<string, number> {
    return tag === '' ? this.#tagged : (this.#tags.get(tag) ?? NOWHERE);
  }

  /** The instances that have the address behind a label below `addr.D`; none when nobody has. */
  holdersOf(label: string): AnsweringInstance[] {
    const address = addressOf(label);
    return address === undefined ? [] : [...this.#addresses.of(address)];
  }

  /** The instances that have an address, as canonical text. */
  atAddress(address: string): Iterable<AnsweringInstance> {
    return this.#addresses.of(address);
  }

  /** The instances that have a label in DNS-SD, folded as `foldLabel` does. */
  labelled(label: string): Iterable<AnsweringInstance> {
    return this.#labels.of(label);
  }

  /** All addresses in order. Kept from the first time on: only reverse zones need it. */
  get addressOrder(): AddressOrder {
    if (this.#order === undefined) {
      this.#order = new AddressOrder();
      for (const address of this.#addresses.keys()) this.#order.add(address);
    }
    return this.#order;
  }

  #addTags({ tags, service }: AnsweringInstance): void {
    if (tags.length > 0) countIn(this.#tagged, service, 1);
    for (const tag of tags) {
      let services = this.#tags.get(tag);
      if (services === undefined) {
        services = new Map();
        this.#tags.set(tag, services);
      }
      countIn(services, service, 1);
    }
  }

  #removeInstance(instance: AnsweringInstance): void {
    const { id, service, address, tags } = instance;
    if (tags.length > 0) countIn(this.#tagged, service, -1);
    for (const tag of tags) {
      const services = this.#tags.get(tag)!;
      if (countIn(services, service, -1) && services.size === 0) this.#tags.delete(tag);
    }
    this.#labels.remove(labelKey(instance), id);
    if (isIp(address) && this.#addresses.remove(address, id)) this.#order?.remove(address);
  }
}

const NOWHERE: ReadonlyMap<string, number> = new Map();

function labelKey(instance: AnsweringInstance): string {
  return foldLabel(instanceLabel(instance));
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
