// codes.ts -- the registered numbers of the DNS and their mnemonics (IANA "DNS Parameters")

/** RR and query types by mnemonic. Types without an RDATA shape of their own travel as opaque octets (RFC 3597). */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

/** Classes (RFC 1035 section 3.2.4, RFC 2136 section 2.4). */
export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

/** Operation codes in the header. */
export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const;

/** Response codes; those above 15 need EDNS (RFC 6891 section 6.1.3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

/** EDNS option codes. */
export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  COOKIE: 10,
  KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const;

/** Extended DNS error codes (RFC 8914 section 4). */
export const EXTENDED_ERROR = {
  STALE_ANSWER: 3,
  NOT_READY: 14,
  FILTERED: 17,
  PROHIBITED: 18,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const;

const TYPE_NAMES = invert(TYPE);
const CLASS_NAMES = invert(CLASS);
const RCODE_NAMES = invert(RCODE);
const OPCODE_NAMES = invert(OPCODE);

function invert(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, code]) => [code, name]));
}

/** `A`, `SRV`, or `TYPE1234` for a type without a mnemonic (RFC 3597 section 5). */
export function formatType(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** The type behind a mnemonic or `TYPEnnn`, any case; undefined when there is none. */
export function parseType(text: string): number | undefined {
  return parseCode(text, TYPE, 'TYPE');
}

/** `IN`, `CH`, or `CLASSnnn`. */
export function formatClass(code: number): string {
  return CLASS_NAMES.get(code) ?? `CLASS${code}`;
}

/** The class behind a mnemonic or `CLASSnnn`, any case; undefined when there is none. */
export function parseClass(text: string): number | undefined {
  return parseCode(text, CLASS, 'CLASS');
}

function parseCode(text: string, table: Readonly<Record<string, number>>, prefix: string): number | undefined {
  const upper = text.toUpperCase();
  if (Object.hasOwn(table, upper)) return table[upper];
  if (!upper.startsWith(prefix)) return undefined;
  const digits = upper.slice(prefix.length);
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 65535 ? Number(digits) : undefined;
}

/** `NOERROR`, `NXDOMAIN`, or `RCODEnn`. */
export function formatRcode(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** The rcode behind a mnemonic or `RCODEnn`, any case; undefined when there is none. */
export function parseRcode(text: string): number | undefined {
  return parseCode(text, RCODE, 'RCODE');
}

/** `QUERY`, `NOTIFY`, or `OPCODEnn`. */
export function formatOpcode(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `OPCODE${opcode}`;
}
