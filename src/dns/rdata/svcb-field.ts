// svcb-field.ts -- the parameters of SVCB and HTTPS records (RFC 9460 section 2)

import type { Token } from '../lexer.ts';
import { errorAt, formatString, tokenOctets } from '../token-cursor.ts';
import { formErr, WireReader } from '../wire-reader.ts';
import { WireWriter } from '../wire-writer.ts';
import { type Field, formatAddress, parseAddress, parseBase64 } from './field.ts';

const KEY_NAMES = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath', 'ohttp'];
const MANDATORY = 0;
const ALPN = 1;
const NO_DEFAULT_ALPN = 2;
const PORT = 3;
const IPV4_HINT = 4;
const ECH = 5;
const IPV6_HINT = 6;
const OHTTP = 8;
/** Reserved as never valid (section 14.3.2). */
const INVALID_KEY = 65535;

/** All parameters to the end of the RDATA, keys strictly ascending, values well-formed (section 2.2). */
export function serviceParameters(): Field {
  return {
    transfer(reader, end, writer) {
      // Checked one by one, then copied as a whole: a message may hold thousands of empty ones.
      const start = reader.offset;
      let last = -1;
      while (reader.offset < end) {
        const key = reader.u16();
        if (key <= last || key === INVALID_KEY) throw formErr('SVCB keys do not ascend');
        const length = reader.u16();
        const valueAt = reader.offset;
        reader.skip(length);
        if (reader.offset > end) throw formErr('SVCB parameter runs past its RDATA');
        const isWellFormed = IS_WELL_FORMED[key]?.(reader.bytes.subarray(valueAt, reader.offset)) ?? true;
        if (!isWellFormed) throw formErr(`bad value for '${formatKey(key)}'`);
        last = key;
      }
      writer.octets(reader.bytes.subarray(start, reader.offset));
    },
    parse(tokens, writer) {
      const parameters = new Map<number, Uint8Array>();
      let token: Token | undefined;
      while (!tokens.isDone) {
        token = tokens.take('parameter');
        const { key, value } = parseParameter(token);
        if (parameters.has(key)) throw errorAt(token, `parameter '${formatKey(key)}' stands twice`);
        parameters.set(key, value);
      }
      if (token !== undefined) checkMandatory(parameters, token);
      for (const [key, value] of [...parameters].sort(([a], [b]) => a - b)) {
        writer.u16(key);
        writer.u16(value.length);
        writer.octets(value);
      }
    },
    format(reader, end) {
      const parts: string[] = [];
      while (reader.offset < end) parts.push(formatParameter(reader.u16(), reader.octets(reader.u16())));
      return parts.join(' ');
    },
  };
}

function parseKey(text: string): number | undefined {
  const known = KEY_NAMES.indexOf(text);
  if (known >= 0) return known;
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(text);
  return digits !== null && Number(digits[1]) < INVALID_KEY ? Number(digits[1]) : undefined;
}

function formatKey(key: number): string {
  return KEY_NAMES[key] ?? `key${key}`;
}

function parseParameter(token: Token): { key: number; value: Uint8Array } {
  const equals = token.text.indexOf('=');
  const keyText = equals < 0 ? token.text : token.text.slice(0, equals);
  const key = parseKey(keyText);
  if (key === undefined) throw errorAt(token, `unknown parameter '${keyText}'`);
  const text = equals < 0 ? '' : token.text.slice(equals + 1);
  return { key, value: parseValue(key, text, token) };
}

function parseValue(key: number, text: string, token: Token): Uint8Array {
  const fail = (): never => {
    throw errorAt(token, `bad value for '${formatKey(key)}'`);
  };
  const plain = tokenOctets({ ...token, text });
  const list = (): string[] => (text === '' ? fail() : Buffer.from(plain).toString('latin1').split(','));
  const writer = WireWriter.growing();
  switch (key) {
    case MANDATORY: {
      const keys = list().map((each) => parseKey(each) ?? fail());
      if (new Set(keys).size !== keys.length || keys.includes(MANDATORY)) fail();
      for (const each of keys.sort((a, b) => a - b)) writer.u16(each);
      break;
    }
    case ALPN:
      for (const protocol of splitAlpn(plain) ?? fail()) {
        if (protocol.length < 1 || protocol.length > 255) fail();
        writer.u8(protocol.length);
        writer.octets(protocol);
      }
      if (writer.offset === 0) fail();
      break;
    case NO_DEFAULT_ALPN:
    case OHTTP:
      if (text !== '') fail();
      break;
    case PORT:
      if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) fail();
      writer.u16(Number(text));
      break;
    case IPV4_HINT:
    case IPV6_HINT:
      for (const each of list()) {
        writer.octets(parseAddress(each, key === IPV4_HINT ? 4 : 6) ?? fail());
      }
      break;
    case ECH:
      writer.octets(parseBase64(text) ?? fail());
      break;
    default:
      writer.octets(plain);
  }
  return writer.written().slice();
}

