// replica.ts -- the registry as a shard knows it: kept by news, read like the real one
//
// Every shard holds all instances, so an instance here is one object with as few parts of its own as can be.

import { NO_META, NO_PORTS, STATUSES, type Status } from '../registry/instance.ts';
import type { AnsweringInstance, AnsweringService, Member } from '../registry/member.ts';
import { MembersById } from '../registry/members-by-id.ts';
import type { Policy } from '../registry/policy.ts';
import type { Rollout } from '../registry/rollout.ts';
import type { Cursors } from './cursors.ts';
import { NameIndex } from './name-index.ts';
import { memberOf, type RegistryNews, type ToldReadings } from './news.ts';
import type { RegistryNames } from './registry-names.ts';

interface ReplicatedService {
  readonly name: string;
  readonly instances: MembersById<ReplicatedMember>;
  policy: Policy | undefined;
  rollout: Rollout | undefined;
  place: number;
}

export class Replica implements RegistryNames {
  readonly index = new NameIndex();
  readonly cursors: Cursors;
  readonly #services = new Map<string, ReplicatedService>();

  constructor(cursors: Cursors) {
    this.cursors = cursors;
  }

  /** Services with an instance or a policy. */
  serviceCount(): number {
    return this.#services.size;
  }

  service = (name: string): AnsweringService | undefined => this.#services.get(name);

  /** The place of a service in the counters; -1 when it is not known. */
  placeOf(name: string): number {
    return this.#services.get(name)?.place ?? -1;
  }

  /** Apply news about the registry; returns the services whose answers may have changed. */
  apply(news: RegistryNews): Iterable<string> {
    switch (news.op) {
      case 'member':
        return this.#put(news.member, news.place);
      case 'members':
        return new Set(news.members.flatMap((each) => this.#put(memberOf(news.service, each), news.place)));
      case 'bulk':
        return new Set(news.news.flatMap((each) => [...this.apply(each)]));
      case 'gone':
        this.#remove(news.service, news.id);
        return [news.service];
      case 'policy':
        this.#setPolicy(this.#serviceFor(news.service, news.place), news.policy, news.rollout);
        return [news.service];
      case 'readings':
        for (const told of news.told) this.#services.get(news.service)?.instances.get(told[0])?.read(told);
        return [news.service];
    }
  }

  #setPolicy(service: ReplicatedService, policy: Policy | undefined, rollout: Rollout | undefined): void {
    service.policy = policy;
    service.rollout = rollout;
    this.#forgetUnknown(service.name);
  }

  #put(told: Member, place: number): string[] {
    const { instance } = told;
    const service = this.#serviceFor(instance.service, place);
    const before = service.instances.get(instance.id);
    const [first] = service.instances.values();
    const member = new ReplicatedMember(told, service.name, first);
    service.instances.put(member);
    return [service.name, ...this.index.put(member, before)];
  }

  #remove(name: string, id: string): void {
    const service = this.#services.get(name);
    const member = service?.instances.get(id);
    if (service === undefined || member === undefined) return;
    service.instances.delete(id);
    this.index.remove(member);
    this.#forgetUnknown(name);
  }

  #serviceFor(name: string, place: number): ReplicatedService {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = { name, instances: new MembersById(), policy: undefined, rollout: undefined, place };
      this.#services.set(name, service);
    }
    return service;
  }

  #forgetUnknown(name: string): void {
    const service = this.#services.get(name);
    if (service !== undefined && service.instances.size === 0 && service.policy === undefined)
      this.#services.delete(name);
  }
}

/** An instance and its status in one, sharing what is the same in many. */
class ReplicatedMember implements Member, AnsweringInstance {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly ports: AnsweringInstance['ports'];
  readonly tags: readonly string[];
  readonly meta: AnsweringInstance['meta'];
  readonly weight: number;
  declare readonly ttlSeconds?: number;
  declare readonly zone?: string;
  readonly status: Status;
  declare readonly lastAnswerableMs?: number;
  declare readonly isFailing?: boolean;
  // Fields that most never have take no room in them.
  declare connections?: number | undefined;
  declare loadReports?: number | undefined;
  declare loadTrust?: number | undefined;
  declare latencyMs?: number | undefined;
  declare warmth?: number | undefined;

  /** `service`: its name as the service has it; `other`: a member of the same service, which often has the same tags. */
  constructor(told: Member, service: string, other: ReplicatedMember | undefined) {
    const { instance, status, lastAnswerableMs, isFailing } = told;
    const { connections, loadReports, loadTrust, latencyMs, warmth } = told;
    const { id, address, port, ports, tags, meta, weight, ttlSeconds, zone } = instance;
    this.id = id;
    this.service = service;
    this.address = address;
    this.port = port;
    this.ports = Object.keys(ports).length === 0 ? NO_PORTS : ports;
    this.tags = other !== undefined && isSameList(tags, other.tags) ? other.tags : tags;
    this.meta = Object.keys(meta).length === 0 ? NO_META : meta;
    this.weight = weight;
    // What came in a message is a string of its own.
    this.status = STATUSES.find((each) => each === status)!;
    if (ttlSeconds !== undefined) this.ttlSeconds = ttlSeconds;
    if (lastAnswerableMs !== undefined) this.lastAnswerableMs = lastAnswerableMs;
    if (isFailing) this.isFailing = true;
    if (zone !== undefined) this.zone = other?.zone === zone ? other.zone : zone;
    if (connections !== undefined) this.connections = connections;
    if (loadReports !== undefined) this.loadReports = loadReports;
    if (loadTrust !== undefined) this.loadTrust = loadTrust;
    if (latencyMs !== undefined) this.latencyMs = latencyMs;
    if (warmth !== undefined) this.warmth = warmth;
  }

  /** Take in what balancing goes by from now on. */
  read([, connections, latencyMs, warmth, loadReports, loadTrust]: ToldReadings): void {
    if (connections !== null || this.connections !== undefined) this.connections = connections ?? undefined;
    if (latencyMs !== null || this.latencyMs !== undefined) this.latencyMs = latencyMs ?? undefined;
    if (warmth !== null || this.warmth !== undefined) this.warmth = warmth ?? undefined;
    if (loadReports !== null || this.loadReports !== undefined) this.loadReports = loadReports ?? undefined;
    if (loadTrust !== null || this.loadTrust !== undefined) this.loadTrust = loadTrust ?? undefined;
  }

  get instance(): AnsweringInstance {
    return this;
  }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
