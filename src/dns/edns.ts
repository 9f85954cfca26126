// edns.ts -- EDNS(0): the OPT pseudo-record (RFC 6891), options kept raw

import { TYPE } from './codes.ts';
import { formErr, type WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

/** One option, as it travels; `data` is a view into the message when it was read from one. */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** What an OPT record says. */
export interface Edns {
  /** The sender's UDP payload size, as sent; below 512 it means 512 (section 6.2.3). */
  readonly udpSize: number;
  /** The upper eight bits of the rcode. */
  readonly extendedRcode: number;
  readonly version: number;
  /** DNSSEC OK (RFC 3225). */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

/** The octets of an OPT record without options. */
export const OPT_LENGTH = 11;
const DNSSEC_OK = 0x8000;
/** More options than anybody has reason to send; a large datagram of empty ones would be 16,000. */
const MAX_OPTIONS = 128;

/** Read an OPT record from behind its type; the owner must have been the root. Throws WireError. */
export function readOpt(reader: WireReader): Edns {
  const udpSize = reader.u16();
  const extendedRcode = reader.u8();
  const version = reader.u8();
  const flags = reader.u16();
  const length = reader.u16();
  const end = reader.offset + length;
  if (end > reader.bytes.length) throw formErr('OPT runs past the end');
  const options: EdnsOption[] = [];
  while (reader.offset < end) {
    const code = reader.u16();
    const data = reader.octets(reader.u16());
    if (reader.offset > end) throw formErr('EDNS option runs past the OPT record');
    if (options.length === MAX_OPTIONS) throw formErr('too many EDNS options');
    options.push({ code, data });
  }
  return { udpSize, extendedRcode, version, dnssecOk: (flags & DNSSEC_OK) !== 0, options };
}

/** Write an OPT record. Unknown flags are sent as zero (RFC 6891 section 6.1.4). */
export function writeOpt(writer: WireWriter, edns: Edns): void {
  writer.u8(0);
  writer.u16(TYPE.OPT);
  writer.u16(edns.udpSize);
  writer.u8(edns.extendedRcode);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? DNSSEC_OK : 0);
  writer.u16(edns.options.reduce((sum, option) => sum + 4 + option.data.length, 0));
  for (const option of edns.options) {
    writer.u16(option.code);
    writer.u16(option.data.length);
    writer.octets(option.data);
  }
}

/** An extended error (RFC 8914): its code and a text for people. */
export function extendedErrorOption(optionCode: number, infoCode: number, text: string): EdnsOption {
  const data = Buffer.alloc(2 + Buffer.byteLength(text));
  data.writeUInt16BE(infoCode);
  data.write(text, 2);
  return { code: optionCode, data };
}
