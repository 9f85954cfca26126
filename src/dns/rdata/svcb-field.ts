// svcb-field.ts -- the parameters of SVCB and HTTPS records (RFC 9460 section 2)

import { ipFromBytes, parseIp } from '../../base/ip.ts';
import type { Token } from '../lexer.ts';
import { errorAt, formatString, tokenOctets } from '../token-cursor.ts';
import { formErr, WireReader } from '../wire-reader.ts';
import { WireWriter } from '../wire-writer.ts';
import type { Field } from './field.ts';

const KEY_NAMES = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath', 'ohttp'];
const MANDATORY = 0;
const ALPN = 1;
const NO_DEFAULT_ALPN = 2;
const PORT = 3;
const IPV4_HINT = 4;
const ECH = 5;
const IPV6_HINT = 6;
const OHTTP = 8;

/** All parameters to the end of the RDATA, keys strictly ascending (section 2.2). */
export function serviceParameters(): Field {
  return {
    transfer(reader, end, writer) {
      let last = -1;
      while (reader.offset < end) {
        const key = reader.u16();
        if (key <= last) throw formErr('SVCB keys do not ascend');
        const value = reader.octets(reader.u16());
        writer.u16(key);
        writer.u16(value.length);
        writer.octets(value);
        last = key;
      }
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
  return digits !== null && Number(digits[1]) < 65535 ? Number(digits[1]) : undefined;
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
      for (const protocol of splitAlpn(plain)) {
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
        const parsed = parseIp(each);
        if (parsed?.family !== (key === IPV4_HINT ? 4 : 6)) fail();
        writer.octets(parsed!.bytes);
      }
      break;
    case ECH:
      if (text === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) fail();
      writer.octets(Buffer.from(text, 'base64'));
      break;
    default:
      writer.octets(plain);
  }
  return writer.written().slice();
}

/** A comma separates protocols, `\,` is a comma and `\\` a backslash (appendix A.1). */
function splitAlpn(octets: Uint8Array): Uint8Array[] {
  const protocols: number[][] = [[]];
  for (let i = 0; i < octets.length; i++) {
    if (octets[i] === 0x5c && i + 1 < octets.length) protocols.at(-1)!.push(octets[++i]!);
    else if (octets[i] === 0x2c) protocols.push([]);
    else protocols.at(-1)!.push(octets[i]!);
  }
  return protocols.map((each) => Uint8Array.from(each));
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

function formatParameter(key: number, value: Uint8Array): string {
  const name = formatKey(key);
  const reader = new WireReader(value);
  switch (key) {
    case MANDATORY: {
      const keys: string[] = [];
      while (reader.remaining >= 2) keys.push(formatKey(reader.u16()));
      return `${name}=${keys.join(',')}`;
    }
    case ALPN:
      return `${name}=${formatString(joinAlpn(reader))}`;
    case NO_DEFAULT_ALPN:
    case OHTTP:
      return value.length === 0 ? name : `key${key}=${formatString(value)}`;
    case PORT:
      return value.length === 2 ? `${name}=${reader.u16()}` : `key${key}=${formatString(value)}`;
    case IPV4_HINT:
    case IPV6_HINT: {
      const length = key === IPV4_HINT ? 4 : 16;
      const hints: string[] = [];
      while (reader.remaining >= length) hints.push(ipFromBytes(reader.octets(length)).text);
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
    for (const octet of reader.octets(Math.min(reader.u8(), reader.remaining))) {
      if (octet === 0x2c || octet === 0x5c) octets.push(0x5c);
      octets.push(octet);
    }
  }
  return Uint8Array.from(octets);
}
