// response-headers.ts -- the headers that a client gets: the instance's, without those of its connection

import { namedIn } from './request-headers.ts';

/** What the gateway itself adds to a reply. */
export interface ReplyAdditions {
  readonly requestId: string;
  /** Of this gateway, for `Via`. */
  readonly pseudonym: string;
  /** Value of `Server-Timing`; undefined: none is said. */
  readonly timing: string | undefined;
  /** Value of `Set-Cookie`; undefined: none is set. */
  readonly setCookie: string | undefined;
  /** A reply of HTTP/1.1 that has a body, or any of HTTP/2. Node throws at `Trailer` in others. */
  readonly takesTrailers: boolean;
  /** The status has no body, and must not say how long it is (RFC 9110 section 8.6). */
  readonly omitsLength?: boolean;
}

const PLAIN = 0;
const DROPPED = 1;
const CONNECTION = 2;
const TRAILER = 3;
const CONTENT_LENGTH = 4;

/** Names by length, so that most headers need no look-up. */
const KINDS: ReadonlyMap<string, number> = new Map([
  ['connection', CONNECTION],
  ['keep-alive', DROPPED],
  ['proxy-connection', DROPPED],
  // A challenge for the next client only (RFC 9110 section 11.7.1), and instances are no proxies of the client.
  ['proxy-authenticate', DROPPED],
  ['proxy-authentication-info', DROPPED],
  ['te', DROPPED],
  ['transfer-encoding', DROPPED],
  ['upgrade', DROPPED],
  ['http2-settings', DROPPED],
  ['trailer', TRAILER],
  ['content-length', CONTENT_LENGTH],
  // The gateway's own is said instead.
  ['x-request-id', DROPPED],
]);
const LONGEST = 26;
const LETTERS = new Uint32Array(LONGEST);
for (const name of KINDS.keys()) LETTERS[name.length]! |= 1 << (name.charCodeAt(0) - 0x61);

/** Headers of replies that `node:http2` takes once only. */
const SINGLE = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'age',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'tk',
  'x-content-type-options',
]);

/** Is this a status that a reply can have? An informational one is none, and 101 only answers `Upgrade`. */
export function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/**
 * The headers for a client of HTTP/1, for `writeHead`: names and values in turn. `raw`: the same as the instance sent
 * them. What Node would throw at is left out.
 */
export function replyHeaders(raw: readonly (string | Buffer)[], additions: ReplyAdditions): string[] {
  let headers: string[] = [];
  let connection: string | undefined;
  let trailer: string | undefined;
  let hasLength = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i]!);
    const value = textOf(raw[i + 1]!);
    const kind = kindOf(name);
    if (kind === CONNECTION) connection = connection === undefined ? value : `${connection}, ${value}`;
    else if (kind === DROPPED || !isSound(name, value)) continue;
    else if (kind === TRAILER) trailer = trailer === undefined ? value : `${trailer}, ${value}`;
    else {
      if (kind === CONTENT_LENGTH && additions.omitsLength) continue;
      hasLength ||= kind === CONTENT_LENGTH;
      headers.push(name, value);
    }
  }
  const named = connection === undefined ? undefined : namedIn(connection);
  if (named !== undefined) headers = withoutNamed(headers, named);
  // A body of a stated length has none (RFC 9112 section 7.1.2).
  if (trailer !== undefined && additions.takesTrailers && !hasLength) headers.push('Trailer', trailer);
  if (additions.setCookie !== undefined) headers.push('Set-Cookie', additions.setCookie);
  if (additions.timing !== undefined) headers.push('Server-Timing', additions.timing);
  headers.push('X-Request-Id', additions.requestId, 'Via', `1.1 ${additions.pseudonym}`);
  return headers;
}

/** The same for a client of HTTP/2: lower-case names, several values of one as an array. */
export function replyHeadersObject(headers: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    const value = headers[i + 1]!;
    const before = object[name];
    if (before === undefined) object[name] = value;
    // nghttp2 refuses a second one of these, and the reply with it.
    else if (SINGLE.has(name)) continue;
    else if (typeof before === 'string') object[name] = [before, value];
    else before.push(value);
  }
  return object;
}

/** `Server-Timing`: what took how long, in milliseconds, and how many instances were asked. */
export function serverTiming(totalMs: number, upstreamMs: number | undefined, attempts: number): string {
  const upstream = upstreamMs === undefined ? '' : `, upstream;dur=${upstreamMs.toFixed(1)}`;
  return `gateway;dur=${totalMs.toFixed(1)}${upstream}, attempts;desc="${attempts}"`;
}

/** A reason phrase that can be sent; undefined: the usual one is (RFC 9112 section 4). */
export function reasonPhrase(phrase: string | undefined): string | undefined {
  return phrase === undefined || phrase === '' || /[^\t\x20-\x7e\x80-\xff]/.test(phrase) ? undefined : phrase;
}

function kindOf(name: string): number {
  const { length } = name;
  const letter = name.charCodeAt(0) | 0x20;
  if (length >= LONGEST || ((LETTERS[length]! >>> (letter - 0x61)) & 1) === 0) return PLAIN;
  return KINDS.get(name.toLowerCase()) ?? PLAIN;
}

function textOf(value: string | Buffer): string {
  return typeof value === 'string' ? value : value.toString('latin1');
}

/** Node would throw at anything else, in the middle of a reply. */
function isSound(name: string, value: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(value) && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name);
}

function withoutNamed(headers: readonly string[], named: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    // Without its length the end of the body would be somewhere else.
    if (named.includes(name) && name !== 'content-length' && name !== 'set-cookie') continue;
    kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}
