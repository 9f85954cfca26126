// proxy-header.ts -- the header of the PROXY protocol, version 2: who really asks, told by a load balancer in front of us
//
// https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt section 2.2. Version 1, which is text, is not taken: it is
// defined for TCP only. Nothing is guessed: from a trusted sender the header is there or the sender is not heard.

import { type IpAddress, ipFromBytes } from '../base/ip.ts';

/** `\r\n\r\n\0\r\nQUIT\n`: no beginning of a DNS message behind a length, and none of a TLS handshake. */
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const FIXED_BYTES = 16;
/** With room for what senders add: names, certificates, checksums. */
export const MAX_PROXY_HEADER = 2048;

const VERSION = 2;
const COMMAND = { LOCAL: 0, PROXY: 1 } as const;
/** By the upper half of the octet of families: octets of both addresses and both ports, and of one address. */
const FAMILIES: Readonly<Record<number, { readonly bytes: number; readonly address: number }>> = {
  1: { bytes: 12, address: 4 },
  2: { bytes: 36, address: 16 },
};

export interface ProxyHeader {
  /** Octets of the whole header. */
  readonly length: number;
  /** Who asks; undefined: the sender itself (LOCAL), or somebody that it does not tell an address of. */
  readonly source: IpAddress | undefined;
}

/** The header at the beginning of `octets`; `partial` when more of them may make one. */
export function readProxyHeader(octets: Uint8Array): ProxyHeader | 'partial' | 'malformed' {
  const compared = Math.min(octets.length, SIGNATURE.length);
  for (let i = 0; i < compared; i++) if (octets[i] !== SIGNATURE[i]) return 'malformed';
  if (octets.length < FIXED_BYTES) return 'partial';
  const [version, command] = [octets[12]! >> 4, octets[12]! & 15];
  if (version !== VERSION || command > COMMAND.PROXY) return 'malformed';
  const [family, transport] = [octets[13]! >> 4, octets[13]! & 15];
  const following = (octets[14]! << 8) | octets[15]!;
  const length = FIXED_BYTES + following;
  if (length > MAX_PROXY_HEADER) return 'malformed';
  const layout = FAMILIES[family];
  // Families and transports that nobody has defined; 3 is that of Unix sockets.
  if (command === COMMAND.PROXY && (family > 3 || transport > 2)) return 'malformed';
  if (command === COMMAND.PROXY && layout !== undefined && following < layout.bytes) return 'malformed';
  if (octets.length < length) return 'partial';
  const isTold = command === COMMAND.PROXY && layout !== undefined;
  const source = isTold ? ipFromBytes(octets.slice(FIXED_BYTES, FIXED_BYTES + layout.address)) : undefined;
  return { length, source };
}
