// header-kind.ts -- which request headers the gateway looks at, told apart by length and first letter before all else
//
// Most headers are none of these, and finding that out must cost next to nothing. So a name is spelt in lower case only
// when its length and first letter fit.

/** Passed on as it is. */
export const PLAIN = 0;
/** For this connection only (RFC 9110 section 7.6.1), or for a proxy only: dropped. */
const HOP = 1;
export const HOST = 2;
export const CONNECTION = 3;
export const TE = 4;
export const VIA = 5;
export const COOKIE = 6;
export const EXPECT = 7;
export const UPGRADE = 8;
export const CONTENT_LENGTH = 9;
export const TRANSFER_ENCODING = 10;
export const FORWARDED = 11;
export const FORWARDED_FOR = 12;
export const FORWARDED_PROTO = 13;
export const FORWARDED_HOST = 14;
export const FORWARDED_PORT = 15;
/** Others that tell who is in front of us: only a trusted peer may say so. */
export const FORWARDED_OTHER = 16;
export const REQUEST_ID = 17;
export const TRACEPARENT = 18;
export const TRACESTATE = 19;
export const TIMING = 20;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['host', HOST],
  ['connection', CONNECTION],
  ['te', TE],
  ['via', VIA],
  ['cookie', COOKIE],
  ['expect', EXPECT],
  ['upgrade', UPGRADE],
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['keep-alive', HOP],
  ['proxy-connection', HOP],
  // Meant for the first proxy that asks for it (RFC 9110 section 11.7.2). Instances are no proxies of the client.
  ['proxy-authorization', HOP],
  ['proxy-authenticate', HOP],
  ['http2-settings', HOP],
  // Trailers of requests are not passed on (RFC 9110 section 6.5.1 lets us), so they are not announced either.
  ['trailer', HOP],
  ['forwarded', FORWARDED],
  ['x-real-ip', FORWARDED_OTHER],
  ['x-request-id', REQUEST_ID],
  ['traceparent', TRACEPARENT],
  ['tracestate', TRACESTATE],
  ['x-rollcall-timing', TIMING],
]);

const FORWARDED_KINDS: ReadonlyMap<string, number> = new Map([
  ['x-forwarded-for', FORWARDED_FOR],
  ['x-forwarded-proto', FORWARDED_PROTO],
  ['x-forwarded-host', FORWARDED_HOST],
  ['x-forwarded-port', FORWARDED_PORT],
]);

const LONGEST = 20;
/** By length, which first letters (a bit for each) a name that matters may have. */
const LETTERS = new Uint32Array(LONGEST);
for (const name of KINDS.keys()) LETTERS[name.length]! |= 1 << (name.charCodeAt(0) - 0x61);
const X = 0x78;

/** What kind of header has this name, in any case. */
export function requestHeaderKind(name: string): number {
  const letter = name.charCodeAt(0) | 0x20;
  // Programs that turn headers into variables (CGI, WSGI) cannot tell `_` from `-`, so neither does the trust list.
  if (letter === X) return kindOfX(name.toLowerCase().replaceAll('_', '-'));
  const { length } = name;
  if (length >= LONGEST || ((LETTERS[length]! >>> (letter - 0x61)) & 1) === 0) return PLAIN;
  return KINDS.get(name.toLowerCase()) ?? PLAIN;
}

function kindOfX(name: string): number {
  if (name.startsWith('x-forwarded-')) return FORWARDED_KINDS.get(name) ?? FORWARDED_OTHER;
  return KINDS.get(name) ?? PLAIN;
}
