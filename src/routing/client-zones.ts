// client-zones.ts -- which zone a client is in: the `dns.clientZones` of the configuration

import { type IpPrefix, parseNetwork } from '../base/ip.ts';
import type { ClientNetwork } from './client-hash.ts';
import { NetworkMap, SMALLEST } from './network-map.ts';

/** A zone and the networks in it. */
export interface ClientZone {
  readonly zone: string;
  readonly networks: readonly IpPrefix[];
}

export class ClientZones {
  /** In lower case, as zones are compared. */
  readonly names: readonly string[];
  readonly #map: NetworkMap;

  /** Where networks of several zones hold an address, the smallest decides. */
  constructor(zones: readonly ClientZone[]) {
    this.names = zones.map(({ zone }) => zone.toLowerCase());
    const networks = zones.flatMap(({ networks }, i) => networks.map((prefix) => ({ prefix, value: i + 1 })));
    this.#map = new NetworkMap(networks, SMALLEST);
  }

  /** The index in `names` of a client's zone; -1: it is in none, or not known to be in one. */
  of(client: ClientNetwork): number {
    return this.#map.lookup(client) - 1;
  }
}

/** Without a configuration nobody is in any zone. */
export const NO_CLIENT_ZONES = new ClientZones([]);

/** Every client is in one and the same zone. */
export function zoneOfAll(zone: string): ClientZones {
  return new ClientZones([{ zone, networks: ['0.0.0.0/0', '::/0'].flatMap((text) => parseNetwork(text) ?? []) }]);
}
