// affinity.ts -- which instances are near a client: those of its zone, or of its subnet
//
// Zones and subnets that instances are in are numbered as homes, from 1 on; 0 is no home.

import { parseIp } from '../base/ip.ts';
import type { Member } from '../registry/member.ts';
import type { Affinity } from '../registry/policy.ts';
import { type ClientNetwork, wordAt } from './client-hash.ts';
import type { ClientZones } from './client-zones.ts';

/** What counts as one subnet, in leading bits. */
const SUBNET_BITS = { 4: 24, 6: 64 } as const;
const MAPPED_BITS = 96;

/** The homes of a service's instances. */
export interface Homes {
  /** Names by home; none for 0. */
  readonly names: readonly (string | undefined)[];
  /** The members of each home; nobody for 0. */
  readonly members: readonly (readonly Member[])[];
  /** The home of a client; 0 when it is not known, or nobody's. */
  of(client: ClientNetwork): number;
}

/** The homes that members are in. */
export function homesOf({ by }: Affinity, members: readonly Member[], zones: ClientZones): Homes {
  return by === 'zone' ? zoneHomes(members, zones) : subnetHomes(members);
}

function zoneHomes(all: readonly Member[], zones: ClientZones): Homes {
  const { names, members, homes } = number(all, ({ instance }) => instance.zone?.toLowerCase());
  const byZone = zones.names.map((zone) => homes.get(zone) ?? 0);
  return { names, members, of: (client) => byZone[zones.of(client)] ?? 0 };
}

function subnetHomes(all: readonly Member[]): Homes {
  const { names, members } = number(all, ({ instance }) => subnetOf(instance.address));
  // By the words that tell subnets apart: two for IPv6, the last one for IPv4.
  const ipv4 = new Map<number, number>();
  const ipv6 = new Map<number, Map<number, number>>();
  for (const [home, [first]] of members.entries()) {
    const bytes = first === undefined ? undefined : parseIp(first.instance.address)?.bytes;
    if (bytes?.length === 4) ipv4.set(wordAt(bytes, 0) >>> 8, home);
    else if (bytes !== undefined) {
      const high = wordAt(bytes, 0);
      ipv6.set(high, (ipv6.get(high) ?? new Map<number, number>()).set(wordAt(bytes, 4), home));
    }
  }
  return {
    names,
    members,
    of(client) {
      const octets = client.octets();
      if (wordAt(octets, 0) === 0 && wordAt(octets, 4) === 0 && wordAt(octets, 8) === 0xffff) {
        return client.knownBits < MAPPED_BITS + SUBNET_BITS[4] ? 0 : (ipv4.get(wordAt(octets, 12) >>> 8) ?? 0);
      }
      return client.knownBits < SUBNET_BITS[6] ? 0 : (ipv6.get(wordAt(octets, 0))?.get(wordAt(octets, 4)) ?? 0);
    },
  };
}

/** Members by what `nameOf` says of them; those of whom it says nothing are in no home. */
function number(all: readonly Member[], nameOf: (member: Member) => string | undefined) {
  const homes = new Map<string, number>();
  const names: (string | undefined)[] = [undefined];
  const members: Member[][] = [[]];
  for (const member of all) {
    const name = nameOf(member);
    if (name === undefined) continue;
    const home = homes.get(name) ?? names.push(name) - 1;
    homes.set(name, home);
    const own = members[home];
    if (own === undefined) members[home] = [member];
    else own.push(member);
  }
  return { homes, names, members };
}

/** The subnet of an address, as text; none of a host name's. */
function subnetOf(address: string): string | undefined {
  const ip = parseIp(address);
  if (ip === undefined) return undefined;
  const bits = SUBNET_BITS[ip.family];
  const network = ip.bytes.slice(0, bits / 8);
  return ip.family === 4 ? `${network.join('.')}.0/${bits}` : `${groups(network)}::/${bits}`;
}

function groups(network: Uint8Array): string {
  return Array.from({ length: network.length / 2 }, (_, i) =>
    ((network[i * 2]! << 8) | network[i * 2 + 1]!).toString(16),
  ).join(':');
}
