// basic.ts -- the RDATA of RFC 1035, and AAAA (RFC 3596)

import { TYPE } from '../codes.ts';
import type { Name } from '../name.ts';
import { WireWriter } from '../wire-writer.ts';
import { address, characterString, characterStrings, domainName, period, unsigned } from './field.ts';
import type { Shapes } from './shape.ts';

/**
 * A, AAAA, NS, CNAME, PTR, SOA, MX, TXT, HINFO; their names may be compressed, those of RP and AFSDB (RFC 1183) only when
 * others do it (RFC 3597 section 4).
 */
export const BASIC: Shapes = [
  [TYPE.A, [address(4)]],
  [TYPE.AAAA, [address(6)]],
  [TYPE.NS, [domainName('name server', 'well-known')]],
  [TYPE.CNAME, [domainName('target', 'well-known')]],
  [TYPE.PTR, [domainName('target', 'well-known')]],
  [
    TYPE.SOA,
    [
      domainName('primary server', 'well-known'),
      domainName('mailbox', 'well-known'),
      unsigned('serial', 4),
      period('refresh'),
      period('retry'),
      period('expire'),
      period('minimum'),
    ],
  ],
  [TYPE.MX, [unsigned('preference', 2), domainName('exchange', 'well-known')]],
  [TYPE.TXT, [characterStrings('text')]],
  [TYPE.HINFO, [characterString('CPU'), characterString('OS')]],
  [TYPE.RP, [domainName('mailbox', 'legacy'), domainName('text name', 'legacy')]],
  [TYPE.AFSDB, [unsigned('subtype', 2), domainName('host', 'legacy')]],
];

/** The fields of an SOA; times in seconds. */
export interface SoaFields {
  readonly primary: Name;
  readonly mailbox: Name;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  readonly minimumSeconds: number;
}

/** SOA RDATA. */
export function soaRdata(fields: SoaFields): Uint8Array {
  const writer = WireWriter.growing(96);
  writer.name(fields.primary, false);
  writer.name(fields.mailbox, false);
  writer.u32(fields.serial);
  writer.u32(fields.refreshSeconds);
  writer.u32(fields.retrySeconds);
  writer.u32(fields.expireSeconds);
  writer.u32(fields.minimumSeconds);
  return writer.written().slice();
}

/** SOA RDATA ends in five 32-bit numbers; the first of them is the serial, the last the minimum. */
const SOA_SERIAL_FROM_END = 20;
const SOA_MINIMUM_FROM_END = 4;

/** The MINIMUM field: the negative TTL, in seconds (RFC 2308 section 4). */
export function soaMinimum(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.length).getUint32(rdata.length - SOA_MINIMUM_FROM_END);
}

/** The SERIAL field. */
export function soaSerial(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.length).getUint32(rdata.length - SOA_SERIAL_FROM_END);
}

/** The same SOA with another serial. */
export function withSerial(rdata: Uint8Array, serial: number): Uint8Array {
  const copy = new Uint8Array(rdata);
  new DataView(copy.buffer).setUint32(copy.length - SOA_SERIAL_FROM_END, serial);
  return copy;
}

/** TXT RDATA of one or more strings, each at most 255 octets; longer ones are the caller's to split. */
export function txtRdata(strings: readonly Uint8Array[]): Uint8Array {
  const writer = WireWriter.growing();
  for (const each of strings.length > 0 ? strings : [new Uint8Array(0)]) {
    if (each.length > 255) throw new RangeError('a TXT string has at most 255 octets');
    writer.u8(each.length);
    writer.octets(each);
  }
  return writer.written().slice();
}
