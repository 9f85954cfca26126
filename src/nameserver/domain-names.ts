// domain-names.ts -- the names the registry makes below one domain (contract section 2)
//
//   S  _S._tcp  _S._udp  _S._T  _P._tcp.S  _P._udp.S  T.S  T2.T1.S  10-0-0-7.addr, and those of service-discovery.ts
//
// Names of tags are found by looking at the service, not by listing them: their combinations have no bound.

import { parseIp } from '../base/ip.ts';
import { type Name, nameKey } from '../dns/name.ts';
import type { AnsweringService } from '../registry/member.ts';
import { type Branches, branchesOf } from '../routing/branches.ts';
import { type ClientZones, NO_CLIENT_ZONES } from '../routing/client-zones.ts';
import type { Cursor } from './cursors.ts';
import { addressNode, bothNodes, type DynamicNode, EMPTY_NON_TERMINAL, poolNode, srvNode } from './dynamic-node.ts';
import { type Freshness, Freshnesses } from './freshness.ts';
import { PoolAnswers, recordTtlSeconds } from './pool-answers.ts';
import type { RegistryNames } from './registry-names.ts';
import { RoutedAnswers } from './routed-answers.ts';
import { ServiceDiscovery } from './service-discovery.ts';

/** A domain's own settings, complete. */
export interface DomainSettings {
  readonly apex: Name;
  readonly ttlSeconds: number;
  /** The most while an instance behind a name fails or drains; without it no difference is made. */
  readonly volatileTtlSeconds?: number;
  readonly negativeTtlSeconds: number;
  readonly maxAnswers: number;
}

const MAX_TAGS_IN_NAME = 4;
/** Tag pools kept per service; beyond it they are made anew. */
const MAX_KEPT = 256;
/**
 * Instances in pools kept by all services together. Hot answers live on without their pools, so these are only for what
 * takes the general path again and again.
 */
const MAX_KEPT_MEMBERS = 8192;
/** Instances in the pools of one service, where it is more than one pool. */
const MAX_SERVICE_MEMBERS = 147_456;

/** What is kept of one service between its changes. */
interface ServiceNames {
  readonly state: AnsweringService;
  readonly freshness: Freshness;
  /** By tags, sorted and joined; '' for the whole service. */
  readonly pools: Map<string, RoutedAnswers>;
  /** Instances in the pools that are kept. */
  keptMembers: number;
  /** `S.D` itself, the name asked for most. */
  node: DynamicNode | undefined;
}

export class DomainNames {
  readonly settings: DomainSettings;
  readonly #names: RegistryNames;
  readonly #freshnesses: Freshnesses;
  readonly #zones: ClientZones;
  readonly #discovery: ServiceDiscovery;
  readonly #services = new Map<string, ServiceNames>();
  /** Those that keep pools, oldest first, and how many instances are in them. */
  readonly #keeping = new Set<ServiceNames>();
  #keptMembers = 0;
  /** Tells the rotations of this domain from those of others. */
  readonly #apexText: string;

  constructor(settings: DomainSettings, names: RegistryNames, freshnesses: Freshnesses, zones = NO_CLIENT_ZONES) {
    this.settings = settings;
    this.#freshnesses = freshnesses;
    this.#zones = zones;
    this.#names = names;
    this.#discovery = new ServiceDiscovery(settings, names);
    this.#apexText = nameKey(settings.apex);
  }

  /** Is there a service of this name? */
  knows(service: string): boolean {
    return this.#names.service(service) !== undefined;
  }

