// view.ts -- everything questions are answered from: the zones, static and dynamic, of one generation
//
// A reload makes a new View and swaps it in; a registry change reaches the View in place as `serviceChanged`. Both
// happen between two queries, never within one.

import type { IpPrefix } from '../base/ip.ts';
import { type Name, nameKey } from '../dns/name.ts';
import { soaMinimum, soaSerial, withSerial } from '../dns/rdata/basic.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { ClientNetwork } from '../routing/client-hash.ts';
import { NetworkSet } from '../routing/network-set.ts';
import type { Zone } from '../zone/zone.ts';
import type { DomainNames } from './domain-names.ts';
import { Freshnesses } from './freshness.ts';
import type { ReverseNames } from './reverse-names.ts';

/** One zone as it is served. */
export interface ServedZone {
  /** Static records; made up where a domain has no zone file. */
  readonly zone: Zone;
  /** The registry's names below the same apex; undefined for a zone that is only static. */
  readonly domain: DomainNames | undefined;
  /** Names of addresses, where the zone is one of `dns.reverse` or has some of them in it. */
  readonly reverse?: ReverseNames;
  /** The most a negative answer may be cached, in seconds. */
  readonly negativeTtlSeconds: number;
  /** Only the apex itself is served; what is below is somebody else's (`claimLocal`). */
  readonly apexOnly: boolean;
}

/** What the view does not hold itself because it changes with time. */
export interface ViewState {
  /** Changes since the start; added to the serial of every zone with dynamic names. */
  serialOffset: number;
  /** False until the registry has been loaded: nothing may be denied before (EDE 14). */
  isLoaded: boolean;
  /** The store has not been heard of for too long (EDE 3). */
  isStale: boolean;
}

export class View {
  readonly zones: readonly ServedZone[];
  /** Of what is made of its services. */
  readonly freshnesses: Freshnesses;
  readonly #byApex: ReadonlyMap<string, ServedZone>;
  readonly #believed: NetworkSet;

  /** `clientSubnetFrom`: whose EDNS client subnet is believed. */
  constructor(
    zones: readonly ServedZone[],
    freshnesses = new Freshnesses(),
    clientSubnetFrom: readonly IpPrefix[] = [],
  ) {
    this.zones = zones;
    this.freshnesses = freshnesses;
    this.#believed = new NetworkSet(clientSubnetFrom);
    this.#byApex = new Map(zones.map((served) => [nameKey(served.zone.apex), served]));
  }

  /** The zone with the longest apex at or above a name. */
  zoneOf(name: Name): ServedZone | undefined {
    const key = nameKey(name);
    for (let at = 0; at < key.length; at += key.charCodeAt(at) + 1) {
      const served = this.#byApex.get(at === 0 ? key : key.slice(at));
      if (served !== undefined && (at === 0 || !served.apexOnly)) return served;
      if (name[at] === 0) break;
    }
    return undefined;
  }

  /** Is an EDNS client subnet from there to be believed? */
  believesSubnetOf(client: ClientNetwork): boolean {
    return this.#believed.has(client);
  }

  /** Something about a service changed: its instances, their health, its policy. */
  serviceChanged(service: string): void {
    for (const { domain } of this.zones) domain?.serviceChanged(service);
  }
}

/** Are there names in the zone that the registry makes? Then its serial counts the registry's changes. */
export function isDynamic({ domain, reverse }: ServedZone): boolean {
  return domain !== undefined || reverse !== undefined;
}

/** The SOA of a zone with the serial it has now: the file's is a floor that changes raise (contract section 2). */
export function currentSoa(served: ServedZone, state: ViewState): RRset {
  return soasOf(served, state).current;
}

/** The SOA for the authority section of a negative answer (RFC 2308 section 3). */
export function negativeSoa(served: ServedZone, state: ViewState): RRset {
  return soasOf(served, state).negative;
}

interface Soas {
  readonly serialOffset: number;
  readonly current: RRset;
  readonly negative: RRset;
}

/** Made once per change, not once per NXDOMAIN. */
const SOAS = new WeakMap<ServedZone, Soas>();

function soasOf(served: ServedZone, { serialOffset }: ViewState): Soas {
  const known = SOAS.get(served);
  if (known !== undefined && (known.serialOffset === serialOffset || !isDynamic(served))) return known;
  const { soa, apex } = served.zone;
  const rdata = soa.rdatas[0]!;
  const serial = isDynamic(served) ? (soaSerial(rdata) + serialOffset) >>> 0 : soaSerial(rdata);
  const current = rrset(apex, soa.type, soa.ttlSeconds, [withSerial(rdata, serial)]);
  const negativeTtlSeconds = Math.min(soa.ttlSeconds, soaMinimum(rdata), served.negativeTtlSeconds);
  const made = { serialOffset, current, negative: { ...current, ttlSeconds: negativeTtlSeconds } };
  SOAS.set(served, made);
  return made;
}
