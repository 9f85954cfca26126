// service-types.ts -- which DNS-SD service types there are, `_http._tcp`, and which services have them (RFC 6763)
//
// Kept as instances come and go, in proportion to what changes: a type may be that of every instance there is.

import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringInstance, Member } from '../registry/member.ts';

/** `_name._proto`: a port of that name, or the main port of a service of that name. */
export interface ServiceType {
  readonly name: string;
  readonly proto: 'tcp' | 'udp';
}

/** The longest service name that can be a type (RFC 6335 section 5.1). */
const MAX_TYPE_NAME = 15;

/** A type that instances have by a named port. */
interface PortType extends ServiceType {
  /** How many instances have it, by service, in any status. */
  readonly services: Map<string, number>;
  answerable: number;
  /** Another one after every change to an instance that has the type. */
  version: number;
}

export class ServiceTypes {
  readonly #ports = new Map<string, PortType>();
  /** Of `#ports`, those of answerable instances. */
  readonly #answerablePorts = new Set<PortType>();
  /** Answerable instances by service, where the service's name is a type. */
  readonly #services = new Map<string, number>();
  #changes = 0;
  #version = 0;

  /** Counts up when `listed` changes. */
  get version(): number {
    return this.#version;
  }

  /** The types of answerable instances, each once. */
  *listed(): Generator<ServiceType, void> {
    yield* this.#answerablePorts;
    for (const name of this.#services.keys()) {
      const ports = this.#ports.get(keyOf({ name, proto: 'tcp' }));
      if (ports === undefined || ports.answerable === 0) yield { name, proto: 'tcp' };
    }
  }

  /** The services with an instance, in any status, that has such a named port. */
  servicesOf(type: ServiceType): ReadonlyMap<string, number> | undefined {
    return this.#ports.get(keyOf(type))?.services;
  }

  /** Tells apart what a type was at different times, as far as named ports go. */
  versionOf(type: ServiceType): number {
    return this.#ports.get(keyOf(type))?.version ?? 0;
  }

  /** An instance was registered, or replaced what it was `before`, or has another status than before. */
  put(member: Member, before: Member | undefined): void {
    // In this order, so that what stays does not go and come.
    this.#count(member, 1);
    if (before !== undefined) this.#count(before, -1);
  }

  /** An instance, as it was last put here, is gone. */
  remove(member: Member): void {
    this.#count(member, -1);
  }

  #count({ instance, status }: Member, by: 1 | -1): void {
    const { service, ports } = instance;
    const answerable = isAnswerable(status) ? by : 0;
    if (answerable !== 0 && isTypeName(service) && countIn(this.#services, service, by)) this.#version++;
    for (const name in ports) {
      const type = this.#portType({ name, proto: ports[name]!.proto });
      type.version = ++this.#changes;
      countIn(type.services, service, by);
      const before = type.answerable;
      type.answerable += answerable;
      if (type.answerable > 0 !== before > 0) {
        this.#version++;
        if (before > 0) this.#answerablePorts.delete(type);
        else this.#answerablePorts.add(type);
      }
      if (type.services.size === 0) this.#ports.delete(keyOf(type));
    }
  }

  #portType(type: ServiceType): PortType {
    const key = keyOf(type);
    let known = this.#ports.get(key);
    if (known === undefined) {
      known = { ...type, services: new Map(), answerable: 0, version: 0 };
      this.#ports.set(key, known);
    }
    return known;
  }
}

/** Does a service of this name make a type? */
function isTypeName(service: string): boolean {
  return service.length <= MAX_TYPE_NAME;
}

/** Has the main port of a service of this name that type? */
export function isTypeOf(service: string, { name, proto }: ServiceType): boolean {
  return proto === 'tcp' && service === name && isTypeName(name);
}

/** The port by which an instance has a type: the one of that name, else the main one; undefined: it has not. */
export function portOf({ service, port, ports }: AnsweringInstance, type: ServiceType): number | undefined {
  const named = Object.hasOwn(ports, type.name) ? ports[type.name] : undefined;
  if (named?.proto === type.proto) return named.port;
  return isTypeOf(service, type) ? port : undefined;
}

function keyOf({ name, proto }: ServiceType): string {
  return `${name}.${proto}`;
}

/** Count one more of a key, or one less. True when the key came, or went. */
export function countIn(counts: Map<string, number>, key: string, by: 1 | -1): boolean {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) return counts.delete(key);
  counts.set(key, count);
  return count === 1 && by === 1;
}
