// connection-client.ts -- who asks over a stream: one client for as long as the connection lasts

import { type IpAddress, parseIp } from '../base/ip.ts';
import { type Client, writeAddress } from '../nameserver/client.ts';

const ADDRESS_BITS = 128;

export class ConnectionClient implements Client {
  readonly knownBits = ADDRESS_BITS;
  readonly #octets = new Uint8Array(16);
  readonly #timeout: () => number;
  /** The client was told that it should go (RFC 7828 section 3.4). */
  isToldToGo = false;

  /** `timeout` is how long an idle connection is kept from now on, in tenths of a second. */
  constructor(address: IpAddress | undefined, timeout: () => number) {
    this.#timeout = timeout;
    writeAddress(address?.bytes ?? UNKNOWN, this.#octets);
  }

  octets(): Uint8Array {
    return this.#octets;
  }

  /** To be read when it is told to the client and not otherwise: after a 0 the connection ends with its replies. */
  get keepaliveDeciseconds(): number {
    const timeout = this.#timeout();
    if (timeout === 0) this.isToldToGo = true;
    return timeout;
  }
}

const UNKNOWN = new Uint8Array(4);

/** The address of a socket's other side; undefined when it is gone. The zone of a link-local address is left out. */
export function peerAddress(remoteAddress: string | undefined): IpAddress | undefined {
  return parseIp((remoteAddress ?? '').replace(/%.*$/s, ''));
}
