// ip.ts -- IP addresses and prefixes: strict parsing, canonical text (RFC 5952), classes of networks
//
// ipaddr.js does the arithmetic; what is added is strictness: only the spellings an operator would write are taken,
// so that `0x7f.1`, `010.0.0.1` or `fe80::1%eth0` can neither slip past a network rule nor reach a DNS record.

import ipaddr from 'ipaddr.js';

/** An address: 4 or 16 octets in network order, with its canonical text. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  /** Dotted quad, or RFC 5952 text. IPv4-mapped IPv6 (::ffff:0:0/96) is turned into IPv4. */
  readonly text: string;
}

/** A network: an address and the number of leading bits that count. */
export interface IpPrefix {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly length: number;
}

const DOTTED_QUAD = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/;
const DOT = 0x2e;
const ZERO = 0x30;
const IPV6_CHARACTERS = /^[0-9A-Fa-f:.]{2,45}$/;

/** Read an address; undefined for anything but a plain dotted quad or IPv6 text without a zone id. */
export function parseIp(text: string): IpAddress | undefined {
  if (DOTTED_QUAD.test(text)) {
    const bytes = quadBytes(text);
    // A quad has one spelling only, so the text is canonical.
    return bytes === undefined ? undefined : { family: 4, bytes, text };
  }
  if (!IPV6_CHARACTERS.test(text) || !text.includes(':')) return undefined;
  const embedded = text.slice(text.lastIndexOf(':') + 1);
  if (embedded.includes('.') && parseIp(embedded) === undefined) return undefined;
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  return ipFromBytes(Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray()));
}

/** The octets of what looks like a dotted quad; undefined when one is above 255. Large services read very many. */
function quadBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let octet = 0;
  let place = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT;
    if (code !== DOT) {
      octet = octet * 10 + code - ZERO;
      continue;
    }
    if (octet > 255) return undefined;
    bytes[place++] = octet;
    octet = 0;
  }
  return bytes;
}

/** The address made of 4 or 16 octets; throws a RangeError for any other count. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return { family: 4, bytes, text: bytes.join('.') };
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 octets, not ${bytes.length}`);
  if (isMapped(bytes)) return ipFromBytes(bytes.slice(12));
  return { family: 6, bytes, text: new ipaddr.IPv6(Array.from(bytes)).toRFC5952String() };
}

/** Do 16 octets stand for an IPv4 address (RFC 4291 section 2.5.5.2)? */
export function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Named networks that configuration may use in place of a prefix. */
const NETWORK_CLASSES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  multicast: ['224.0.0.0/4', 'ff00::/8'],
  unspecified: ['0.0.0.0/8', '::/128'],
};

/**
 * Read `10.0.0.0/8`, a bare address (a host prefix); undefined when it is neither or has host bits set. A length behind
 * an IPv4-mapped address is refused: it could be meant to count from either end.
 */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash >= 0 && address.family === 4 && text.includes(':')) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (slash < 0) return { family: address.family, bytes: address.bytes, length: bits };
  const digits = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > bits) return undefined;
  const prefix = { family: address.family, bytes: address.bytes, length: Number(digits) };
  return hasHostBits(prefix) ? undefined : prefix;
}

function hasHostBits(prefix: IpPrefix): boolean {
  for (let bit = prefix.length; bit < prefix.bytes.length * 8; bit++) {
    if ((prefix.bytes[bit >> 3]! >> (7 - (bit & 7))) & 1) return true;
  }
  return false;
}

/** The prefixes behind a class name (`loopback`, `private`, `link-local`, `multicast`, `unspecified`) or one prefix. */
export function parseNetwork(text: string): readonly IpPrefix[] | undefined {
  const named = Object.hasOwn(NETWORK_CLASSES, text) ? NETWORK_CLASSES[text] : undefined;
  if (named !== undefined) return named.map((each) => parsePrefix(each)!);
  const prefix = parsePrefix(text);
  return prefix === undefined ? undefined : [prefix];
}

/** Is the address inside the prefix? */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (prefix.family !== address.family) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.bytes[i] !== address.bytes[i]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || (prefix.bytes[whole]! ^ address.bytes[whole]!) >> (8 - rest) === 0;
}

/** Is the address inside any of the prefixes? */
export function anyPrefixContains(prefixes: readonly IpPrefix[], address: IpAddress): boolean {
  return prefixes.some((prefix) => prefixContains(prefix, address));
}

const LOOPBACK = parseNetwork('loopback')!;
const UNSPECIFIED = parseNetwork('unspecified')!;

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  return anyPrefixContains(LOOPBACK, address);
}

/** 0.0.0.0/8 or ::, the address of no particular interface. */
export function isUnspecified(address: IpAddress): boolean {
  return anyPrefixContains(UNSPECIFIED, address);
}

/** An address and a port, as listeners are written: `127.0.0.1:53`, `[::1]:53`. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Read an endpoint; port 0 is allowed (the system picks). Undefined when malformed. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(0|[1-9]\d{0,4})$/.exec(text);
  if (match === null) return undefined;
  const address = parseIp(match[1] ?? match[2]!);
  const port = Number(match[3]);
  if (address === undefined || port > 65535) return undefined;
  if ((match[1] !== undefined) !== (address.family === 6)) return undefined;
  return { address: address.text, port };
}

/** `127.0.0.1:53` or `[::1]:53`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}
