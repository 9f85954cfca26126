// forward-crowd.ts -- how many clients wait for upstreams at once, and from where: one network must not take all places

import { isMapped } from '../base/ip.ts';
import type { Client } from '../nameserver/client.ts';

/** Clients that wait, all together. */
const MAX_WAITING = 4096;
/** From one network: a /24 of IPv4, a /56 of IPv6. */
const MAX_WAITING_PER_NETWORK = 512;
const IPV4_OCTETS = 15;
const IPV6_OCTETS = 7;

/** Takes places, and gives them back. */
export class ForwardCrowd {
  readonly #byNetwork = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A place for a client; undefined when there is none. Call what is returned once, to give it back. */
  enter(client: Client): (() => void) | undefined {
    const network = networkOf(client.octets());
    const there = this.#byNetwork.get(network) ?? 0;
    if (this.#size >= MAX_WAITING || there >= MAX_WAITING_PER_NETWORK) return undefined;
    this.#byNetwork.set(network, there + 1);
    this.#size++;
    return () => {
      this.#size--;
      const left = this.#byNetwork.get(network)! - 1;
      if (left === 0) this.#byNetwork.delete(network);
      else this.#byNetwork.set(network, left);
    };
  }
}

function networkOf(octets: Uint8Array): string {
  return Buffer.from(octets.subarray(0, isMapped(octets) ? IPV4_OCTETS : IPV6_OCTETS)).toString('latin1');
}