  /** The same domain over other services: for trying out what is not so. */
  over(names: RegistryNames): DomainNames {
    return new DomainNames(this.settings, names, new Freshnesses(), this.#zones);
  }

  /** A service changed: what was prepared of it no longer holds. Rotations go on. */
  serviceChanged(name: string): void {
    this.#discovery.serviceChanged(name);
    const known = this.#services.get(name);
    if (known === undefined) return;
    this.#freshnesses.end(known.freshness);
    this.#forgetPools(known);
    this.#services.delete(name);
  }

  /** The node of a name below the apex: its labels, lower case, leftmost first, the apex's left out. */
  find(labels: readonly string[]): DynamicNode | undefined {
    const last = labels.at(-1);
    if (last === undefined) return undefined;
    if (last === 'addr') return this.#findAddress(labels);
    if (last.startsWith('_')) return this.#findByProtocol(labels, last.slice(1));
    return this.#findService(labels, last);
  }

  #findAddress(labels: readonly string[]): DynamicNode | undefined {
    if (labels.length === 1) return this.#names.index.hasAddresses ? EMPTY_NON_TERMINAL : undefined;
    const holders = labels.length === 2 ? this.#names.index.holdersOf(labels[0]!) : [];
    const first = holders[0];
    if (first === undefined) return undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const instance of holders) {
      const policy = this.#names.service(instance.service)?.policy;
      least = Math.min(least, recordTtlSeconds(policy, [instance], this.settings.ttlSeconds));
    }
    const soleService = holders.every(({ service }) => service === first.service) ? first.service : undefined;
    return addressNode(parseIp(first.address)!.bytes, least, soleService);
  }

  /** `_tcp`, `_udp` or a tag at the end. */
  #findByProtocol(labels: readonly string[], word: string): DynamicNode | undefined {
    if (word === 'tcp' || word === 'udp') return this.#findByType(labels.slice(0, -1), word);
    if (labels.length === 1) return this.#names.index.hasTag(word) ? EMPTY_NON_TERMINAL : undefined;
    return labels.length === 2 && labels[0]!.startsWith('_')
      ? this.#srvNode(labels[0]!.slice(1), word, [word])
      : undefined;
  }

  /** Below `_tcp` or `_udp`, which are left out of the labels: SRV of a service, and DNS-SD. */
  #findByType(labels: readonly string[], proto: 'tcp' | 'udp'): DynamicNode | undefined {
    const last = labels.at(-1);
    // `_udp` has names below it that need no instance.
    if (last === undefined) return proto === 'udp' || this.#names.serviceCount() > 0 ? EMPTY_NON_TERMINAL : undefined;
    if (!last.startsWith('_')) return undefined;
    if (proto === 'udp' && last === '_dns-sd') return this.#discovery.findMeta(labels.slice(0, -1));
    const name = last.slice(1);
    const listed = this.#discovery.find(labels.slice(0, -1), { name, proto });
    const service = labels.length === 1 ? this.#srvNode(name, proto, []) : undefined;
    return service === undefined || listed === undefined ? (service ?? listed) : bothNodes(service, listed);
  }

  /** `_S._tcp`, `_S._udp`, `_S._T`. */
  #srvNode(name: string, word: string, tags: readonly string[]): DynamicNode | undefined {
    const service = this.#service(name);
    const answers = service === undefined ? undefined : this.#pool(service, tags);
    return answers === undefined ? undefined : srvNode(name, service!.freshness, answers, `_${word}`);
  }

  #findService(labels: readonly string[], name: string): DynamicNode | undefined {
    const service = this.#service(name);
    if (service === undefined) return undefined;
    if (labels.length === 1) {
      service.node ??= this.#node(service, [], true);
      return service.node;
    }
    const second = labels.at(-2)!;
    if (second === '_tcp' || second === '_udp') {
      return this.#findPort(service, labels.slice(0, -2), second === '_tcp' ? 'tcp' : 'udp');
    }
    return labels.length - 1 <= MAX_TAGS_IN_NAME ? this.#node(service, labels.slice(0, -1), false) : undefined;
  }

  #node(service: ServiceNames, tags: readonly string[], mayBeAlias: boolean): DynamicNode | undefined {
    const answers = this.#pool(service, tags);
    if (answers === undefined) return undefined;
    const node = poolNode(service.state.name, service.freshness, answers, mayBeAlias);
    // Tags go together in any order, so their names have no bound: answers to them are not kept.
    return tags.length > 1 ? { ...node, hot: undefined } : node;
  }

  /** `_P._tcp.S`: known while some instance has such a port. */
  #findPort(service: ServiceNames, labels: readonly string[], proto: 'tcp' | 'udp'): DynamicNode | undefined {
    const answers = this.#pool(service, []);
    const instances = answers?.registered.map((state) => state.instance) ?? [];
    if (labels.length === 0) {
      const exists = instances.some(({ ports }) => Object.values(ports).some((port) => port.proto === proto));
      return exists ? EMPTY_NON_TERMINAL : undefined;
    }
    const name = labels[0]!.slice(1);
    if (answers === undefined || labels.length > 1 || !labels[0]!.startsWith('_')) return undefined;
    if (!instances.some(({ ports }) => Object.hasOwn(ports, name) && ports[name]!.proto === proto)) return undefined;
    return srvNode(service.state.name, service.freshness, answers, `_${name}._${proto}.`, { name, proto });
  }

  #service(name: string): ServiceNames | undefined {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const state = this.#names.service(name);
    if (state === undefined) return undefined;
    const fresh = { state, freshness: this.#freshnesses.begin(), pools: new Map(), keptMembers: 0, node: undefined };
    this.#services.set(name, fresh);
    return fresh;
  }

  /** The answers of a service's name; undefined when tags are asked for that no instance has together. */
  #pool(service: ServiceNames, tags: readonly string[]): RoutedAnswers | undefined {
    // A label may hold any octet, even those that join tags in the key below; what is a tag somewhere may not. And a
    // flood of made-up names stops here, before it looks through the instances.
    if (!tags.every((tag) => this.#names.index.hasTag(tag))) return undefined;
    const key = [...new Set(tags)].sort().join(' ');
    const known = service.pools.get(key);
    if (known !== undefined) return known;
    const branches = branchesOf(service.state, tags, this.#zones);
    if (tags.length > 0 && branches.registered.length === 0) return undefined;
    const answers = this.#answersOf(service, key, branches);
    if (service.pools.size >= MAX_KEPT) this.#forgetPools(service);
    service.pools.set(key, answers);
    this.#keep(service, branches.registered.length + 1);
    return answers;
  }

  #answersOf(service: ServiceNames, key: string, branches: Branches): RoutedAnswers {
    const { policy, name } = service.state;
    const { apex, ttlSeconds, volatileTtlSeconds, maxAnswers } = this.settings;
    const cursor = (question: string): Cursor => this.#names.cursors.of(`${this.#apexText} ${name} ${key} ${question}`);
    const answers = new RoutedAnswers(branches, {
      answersOf: (pool, branch) =>
        new PoolAnswers(pool, {
          policy,
          apex,
          ttlSeconds,
          volatileTtlSeconds,
          maxAnswers,
          isCurrent: () => !service.freshness.isStale,
          cursor: (question) => cursor(branch === '' ? question : `${branch} ${question}`),
        }),
      cursor: (question) => cursor(`which branch ${question}`),
      // Answers that were forgotten may still be in use; what they keep then goes with them.
      onKept: (members) => {
        if (service.pools.get(key) === answers) this.#keep(service, members);
      },
    });
    return answers;
  }

  /** So many members more are kept of a service; the oldest ones of others may have to go. */
  #keep(service: ServiceNames, members: number): void {
    this.#keeping.add(service);
    service.keptMembers += members;
    this.#keptMembers += members;
    for (const oldest of this.#keeping) {
      if (this.#keptMembers <= MAX_KEPT_MEMBERS || oldest === service) break;
      this.#forgetPools(oldest);
    }
    // The names of one service with tags are very many.
    if (service.keptMembers > MAX_SERVICE_MEMBERS && service.pools.size > 1) this.#forgetPools(service);
  }

  /** Answers made of them hold on; others are prepared anew. */
  #forgetPools(service: ServiceNames): void {
    if (!this.#keeping.delete(service)) return;
    this.#keptMembers -= service.keptMembers;
    service.keptMembers = 0;
    service.pools.clear();
    service.node = undefined;
  }
}
