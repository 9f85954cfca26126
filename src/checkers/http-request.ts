// http-request.ts -- all of an http check that can be worked out before its first probe

import { parseIp } from '../base/ip.ts';
import type { CheckSpec } from '../health/check-spec.ts';
import { OUTPUT_LIMIT_BYTES } from '../health/probe-output.ts';
import { type PreparedExpectation, prepareExpectation } from './http-expectation.ts';
import type { ReaderOptions } from './http-response.ts';
import { isWorthKeeping } from './kept-connections.ts';
import { ProbeRefusal } from './probe-runs.ts';

/** How much of a body is read when values in it are asked for. */
const JSON_LIMIT_BYTES = 65_536;

/** A request ready to be sent, and what is made of the response. */
export interface PreparedRequest {
  /** What was asked, for people: without a query, which may hold secrets. */
  readonly label: string;
  /** Without brackets around an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** May the connection serve the next probe as well? */
  readonly isRepeatable: boolean;
  readonly octets: Buffer;
  readonly reading: ReaderOptions;
  readonly expectation: PreparedExpectation;
  /** Texts that must not show up in the output even when the server echoes them. */
  readonly secrets: readonly string[];
}

/** Prepare the request of an http check. Throws an Error that says what is wrong with the check. */
export function prepareRequest(check: CheckSpec): PreparedRequest {
  const { url, label } = readUrl(check);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const method = check.method ?? 'GET';
  // A name is resolved anew for every probe, or a check would go on asking a machine that the name has left.
  const isRepeatable = parseIp(host) !== undefined && method !== 'POST' && isWorthKeeping(check);
  const headers = headersOf(check, url, isRepeatable);
  const wantsJson = check.expect?.json !== undefined || check.load?.json !== undefined;
  return {
    label,
    host,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    isTls: url.protocol === 'https:',
    isRepeatable,
    octets: serialise(`${method} ${url.pathname}${url.search} HTTP/1.1`, headers, check.body),
    reading: {
      bodyLimitBytes: wantsJson ? JSON_LIMIT_BYTES : OUTPUT_LIMIT_BYTES,
      needsBody: wantsJson || check.expect?.body !== undefined,
      isHead: method === 'HEAD',
    },
    expectation: prepareExpectation(check.expect, check.load),
    secrets: secretsOf(headers),
  };
}

function readUrl(check: CheckSpec): { url: URL; label: string } {
  if (check.url === undefined || !URL.canParse(check.url)) throw new Error('the check has no valid url');
  const url = new URL(check.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ProbeRefusal('an http check takes http: and https: URLs only');
  }
  if (url.username !== '' || url.password !== '')
    throw new ProbeRefusal('the url of a check must not hold credentials');
  const query = url.search === '' ? '' : '?...';
  return { url, label: `HTTP ${check.method ?? 'GET'} ${url.protocol}//${url.host}${url.pathname}${query}` };
}

function headersOf(check: CheckSpec, url: URL, isRepeatable: boolean): ReadonlyMap<string, string> {
  const headers = new Map([
    ['host', url.host],
    ['user-agent', 'rollcall-check'],
    ['accept', '*/*'],
  ]);
  for (const [name, value] of Object.entries(check.headers ?? {})) headers.set(name.toLowerCase(), value);
  if (check.body !== undefined || check.method === 'POST') {
    headers.set('content-length', String(Buffer.byteLength(check.body ?? '')));
  }
  if (!isRepeatable) headers.set('connection', 'close');
  return headers;
}

/** Validation has seen the headers; a store from elsewhere may hold any. The value is not named: it may be a secret. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function serialise(requestLine: string, headers: ReadonlyMap<string, string>, body: string | undefined): Buffer {
  let head = `${requestLine}\r\n`;
  for (const [name, value] of headers) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw new Error('a header cannot be sent');
    head += `${name}: ${value}\r\n`;
  }
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), Buffer.from(body ?? '', 'utf8')]);
}

const SECRET_HEADER = /auth|cookie|token|key|secret|pass|session/;

function secretsOf(headers: ReadonlyMap<string, string>): readonly string[] {
  return [...headers]
    .filter(([name]) => SECRET_HEADER.test(name))
    .flatMap(([, value]) => [value, value.slice(value.indexOf(' ') + 1)])
    .filter((text) => text !== '')
    .sort((a, b) => b.length - a.length);
}