/** A comma separates protocols, `\,` is a comma and `\\` a backslash, and there is no other escape (appendix A.1). */
function splitAlpn(octets: Uint8Array): Uint8Array[] | undefined {
  const protocols: number[][] = [[]];
  for (let i = 0; i < octets.length; i++) {
    if (octets[i] === 0x2c) protocols.push([]);
    else if (octets[i] !== 0x5c) protocols.at(-1)!.push(octets[i]!);
    else if (octets[i + 1] === 0x2c || octets[i + 1] === 0x5c) protocols.at(-1)!.push(octets[++i]!);
    else return undefined;
  }
  return protocols.map((each) => Uint8Array.from(each));
}

/** Has the value the form that its key, a known one, asks for? By key. */
const IS_WELL_FORMED: readonly ((value: Uint8Array) => boolean)[] = [
  isKeyList,
  isProtocolList,
  ({ length }) => length === 0,
  ({ length }) => length === 2,
  ({ length }) => length > 0 && length % 4 === 0,
  ({ length }) => length > 0,
  ({ length }) => length > 0 && length % 16 === 0,
  () => true,
  ({ length }) => length === 0,
];

function isKeyList(value: Uint8Array): boolean {
  let last = MANDATORY;
  for (const reader = new WireReader(value); reader.remaining > 0; ) {
    const key = reader.remaining > 1 ? reader.u16() : 0;
    if (key <= last) return false;
    last = key;
  }
  return value.length > 0;
}

function isProtocolList(value: Uint8Array): boolean {
  let at = 0;
  while (at < value.length && value[at] !== 0) at += value[at]! + 1;
  return value.length > 0 && at === value.length;
}

function checkMandatory(parameters: ReadonlyMap<number, Uint8Array>, token: Token): void {
  const mandatory = parameters.get(MANDATORY);
  if (mandatory !== undefined) {
    for (const reader = new WireReader(mandatory); reader.remaining > 0; ) {
      const key = reader.u16();
      if (!parameters.has(key)) throw errorAt(token, `mandatory parameter '${formatKey(key)}' is missing`);
    }
  }
  if (parameters.has(NO_DEFAULT_ALPN) && !parameters.has(ALPN)) throw errorAt(token, "'no-default-alpn' needs 'alpn'");
}

/** The text of a parameter that was checked when it was read. */
function formatParameter(key: number, value: Uint8Array): string {
  const name = formatKey(key);
  const reader = new WireReader(value);
  switch (key) {
    case MANDATORY: {
      const keys: string[] = [];
      while (reader.remaining > 0) keys.push(formatKey(reader.u16()));
      return `${name}=${keys.join(',')}`;
    }
    case ALPN:
      return `${name}=${formatString(joinAlpn(reader))}`;
    case PORT:
      return `${name}=${reader.u16()}`;
    case IPV4_HINT:
    case IPV6_HINT: {
      const length = key === IPV4_HINT ? 4 : 16;
      const hints: string[] = [];
      while (reader.remaining > 0) hints.push(formatAddress(reader.octets(length)));
      return `${name}=${hints.join(',')}`;
    }
    case ECH:
      return `${name}=${Buffer.from(value).toString('base64')}`;
    default:
      return value.length === 0 ? name : `${name}=${formatString(value)}`;
  }
}

function joinAlpn(reader: WireReader): Uint8Array {
  const octets: number[] = [];
  while (reader.remaining > 0) {
    if (octets.length > 0) octets.push(0x2c);
    for (const octet of reader.octets(reader.u8())) {
      if (octet === 0x2c || octet === 0x5c) octets.push(0x5c);
      octets.push(octet);
    }
  }
  return Uint8Array.from(octets);
}
