// proxy-header.ts -- headers of the PROXY protocol, version 2, as a load balancer would send them

import { parseIp } from '../../src/base/ip.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** What differs from a header that is in order. */
export interface HeaderOptions {
  readonly signature?: Uint8Array;
  readonly version?: number;
  readonly command?: number;
  readonly family?: number;
  readonly transport?: number;
  /** Behind the addresses. */
  readonly more?: Uint8Array;
  /** What the header says of its length. */
  readonly announced?: number;
}

/** A header that tells `source`, and 203.0.113.1 or 2001:db8::1 as the address that was asked. */
export function proxyHeader(source: string, options: HeaderOptions = {}): Buffer {
  const { bytes, family } = parseIp(source)!;
  const asked = parseIp(family === 4 ? '203.0.113.1' : '2001:db8::1')!.bytes;
  const { signature = SIGNATURE, version = 2, command = 1, transport = 1, more = new Uint8Array(0) } = options;
  const body = Buffer.concat([bytes, asked, Uint8Array.of(0x30, 0x39, 0, 53), more]);
  const fixed = Buffer.alloc(4);
  fixed[0] = (version << 4) | command;
  fixed[1] = ((options.family ?? (family === 4 ? 1 : 2)) << 4) | transport;
  fixed.writeUInt16BE(options.announced ?? body.length, 2);
  return Buffer.concat([signature, fixed, body]);
}
