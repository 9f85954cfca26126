// service-discovery.ts -- the names of DNS-SD below one domain (RFC 6763)
//
//   _services._dns-sd._udp   b|db|lb._dns-sd._udp   _P._tcp   _tag._sub._P._tcp   <instance>._P._tcp
//
// P is the name of a port, or of a service for the main port of its instances. Lists hold answerable instances only;
// a name exists for as long as an instance in any status makes it.

import { TYPE } from '../dns/codes.ts';
import { MAX_NAME_LENGTH, type Name, prependLabels } from '../dns/name.ts';
import { txtRdata } from '../dns/rdata/basic.ts';
import { srvRdata } from '../dns/rdata/locating.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringInstance, Member } from '../registry/member.ts';
import { type DynamicNode, EMPTY_NON_TERMINAL, type FixedRecords, fixedNode } from './dynamic-node.ts';
import { foldLabel, instanceLabel } from './instance-label.ts';
import { addressTarget, recordTtlSeconds } from './pool-answers.ts';
import type { RegistryNames } from './registry-names.ts';
import { isTypeOf, portOf, type ServiceType } from './service-types.ts';

/** What of a domain's settings matters here. */
export interface DiscoverySettings {
  readonly apex: Name;
  readonly ttlSeconds: number;
  readonly volatileTtlSeconds?: number;
}

/**
 * The most octets of PTR records in one answer: a message holds no more, with its question and all options. What there
 * is beyond is not listed.
 */
const MAX_LIST_OCTETS = 60_000;
/** Octets of a PTR record beside its first label: owner and the rest of the target are pointers. */
const PTR_OCTETS = 2 + 10 + 1 + 2;
/** Records in all lists that are kept; beyond it they are made anew. */
const MAX_KEPT_RECORDS = 16_384;
/** A list costs something even when it is empty. */
const EMPTY_COST = 4;
/** Instances that share a label: so many are looked at, and so many are answered. */
const MAX_SAME_LABEL = 1024;
const MAX_SAME_LABEL_ANSWERED = 32;
/** Where one may browse, and where to begin (section 11); registering by UPDATE is not offered. */
const BROWSING_DOMAINS = new Set(['b', 'db', 'lb']);

/** The instances of a type, or of a subtype of it, as one answer. */
interface Listing extends FixedRecords {
  /** There is one, in any status. */
  readonly exists: boolean;
}

/** What is kept of one type. */
interface TypeListings {
  readonly version: number;
  readonly byTag: Map<string | undefined, Listing>;
  records: number;
}

export class ServiceDiscovery {
  readonly #settings: DiscoverySettings;
  readonly #names: RegistryNames;
  /** By type, oldest first. */
  readonly #listings = new Map<string, TypeListings>();
  /** The types among them that instances of many services may have. */
  readonly #shared = new Map<string, ServiceType>();
  #keptRecords = 0;
  #types: (FixedRecords & { readonly version: number }) | undefined;

  constructor(settings: DiscoverySettings, names: RegistryNames) {
    this.#settings = settings;
    this.#names = names;
  }

  /** A service changed: lists with its instances no longer hold. */
  serviceChanged(service: string): void {
    this.#forget(keyOf({ name: service, proto: 'tcp' }));
    for (const [key, type] of this.#shared) {
      if (this.#names.index.types.servicesOf(type)?.has(service)) this.#forget(key);
    }
  }

  /** `_dns-sd._udp` and names below it: labels in front of it, leftmost first. */
  findMeta(labels: readonly string[]): DynamicNode | undefined {
    if (labels.length === 0) return EMPTY_NON_TERMINAL;
    if (labels.length > 1) return undefined;
    if (labels[0] === '_services') {
      return fixedNode('the list of service types', undefined, (type) =>
        type === TYPE.PTR ? this.#listTypes() : undefined,
      );
    }
    if (!BROWSING_DOMAINS.has(labels[0]!)) return undefined;
    const { apex, ttlSeconds } = this.#settings;
    return fixedNode('the domain to browse', undefined, (type) =>
      type === TYPE.PTR ? { ttlSeconds, rdatas: [apex] } : undefined,
    );
  }

  /** Names at and below `_P._tcp`: labels in front of it, leftmost first. */
  find(labels: readonly string[], type: ServiceType): DynamicNode | undefined {
    const [first, second] = labels;
    if (first === undefined) return this.#exists(type) ? this.#listNode(type, undefined) : undefined;
    if (labels.length === 1) return this.#instanceNode(first, type) ?? this.#subtypes(first, type);
    if (labels.length > 2 || second !== '_sub' || !first.startsWith('_')) return undefined;
    const tag = first.slice(1);
    return this.#names.index.hasTag(tag) && this.#list(type, tag).exists ? this.#listNode(type, tag) : undefined;
  }

  #subtypes(label: string, type: ServiceType): DynamicNode | undefined {
    // Any tag at all: the empty word stands for it, which no tag is.
    return label === '_sub' && this.#exists(type) && this.#list(type, '').exists ? EMPTY_NON_TERMINAL : undefined;
  }

