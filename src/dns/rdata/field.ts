// field.ts -- the building blocks of RDATA: each knows its wire form, its text, and how to pass between messages
//
// RDATA is kept as uncompressed wire octets. A type's shape is a list of fields, and everything the codec does with
// RDATA follows from the shape, so a new type is one line in a family file.

import { ipFromBytes, parseIp } from '../../base/ip.ts';
import { formatType, parseType } from '../codes.ts';
import { foldOctet, formatName } from '../name.ts';
import { parsePeriod } from '../period.ts';
import { errorAt, formatString, type TokenCursor, tokenOctets } from '../token-cursor.ts';
import { formErr, type WireReader } from '../wire-reader.ts';
import type { WireWriter } from '../wire-writer.ts';

/** One part of an RDATA. */
export interface Field {
  /**
   * Pass the field from `reader` to `writer`, checking it: from a message into stored form (names expanded), or from
   * stored form into a message (names compressed where the type allows). `end` is where the RDATA ends.
   * Throws WireError.
   */
  transfer(reader: WireReader, end: number, writer: WireWriter): void;
  /** Read the field's text. Throws PresentationError. */
  parse(tokens: TokenCursor, writer: WireWriter): void;
  /** The field's text; the reader is over stored form. */
  format(reader: WireReader, end: number): string;
}

/** An unsigned number of 1, 2 or 4 octets. */
export function unsigned(what: string, octets: 1 | 2 | 4): Field {
  const read = (reader: WireReader): number =>
    octets === 1 ? reader.u8() : octets === 2 ? reader.u16() : reader.u32();
  const write = (writer: WireWriter, value: number): void => {
    if (octets === 1) writer.u8(value);
    else if (octets === 2) writer.u16(value);
    else writer.u32(value);
  };
  return {
    transfer: (reader, _end, writer) => write(writer, read(reader)),
    parse: (tokens, writer) => write(writer, tokens.takeNumber(what, 2 ** (8 * octets) - 1)),
    format: (reader) => String(read(reader)),
  };
}

/** A time of 32 bits in seconds; read with units too, as the SOA's are usually written (`1h`). */
export function period(what: string): Field {
  return {
    transfer: (reader, _end, writer) => writer.u32(reader.u32()),
    parse(tokens, writer) {
      const token = tokens.take(what);
      const seconds = parsePeriod(token.text, 0xffffffff);
      if (seconds === undefined)
        throw errorAt(token, `${what} must be a time of at most 2^32 - 1 s, not '${token.text}'`);
      writer.u32(seconds);
    },
    format: (reader) => String(reader.u32()),
  };
}

/**
 * A name. `well-known` (RFC 1035 types) is compressed; `legacy` (SRV, NAPTR) is never compressed by us but read either
 * way (RFC 3597 section 4); `modern` is never compressed and an error when it is.
 */
export function domainName(what: string, rule: 'well-known' | 'legacy' | 'modern'): Field {
  return {
    transfer: (reader, _end, writer) => writer.name(reader.name(rule !== 'modern'), rule === 'well-known'),
    parse: (tokens, writer) => writer.name(tokens.takeName(what), false),
    format: (reader) => formatName(reader.name(false)),
  };
}

