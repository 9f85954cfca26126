// service-binding.ts -- SVCB and HTTPS records of instances (RFC 9460)

import type { IpAddress } from '../base/ip.ts';
import { TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { WireWriter } from '../dns/wire-writer.ts';
import type { AnsweringInstance } from '../registry/member.ts';

/** Metadata that lists the protocols an instance speaks: `h2,http/1.1`. */
const ALPN_KEY = 'alpn';
/** The named port that HTTPS records carry. */
const HTTPS_PORT = 'https';
/** The first of all priorities: 0 would make an alias (section 2.4.1). */
const FIRST_PRIORITY = 1;

const KEY = { ALPN: 1, PORT: 3, IPV4_HINT: 4, IPV6_HINT: 6 } as const;

/** Where an instance is to be had, as a record of one of the two types says it. */
export interface Binding {
  readonly port: number;
  /** Value of the `alpn` parameter; empty: there is none. */
  readonly alpn: Uint8Array;
}

/**
 * What a record of `type`, SVCB or HTTPS, says of an instance. Undefined when there is to be none: an HTTPS record makes
 * browsers leave plain http (section 9.5), so it takes a port named `https`, or protocols in the metadata.
 */
export function bindingOf(type: number, { port, ports, meta }: AnsweringInstance): Binding | undefined {
  const alpn = Object.hasOwn(meta, ALPN_KEY) ? alpnOf(meta[ALPN_KEY]!) : NO_ALPN;
  if (type === TYPE.SVCB) return { port, alpn };
  const https = Object.hasOwn(ports, HTTPS_PORT) ? ports[HTTPS_PORT] : undefined;
  if (https?.proto === 'tcp') return { port: https.port, alpn };
  return alpn.length > 0 ? { port, alpn } : undefined;
}

/** RDATA in ServiceMode. `tier` counts from 0; `address` is the instance's, undefined for a host name. */
export function bindingRdata(
  tier: number,
  target: Name,
  { port, alpn }: Binding,
  address: IpAddress | undefined,
): Uint8Array {
  const writer = WireWriter.growing();
  writer.u16(FIRST_PRIORITY + tier);
  writer.octets(target);
  const parameter = (key: number, value: Uint8Array): void => {
    writer.u16(key);
    writer.u16(value.length);
    writer.octets(value);
  };
  // Keys ascend (section 2.2).
  if (alpn.length > 0) parameter(KEY.ALPN, alpn);
  parameter(KEY.PORT, Uint8Array.of(port >>> 8, port & 0xff));
  if (address !== undefined) parameter(address.family === 4 ? KEY.IPV4_HINT : KEY.IPV6_HINT, address.bytes);
  return writer.written().slice();
}

/** The target of SVCB or HTTPS RDATA; the root stands for the owner (section 2.5). */
export function bindingTarget(rdata: Uint8Array): Name {
  let end = 2;
  while (rdata[end] !== 0) end += rdata[end]! + 1;
  return rdata.subarray(2, end + 1) as Name;
}

const NO_ALPN = new Uint8Array(0);

/** Protocol ids behind their lengths, each once (section 7.1.1). What cannot be one is left out. */
function alpnOf(text: string): Uint8Array {
  const ids = new Set(text.split(',').map((each) => each.trim()));
  const octets: number[] = [];
  for (const id of ids) {
    if (/^[\x21-\x7e]{1,255}$/.test(id)) octets.push(id.length, ...Buffer.from(id, 'latin1'));
  }
  return octets.length === 0 ? NO_ALPN : Uint8Array.from(octets);
}
