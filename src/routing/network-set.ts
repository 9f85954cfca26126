// network-set.ts -- is a client in one of some networks?

import type { IpPrefix } from '../base/ip.ts';
import type { ClientNetwork } from './client-hash.ts';
import { NetworkMap, SMALLEST } from './network-map.ts';

const MEMBER = 1;

export class NetworkSet {
  readonly #map: NetworkMap;

  constructor(networks: readonly IpPrefix[]) {
    this.#map = new NetworkMap(
      networks.map((prefix) => ({ prefix, value: MEMBER })),
      SMALLEST,
    );
  }

  /** Of a client that is known in part: wherever it may be. */
  has(client: ClientNetwork): boolean {
    return this.#map.lookup(client) === MEMBER;
  }
}
