// service-upstreams.ts -- the instances of one service that requests were sent to, and their connections

import type { AnsweringInstance, Member } from '../registry/member.ts';
import type { PeakLatency } from '../routing/peak-latency.ts';
import type { UpstreamTls } from './gateway-settings.ts';
import { InstanceLoad } from './instance-load.ts';
import type { ServiceSource } from './service-source.ts';
import { Upstream } from './upstream.ts';

/** What is known of an instance, as plain data. */
export interface LoadReading {
  readonly service: string;
  readonly instance: string;
  readonly inFlight: number;
  readonly latency: PeakLatency | undefined;
  readonly requests: number;
  /** Of `requests`, those without a reply or with a 5xx. */
  readonly errors: number;
  /** Connections, idle ones too. */
  readonly connections: number;
}

/** How a route reaches its instances. */
export interface UpstreamWay {
  /** Named port; undefined: the main one. */
  readonly port: string | undefined;
  readonly tls: UpstreamTls | undefined;
  /** Different for different `tls`. */
  readonly tlsKey: string;
}

interface Known {
  readonly load: InstanceLoad;
  readonly upstreams: { readonly tlsKey: string; readonly upstream: Upstream }[];
}

export class ServiceUpstreams {
  readonly name: string;
  readonly #source: ServiceSource;
  readonly #onFree: () => void;
  readonly #known = new Map<string, Known>();
  /** Gone instances whose requests are not over. */
  readonly #leaving = new Set<Upstream>();

  /** `onFree`: a connection to one of the instances came free. */
  constructor(name: string, source: ServiceSource, onFree: () => void) {
    this.name = name;
    this.#source = source;
    this.#onFree = onFree;
  }

  loadOf(id: string): InstanceLoad | undefined {
    return this.#known.get(id)?.load;
  }

  /** Undefined: the instance has no such port. */
  of({ instance }: Member, way: UpstreamWay): Upstream | undefined {
    const port = way.port === undefined ? instance.port : namedPort(instance, way.port);
    if (port === undefined) return undefined;
    const { id, address } = instance;
    let known = this.#known.get(id);
    if (known === undefined) {
      known = { load: new InstanceLoad(), upstreams: [] };
      this.#known.set(id, known);
    }
    for (const { tlsKey, upstream } of known.upstreams) {
      const { place } = upstream;
      if (place.port === port && place.address === address && tlsKey === way.tlsKey) return upstream;
    }
    const serverName = way.tls?.serverName ?? this.name;
    const upstream = new Upstream({ address, port, tls: way.tls, serverName }, known.load, this.#onFree);
    known.upstreams.push({ tlsKey: way.tlsKey, upstream });
    return upstream;
  }

  /** Connections in use to an instance; 0 when there are none yet. */
  taken({ instance }: Member, way: UpstreamWay): number {
    const known = this.#known.get(instance.id);
    if (known === undefined) return 0;
    const port = way.port === undefined ? instance.port : namedPort(instance, way.port);
    for (const { tlsKey, upstream } of known.upstreams) {
      const { place } = upstream;
      if (place.port === port && place.address === instance.address && tlsKey === way.tlsKey) return upstream.taken;
    }
    return 0;
  }

  /** Something of the service changed: let go of instances that are gone, or are elsewhere now. */
  changed(): void {
    const instances = this.#source.service(this.name)?.instances;
    for (const [id, known] of this.#known) {
      const instance = instances?.get(id)?.instance;
      for (let i = known.upstreams.length - 1; i >= 0; i--) {
        const { upstream } = known.upstreams[i]!;
        if (instance !== undefined && isAt(instance, upstream)) continue;
        known.upstreams.splice(i, 1);
        this.#letGo(upstream);
      }
      if (instance === undefined) this.#known.delete(id);
    }
  }

  /** Let go of connections of a kind that no route uses any more. */
  keepOnly(ways: readonly UpstreamWay[]): void {
    const keys = new Set(ways.map(({ tlsKey }) => tlsKey));
    for (const { upstreams } of this.#known.values()) {
      for (let i = upstreams.length - 1; i >= 0; i--) {
        const { tlsKey, upstream } = upstreams[i]!;
        if (keys.has(tlsKey)) continue;
        upstreams.splice(i, 1);
        this.#letGo(upstream);
      }
    }
  }

  *loads(): Generator<LoadReading> {
    for (const [instance, { load, upstreams }] of this.#known) {
      const { inFlight, latency, requests, errors } = load;
      const connections = upstreams.reduce((sum, { upstream }) => sum + upstream.connections, 0);
      yield { service: this.name, instance, inFlight, latency, requests, errors, connections };
    }
  }

  /** Cut everything off. */
  destroy(): void {
    for (const { upstreams } of this.#known.values()) for (const { upstream } of upstreams) upstream.destroy();
    for (const upstream of this.#leaving) upstream.destroy();
    this.#known.clear();
    this.#leaving.clear();
  }

  #letGo(upstream: Upstream): void {
    upstream.retire();
    for (const each of this.#leaving) if (each.connections === 0) this.#leaving.delete(each);
    if (upstream.connections > 0) this.#leaving.add(upstream);
  }
}

function namedPort({ ports }: AnsweringInstance, name: string): number | undefined {
  return Object.hasOwn(ports, name) ? ports[name]!.port : undefined;
}

function isAt({ address, port, ports }: AnsweringInstance, { place }: Upstream): boolean {
  if (place.address !== address) return false;
  return place.port === port || Object.values(ports).some((named) => named.port === place.port);
}
