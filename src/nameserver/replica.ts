// replica.ts -- the registry as a shard knows it: kept by news, read like the real one

import type { AnsweringInstance, AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import type { Cursors } from './cursors.ts';
import { NameIndex } from './name-index.ts';
import type { RegistryNews } from './news.ts';
import type { RegistryNames } from './registry-names.ts';

interface ReplicatedService {
  readonly name: string;
  readonly instances: Map<string, Member>;
  policy: Policy | undefined;
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
      case 'member': {
        const { member, place } = news;
        const { id, service } = member.instance;
        const known = this.#serviceFor(service, place);
        const instance = compact(member.instance, known.name);
        known.instances.set(id, { instance, status: member.status });
        return [service, ...this.index.put(instance)];
      }
      case 'bulk':
        return new Set(news.news.flatMap((each) => [...this.apply(each)]));
      case 'gone':
        this.#services.get(news.service)?.instances.delete(news.id);
        this.index.remove(news.id);
        this.#forgetUnknown(news.service);
        return [news.service];
      case 'policy':
        this.#serviceFor(news.service, news.place).policy = news.policy;
        this.#forgetUnknown(news.service);
        return [news.service];
    }
  }

  #serviceFor(name: string, place: number): ReplicatedService {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = { name, instances: new Map(), policy: undefined, place };
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

const NO_PORTS: AnsweringInstance['ports'] = Object.freeze({});
const NO_META: AnsweringInstance['meta'] = Object.freeze({});

/** The same instance, sharing what is the same in many: every thread that answers holds all of them. */
function compact(instance: AnsweringInstance, service: string): AnsweringInstance {
  const ports = Object.keys(instance.ports).length === 0 ? NO_PORTS : instance.ports;
  const meta = Object.keys(instance.meta).length === 0 ? NO_META : instance.meta;
  return { ...instance, service, ports, meta };
}