  #exists(type: ServiceType): boolean {
    if (this.#names.index.types.servicesOf(type) !== undefined) return true;
    return isTypeOf(type.name, type) && (this.#names.service(type.name)?.instances.size ?? 0) > 0;
  }

  #listNode(type: ServiceType, tag: string | undefined): DynamicNode {
    const about = tag === undefined ? 'the list of instances of a type' : 'the list of instances of a subtype';
    return fixedNode(about, undefined, (asked) => (asked === TYPE.PTR ? this.#list(type, tag) : undefined));
  }

  /** The instances of a type that have the tag; with the empty tag, any: then only `exists` is worked out. */
  #list(type: ServiceType, tag: string | undefined): Listing {
    const kept = this.#listingsOf(type);
    const known = kept.byTag.get(tag);
    if (known !== undefined) return known;
    const made = this.#makeList(type, tag);
    const records = made.rdatas.length + EMPTY_COST;
    for (const key of this.#listings.keys()) {
      if (this.#keptRecords + records <= MAX_KEPT_RECORDS) break;
      this.#forget(key);
    }
    // Forgotten together with the others, it is kept no more, and goes with this answer.
    if (this.#listings.get(keyOf(type)) === kept) this.#keptRecords += records;
    kept.records += records;
    kept.byTag.set(tag, made);
    return made;
  }

  #listingsOf(type: ServiceType): TypeListings {
    const key = keyOf(type);
    const { types } = this.#names.index;
    const version = types.versionOf(type);
    const known = this.#listings.get(key);
    if (known?.version === version) return known;
    this.#forget(key);
    const fresh = { version, byTag: new Map(), records: 0 };
    this.#listings.set(key, fresh);
    if (types.servicesOf(type) !== undefined) this.#shared.set(key, type);
    return fresh;
  }

  #forget(key: string): void {
    const known = this.#listings.get(key);
    if (known === undefined) return;
    this.#keptRecords -= known.records;
    this.#listings.delete(key);
    this.#shared.delete(key);
  }

  #makeList(type: ServiceType, tag: string | undefined): Listing {
    const owner = this.#typeName(type);
    const listed: Member[] = [];
    const labels = new Map<string, string>();
    let octets = 0;
    let exists = false;
    for (const member of this.#members(type, tag)) {
      const { instance } = member;
      if (tag === '' ? instance.tags.length === 0 : tag !== undefined && !instance.tags.includes(tag)) continue;
      exists = true;
      if (tag === '') break;
      const label = instanceLabel(instance);
      if (!isAnswerable(member.status) || owner.length + 1 + label.length > MAX_NAME_LENGTH) continue;
      const key = foldLabel(label);
      if (!labels.has(key)) {
        octets += PTR_OCTETS + label.length;
        if (octets > MAX_LIST_OCTETS) break;
        labels.set(key, label);
      }
      listed.push(member);
    }
    const rdatas = Array.from(labels.values(), (label) => prependLabels([label], owner));
    return { exists, ttlSeconds: this.#ttlSeconds(listed), rdatas };
  }

  /** The instances of a type, in any status; where a tag is asked for, of services that have it. */
  *#members(type: ServiceType, tag: string | undefined): Generator<Member, void> {
    const { index } = this.#names;
    const own = isTypeOf(type.name, type) ? this.#names.service(type.name) : undefined;
    if (own !== undefined) yield* own.instances.values();
    const named = index.types.servicesOf(type);
    if (named === undefined) return;
    const tagged = tag === undefined ? undefined : index.servicesWith(tag);
    // Whichever is shorter: a rare tag in a type that everybody has, or the other way round.
    const fewest = tagged !== undefined && tagged.size < named.size ? tagged : named;
    for (const name of fewest.keys()) {
      if (name === own?.name || !named.has(name) || tagged?.has(name) === false) continue;
      for (const member of this.#names.service(name)?.instances.values() ?? []) {
        if (portOf(member.instance, type) !== undefined) yield member;
      }
    }
  }

