// sockaddr-client.ts -- who sent a datagram, read from where the system wrote it only when somebody asks

import { type Client, writeAddress } from '../nameserver/client.ts';

/** Where the address begins in a sockaddr_in and a sockaddr_in6, and in the octets of a client. */
const IPV4 = { from: 4, to: 12 };
const IPV6 = { from: 8, to: 0 };

/** A client in a slab of sockaddr_in or sockaddr_in6; `at` is where its own begins. */
export class SockaddrClient implements Client {
  readonly knownBits = 128;
  at = 0;
  readonly #slab: Uint8Array;
  readonly #from: number;
  readonly #to: number;
  readonly #octets = new Uint8Array(16);

  constructor(slab: Uint8Array, family: 4 | 6) {
    const { from, to } = family === 4 ? IPV4 : IPV6;
    this.#slab = slab;
    this.#from = from;
    this.#to = to;
    if (family === 4) writeAddress(new Uint8Array(4), this.#octets);
  }

  octets(): Uint8Array {
    const octets = this.#octets;
    // A loop: for so few octets, a view and a copy would cost several times as much.
    for (let i = this.#to, from = this.at + this.#from; i < 16; i++, from++) octets[i] = this.#slab[from]!;
    return octets;
  }
}
