// dnssec-field.ts -- the fields only DNSSEC records have: dates, type bitmaps, salts, hashed owners (RFC 4034, 5155)

import { formatType, parseType } from '../codes.ts';
import { errorAt } from '../token-cursor.ts';
import { formErr } from '../wire-reader.ts';
import type { Field } from './field.ts';

/** Seconds since 1970 modulo 2^32, written YYYYMMDDHHmmSS or as the number (RFC 4034 section 3.2). */
export function signatureTime(what: string): Field {
  return {
    transfer: (reader, _end, writer) => writer.u32(reader.u32()),
    parse(tokens, writer) {
      const token = tokens.take(what);
      const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(token.text);
      if (parts === null) {
        if (!/^\d{1,10}$/.test(token.text) || Number(token.text) > 0xffffffff) throw errorAt(token, `bad ${what}`);
        writer.u32(Number(token.text));
        return;
      }
      const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [number, ...number[]];
      const milliseconds = Date.UTC(year, month! - 1, day, hour, minute, second);
      if (milliseconds < 0 || formatTime(milliseconds / 1000) !== token.text)
        throw errorAt(token, `${what} is not a date`);
      writer.u32((milliseconds / 1000) % 2 ** 32);
    },
    format: (reader) => formatTime(reader.u32()),
  };
}

function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$|\D/g, '');
}

/** The types present at a name (RFC 4034 section 4.1.2): windows ascending, none empty, no trailing zero octet. */
export function typeBitmap(): Field {
  return {
    transfer(reader, end, writer) {
      let last = -1;
      while (reader.offset < end) {
        const window = reader.u8();
        const length = reader.u8();
        if (window <= last || length < 1 || length > 32) throw formErr('bad type bitmap');
        const bits = reader.octets(length);
        if (bits[length - 1] === 0) throw formErr('bad type bitmap');
        writer.u8(window);
        writer.u8(length);
        writer.octets(bits);
        last = window;
      }
    },
    parse(tokens, writer) {
      const windows = new Map<number, Uint8Array>();
      while (!tokens.isDone) {
        const token = tokens.take('type');
        const type = parseType(token.text);
        if (type === undefined) throw errorAt(token, `unknown type '${token.text}'`);
        const bits = windows.get(type >> 8) ?? new Uint8Array(32);
        bits[(type & 0xff) >> 3]! |= 0x80 >> (type & 7);
        windows.set(type >> 8, bits);
      }
      for (const [window, bits] of [...windows].sort(([a], [b]) => a - b)) {
        const length = bits.findLastIndex((octet) => octet !== 0) + 1;
        writer.u8(window);
        writer.u8(length);
        writer.octets(bits.subarray(0, length));
      }
    },
    format(reader, end) {
      const types: string[] = [];
      while (reader.offset < end) {
        const window = reader.u8();
        const bits = reader.octets(reader.u8());
        for (let bit = 0; bit < bits.length * 8; bit++) {
          if (bits[bit >> 3]! & (0x80 >> (bit & 7))) types.push(formatType(window * 256 + bit));
        }
      }
      return types.join(' ');
    },
  };
}

/** A salt in hexadecimal behind its length, `-` when empty (RFC 5155 section 3.3). */
export function salt(): Field {
  return {
    transfer(reader, _end, writer) {
      const length = reader.u8();
      writer.u8(length);
      writer.octets(reader.octets(length));
    },
    parse(tokens, writer) {
      const token = tokens.take('salt');
      const octets = Buffer.from(token.text === '-' ? '' : token.text, 'hex');
      if (token.text !== '-' && !/^(?:[0-9A-Fa-f]{2}){1,255}$/.test(token.text)) throw errorAt(token, 'bad salt');
      writer.u8(octets.length);
      writer.octets(octets);
    },
    format(reader) {
      const octets = reader.octets(reader.u8());
      return octets.length === 0 ? '-' : Buffer.from(octets).toString('hex').toUpperCase();
    },
  };
}

const BASE32HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

/** The next hashed owner in unpadded base32hex behind its length (RFC 5155 section 3.3). */
export function hashedOwner(): Field {
  return {
    transfer(reader, _end, writer) {
      const length = reader.u8();
      if (length === 0) throw formErr('empty hash');
      writer.u8(length);
      writer.octets(reader.octets(length));
    },
    parse(tokens, writer) {
      const token = tokens.take('next hashed owner');
      if (!/^[0-9A-Va-v]{2,408}$/.test(token.text)) throw errorAt(token, 'hash must be base32hex');
      const octets = Uint8Array.from(decodeBase32Hex(token.text.toUpperCase()));
      if (encodeBase32Hex(octets) !== token.text.toUpperCase()) throw errorAt(token, 'hash does not end with an octet');
      writer.u8(octets.length);
      writer.octets(octets);
    },
    format: (reader) => encodeBase32Hex(reader.octets(reader.u8())),
  };
}

function decodeBase32Hex(text: string): number[] {
  const octets: number[] = [];
  let bits = 0;
  let held = 0;
  for (const character of text) {
    held = (held << 5) | BASE32HEX.indexOf(character);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    octets.push((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return octets;
}

function encodeBase32Hex(octets: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const octet of octets) {
    held = (held << 8) | octet;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32HEX[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32HEX[(held << (5 - bits)) & 31] : text;
}