/** An IPv4 or IPv6 address. */
export function address(family: 4 | 6): Field {
  const length = family === 4 ? 4 : 16;
  return {
    transfer: (reader, _end, writer) => writer.octets(reader.octets(length)),
    parse(tokens, writer) {
      const token = tokens.take(`IPv${family} address`);
      const octets = parseAddress(token.text, family);
      if (octets === undefined) throw errorAt(token, `'${token.text}' is not an IPv${family} address`);
      writer.octets(octets);
    },
    format: (reader) => formatAddress(reader.octets(length)),
  };
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The octets of an address as it is spelled: an IPv4-mapped one is of family 6. Undefined when of the other family. */
export function parseAddress(text: string, family: 4 | 6): Uint8Array | undefined {
  const parsed = parseIp(text);
  if (parsed === undefined || text.includes(':') !== (family === 6)) return undefined;
  return family === 6 && parsed.family === 4 ? Uint8Array.from([...MAPPED, ...parsed.bytes]) : parsed.bytes;
}

/** The text of an address of 4 or 16 octets, in the family of its length. */
export function formatAddress(octets: Uint8Array): string {
  const { family, text } = ipFromBytes(octets);
  return family === 4 && octets.length === 16 ? `::ffff:${text}` : text;
}

/** A character-string: up to 255 octets behind their length (RFC 1035 section 3.3). */
export function characterString(what: string): Field {
  return {
    transfer(reader, _end, writer) {
      const length = reader.u8();
      writer.u8(length);
      writer.octets(reader.octets(length));
    },
    parse(tokens, writer) {
      const octets = tokens.takeString(what, 255);
      writer.u8(octets.length);
      writer.octets(octets);
    },
    format: (reader) => formatString(reader.octets(reader.u8())),
  };
}

/** Character-strings to the end, at least one (TXT). */
export function characterStrings(what: string): Field {
  const each = characterString(what);
  return {
    transfer(reader, end, writer) {
      // Walked, then copied as a whole: a message may hold thousands of empty ones.
      const start = reader.offset;
      do reader.skip(reader.u8());
      while (reader.offset < end);
      writer.octets(reader.bytes.subarray(start, end));
    },
    parse(tokens, writer) {
      do each.parse(tokens, writer);
      while (!tokens.isDone);
    },
    format(reader, end) {
      const parts: string[] = [];
      do parts.push(each.format(reader, end));
      while (reader.offset < end);
      return parts.join(' ');
    },
  };
}

/** All remaining octets as one quoted string (CAA value, URI target). */
export function quotedRest(what: string): Field {
  return {
    transfer: restTransfer,
    parse: (tokens, writer) => writer.octets(tokenOctets(tokens.take(what))),
    format: (reader, end) => formatString(reader.octets(end - reader.offset)),
  };
}

/** A tag of letters and digits behind its length (CAA, RFC 8659 section 4.1). */
export function propertyTag(what: string): Field {
  return {
    transfer(reader, _end, writer) {
      const tag = reader.octets(reader.u8());
      // Anything else would also reach the text of the record as it is.
      if (tag.length === 0 || !tag.every(isAlphanumeric)) throw formErr(`${what} must be letters and digits`);
      writer.u8(tag.length);
      writer.octets(tag);
    },
    parse(tokens, writer) {
      const token = tokens.take(what);
      if (!/^[A-Za-z0-9]{1,255}$/.test(token.text)) throw errorAt(token, `${what} must be letters and digits`);
      writer.u8(token.text.length);
      writer.octets(Buffer.from(token.text));
    },
    format: (reader) => Buffer.from(reader.octets(reader.u8())).toString('latin1'),
  };
}

function isAlphanumeric(octet: number): boolean {
  const letter = foldOctet(octet);
  return (letter >= 0x61 && letter <= 0x7a) || (octet >= 0x30 && octet <= 0x39);
}

/** All remaining octets in hexadecimal; `minimum` octets at least. */
export function hexRest(what: string, minimum = 0): Field {
  return {
    transfer(reader, end, writer) {
      if (end - reader.offset < minimum) throw formErr(`${what} is too short`);
      restTransfer(reader, end, writer);
    },
    parse(tokens, writer) {
      if (tokens.isDone && minimum === 0) return;
      const { text, token } = tokens.takeRest(what);
      if (!/^(?:[0-9A-Fa-f]{2})*$/.test(text)) throw errorAt(token, `${what} must be hexadecimal`);
      writer.octets(Buffer.from(text, 'hex'));
    },
    format: (reader, end) =>
      Buffer.from(reader.octets(end - reader.offset))
        .toString('hex')
        .toUpperCase(),
  };
}

/** All remaining octets in base64, at least one. */
export function base64Rest(what: string): Field {
  return {
    transfer(reader, end, writer) {
      if (end <= reader.offset) throw formErr(`${what} is empty`);
      restTransfer(reader, end, writer);
    },
    parse(tokens, writer) {
      const { text, token } = tokens.takeRest(what);
      const octets = parseBase64(text);
      if (octets === undefined) throw errorAt(token, `${what} must be base64`);
      writer.octets(octets);
    },
    format: (reader, end) => Buffer.from(reader.octets(end - reader.offset)).toString('base64'),
  };
}

/** The octets of padded base64 in its one canonical form; undefined when it is empty or anything else. */
export function parseBase64(text: string): Uint8Array | undefined {
  const octets = Buffer.from(text, 'base64');
  return text !== '' && octets.toString('base64') === text ? octets : undefined;
}

/** A type code by mnemonic (RRSIG's type covered). */
export function typeCode(what: string): Field {
  return {
    transfer: (reader, _end, writer) => writer.u16(reader.u16()),
    parse(tokens, writer) {
      const token = tokens.take(what);
      const type = parseType(token.text);
      if (type === undefined) throw errorAt(token, `unknown type '${token.text}'`);
      writer.u16(type);
    },
    format: (reader) => formatType(reader.u16()),
  };
}

function restTransfer(reader: WireReader, end: number, writer: WireWriter): void {
  writer.octets(reader.octets(end - reader.offset));
}
