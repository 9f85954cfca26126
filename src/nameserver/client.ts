// client.ts -- who asks, as the sockets hand it over: decoded only when an answer depends on it

import { type IpPrefix, parseIp } from '../base/ip.ts';
import type { ClientNetwork } from '../routing/client-hash.ts';

/** The sender of a query. Sockets use one again and again; nobody keeps it or its octets. */
export interface Client extends ClientNetwork {
  /** On a stream: how long it may be idle, in tenths of a second, 0 to 65,535, for clients that ask (RFC 7828). */
  readonly keepaliveDeciseconds?: number | undefined;
}

const ADDRESS_BITS = 128;
/** 0.0.0.0 stands for an address that is not known. */
const UNKNOWN = new Uint8Array(4);

/** A client by the text of its address, as node:dgram and node:net tell it. */
export class AddressClient implements Client {
  readonly knownBits = ADDRESS_BITS;
  readonly #octets = new Uint8Array(16);
  #text = '';
  #isDecoded = false;

  constructor(text = '') {
    this.#text = text;
  }

  set text(text: string) {
    this.#text = text;
    this.#isDecoded = false;
  }

  octets(): Uint8Array {
    if (!this.#isDecoded) {
      // The zone of a link-local address is the server's own name for an interface.
      writeAddress(parseIp(this.#text.replace(/%.*$/s, ''))?.bytes ?? UNKNOWN, this.#octets);
      this.#isDecoded = true;
    }
    return this.#octets;
  }
}

/** The client that an address stands for, or a network of which no more is told (RFC 7871). */
export function prefixClient({ bytes, length }: IpPrefix): Client {
  const octets = new Uint8Array(16);
  writeAddress(bytes, octets);
  return { octets: () => octets, knownBits: length + (bytes.length === 4 ? ADDRESS_BITS - 32 : 0) };
}

/** Write 4 or 16 octets as 16 (RFC 4291 section 2.5.5.2). */
export function writeAddress(bytes: Uint8Array, octets: Uint8Array): void {
  if (bytes.length === 16) {
    octets.set(bytes);
    return;
  }
  octets.fill(0, 0, 10);
  octets.fill(0xff, 10, 12);
  octets.set(bytes, 12);
}