  #listTypes(): FixedRecords {
    const { types } = this.#names.index;
    const { version } = types;
    if (this.#types?.version === version) return this.#types;
    const rdatas: Name[] = [];
    let octets = 0;
    for (const type of types.listed()) {
      // The protocol is a label of its own, once at least.
      octets += PTR_OCTETS + type.name.length + 1 + 2;
      if (octets > MAX_LIST_OCTETS) break;
      rdatas.push(this.#typeName(type));
    }
    this.#types = { version, ttlSeconds: this.#settings.ttlSeconds, rdatas };
    return this.#types;
  }

  /** `<instance>._P._tcp`. Instances that share the label are one to DNS-SD, with several SRV records (section 5). */
  #instanceNode(label: string, type: ServiceType): DynamicNode | undefined {
    const members: Member[] = [];
    let looked = 0;
    for (const instance of this.#names.index.labelled(label)) {
      if (++looked > MAX_SAME_LABEL || members.length === MAX_SAME_LABEL_ANSWERED) break;
      if (portOf(instance, type) === undefined) continue;
      const member = this.#names.service(instance.service)?.instances.get(instance.id);
      if (member !== undefined) members.push(member);
    }
    const [first] = members;
    if (first === undefined) return undefined;
    const { service } = first.instance;
    const isOfOne = members.every(({ instance }) => instance.service === service);
    return fixedNode('an instance', isOfOne ? service : undefined, (asked) => {
      const rdataOf = asked === TYPE.SRV ? this.#srvOf : asked === TYPE.TXT ? textOf : undefined;
      if (rdataOf === undefined) return undefined;
      const answerable = members.filter(({ status }) => isAnswerable(status));
      const rdatas = distinct(answerable.map(({ instance }) => rdataOf(instance, type)));
      return { ttlSeconds: this.#ttlSeconds(answerable), rdatas };
    });
  }

  readonly #srvOf = (instance: AnsweringInstance, type: ServiceType): Uint8Array =>
    srvRdata(0, instance.weight, portOf(instance, type)!, addressTarget(instance, this.#settings.apex));

  /** As for any set of records of these instances, which may be of several services. */
  #ttlSeconds(members: readonly Member[]): number {
    const { ttlSeconds, volatileTtlSeconds = Number.POSITIVE_INFINITY } = this.#settings;
    let least = Number.POSITIVE_INFINITY;
    for (const { instance, isFailing } of members) {
      const policy = this.#names.service(instance.service)?.policy;
      least = Math.min(least, recordTtlSeconds(policy, [instance], ttlSeconds));
      if (isFailing) least = Math.min(least, volatileTtlSeconds);
    }
    return Number.isFinite(least) ? least : ttlSeconds;
  }

  #typeName({ name, proto }: ServiceType): Name {
    return prependLabels([`_${name}`, `_${proto}`], this.#settings.apex);
  }
}

function keyOf({ name, proto }: ServiceType): string {
  return `${name}.${proto}`;
}

/** An RRset has no duplicates (RFC 2181 section 5). */
function distinct(rdatas: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(rdatas.map((rdata) => [Buffer.from(rdata).toString('latin1'), rdata])).values()];
}

/**
 * Metadata as `key=value`, each pair one string (section 6.3); a pair that is none by section 6.4, or too long for one
 * string, is left out. Never without a string (section 6.1).
 */
function textOf({ meta }: AnsweringInstance): Uint8Array {
  const strings: Uint8Array[] = [];
  for (const [key, value] of Object.entries(meta)) {
    if (!/^[\x20-\x3c\x3e-\x7e]+$/.test(key)) continue;
    const octets = Buffer.from(`${key}=${value}`);
    if (octets.length <= 255) strings.push(octets);
  }
  return txtRdata(strings);
}
