// read-route.ts -- one route: which requests it takes, and the service they go to

import { parseEndpoint, parseIp } from '../base/ip.ts';
import type { InputObject } from '../registry/input.ts';
import { readTags, readTexts, shorten } from '../registry/input-forms.ts';
import { isHostName, portNameProblem, serviceProblem } from '../registry/label.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_TIMEOUT_MS } from './gateway-defaults.ts';
import type { GatewayRoute, StickyBy } from './gateway-settings.ts';
import { type AuthorityField, readLimits, readOutliers, readRetries, readUpstreamTls } from './read-upstream.ts';

const MAX_NAME = 64;
const MAX_PATH = 1024;
const MAX_HEADERS = 16;
const MAX_HEADER_VALUE = 1024;
/** As many as an instance may have. */
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Browsers keep no cookie longer. */
const MAX_COOKIE_AGE_MS = 400 * DAY_MS;

/** A route as far as it says itself what it is. */
export interface RouteDraft {
  readonly input: InputObject;
  readonly name: string | undefined;
  /** Its name is empty. */
  readonly route: GatewayRoute;
  /** Nothing was found wrong with it. */
  readonly isSound: boolean;
}

/** Read a route. Its name is not made up here. */
export function readRoute(input: InputObject, authorities: AuthorityField): RouteDraft {
  const found = input.findings.invalid.length;
  const name = input.text('name', MAX_NAME);
  const service = input.word('service', serviceProblem)?.toLowerCase() ?? '';
  if (!input.has('service')) input.fail('service', 'is missing');
  const timeoutMs = input.duration('timeout', 10, HOUR_MS) ?? DEFAULT_TIMEOUT_MS;
  const route: GatewayRoute = {
    name: '',
    hosts: readHosts(input),
    prefix: readPathOf(input, 'prefix') ?? '/',
    headers: readHeaders(input),
    service,
    tags: readTags(input),
    port: input.word('port', portNameProblem)?.toLowerCase(),
    rewrite: readRewrite(input),
    sticky: readSticky(input),
    host: readHostHeader(input),
    tls: readUpstreamTls(input, authorities),
    timeoutMs,
    idleTimeoutMs: input.duration('idleTimeout', 100, DAY_MS) ?? DEFAULT_IDLE_TIMEOUT_MS,
    retries: readRetries(input),
    outliers: readOutliers(input),
    limits: readLimits(input, timeoutMs),
  };
  input.finish();
  return { input, name, route, isSound: input.findings.invalid.length === found };
}

function readHosts(input: InputObject): readonly string[] {
  const hosts = new Set<string>();
  for (const { text, key } of readTexts(input, 'host') ?? []) {
    const host = normalHost(text);
    if (host === undefined) {
      input.fail(key, `'${shorten(text)}' is not a host name, *.name or address (without a port)`);
    } else if (hosts.has(host)) input.fail(key, `'${host}' stands twice`);
    else hosts.add(host);
  }
  return [...hosts];
}

/** As `Host` has it, IPv6 in brackets. */
function normalHost(text: string): string | undefined {
  const host = text.toLowerCase().replace(/\.$/, '');
  const address = parseIp(host.replace(/^\[(.*:.*)\]$/, '$1'));
  if (address !== undefined) return address.family === 6 ? `[${address.text}]` : address.text;
  return isHostName(host.startsWith('*.') ? host.slice(2) : host) ? host : undefined;
}

/** A path, without a slash at its end. */
function readPathOf(input: InputObject, key: string): string | undefined {
  const text = input.text(key, MAX_PATH);
  if (text === undefined) return undefined;
  const problem = pathProblem(text);
  if (problem !== undefined) return input.fail(key, problem);
  return text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text;
}

const PATH = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/;
/** What is the same without an escape, and what is taken for a part of the path's form: `/`, `\`, NUL. */
const NEEDLESS_ESCAPE = /%(?:3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]|2[DEF]|5C|00)/;

/** A path that a request's can be compared with, octet by octet. */
function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'must begin with /';
  if (/[?#]/.test(path)) return 'must be a path alone, without a query';
  if (!PATH.test(path)) return 'holds what must be escaped in a path, like %20 for a space (capital letters)';
  if (path.includes('//')) return 'must not contain //';
  if (/\/\.\.?(?:\/|$)/.test(path)) return 'must not contain . or .. as a segment';
  return NEEDLESS_ESCAPE.test(path) ? 'has an escape that no request can be compared with' : undefined;
}

function readRewrite(input: InputObject): string | undefined {
  const strip = input.boolean('strip');
  const rewrite = readPathOf(input, 'rewrite');
  if (strip === true && input.has('rewrite'))
    input.fail('strip', 'does not go with rewrite, which replaces the prefix');
  return rewrite ?? (strip === true ? '/' : undefined);
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

function readHeaders(input: InputObject): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(input.textMap('headers', MAX_HEADERS, MAX_HEADER_VALUE) ?? {})) {
    const key = name.toLowerCase();
    if (!TOKEN.test(name)) input.fail('headers', `'${shorten(name)}' is not a header name`);
    else if (key === 'host') input.fail(`headers.${name}`, "belongs into the route's host");
    else if (!HEADER_VALUE.test(value)) {
      input.fail(`headers.${name}`, 'must be what a header can hold, without spaces at the ends');
    } else if (headers.has(key)) input.fail('headers', `'${key}' stands twice`);
    headers.set(key, value);
  }
  return Object.fromEntries(headers);
}

function readSticky(input: InputObject): StickyBy | undefined {
  const value = input.raw('sticky');
  if (value === 'client') return { by: 'client' };
  if (value === undefined || typeof value !== 'object') {
    if (value !== undefined) input.fail('sticky', 'must be client, { cookie: NAME } or { header: NAME }');
    return undefined;
  }
  const object = input.object('sticky');
  if (object === undefined) return undefined;
  const cookie = object.word('cookie', tokenProblem);
  const header = object.word('header', tokenProblem)?.toLowerCase();
  const maxAgeMs = object.duration('maxAge', 1000, MAX_COOKIE_AGE_MS);
  if (object.has('cookie') === object.has('header')) object.fail('', 'must name either a cookie or a header');
  else if (object.has('maxAge') && !object.has('cookie')) object.fail('maxAge', 'goes with a cookie only');
  if (maxAgeMs !== undefined && maxAgeMs % 1000 !== 0) object.fail('maxAge', 'must be whole seconds');
  object.finish();
  if (header !== undefined) return { by: 'header', name: header };
  const maxAgeSeconds = maxAgeMs === undefined ? undefined : maxAgeMs / 1000;
  return cookie === undefined ? undefined : { by: 'cookie', name: cookie, maxAgeSeconds };
}

function tokenProblem(text: string): string | undefined {
  return TOKEN.test(text) ? undefined : `'${shorten(text)}' is not a name: letters, digits, - and _ make one`;
}

function readHostHeader(input: InputObject): GatewayRoute['host'] {
  const text = input.text('hostHeader', 300) ?? 'client';
  if (text === 'client' || text === 'instance') return text;
  if (!isHostHeader(text)) {
    input.fail('hostHeader', `must be client, instance, or a host like shop.example or shop.example:8080`);
  }
  return { text };
}

function isHostHeader(text: string): boolean {
  if (parseEndpoint(text) !== undefined || parseIp(text)?.family === 4) return true;
  const name = /^(.*?)(?::([1-9]\d{0,4}))?$/.exec(text);
  if (name === null || Number(name[2] ?? 0) > 65535) return false;
  return isHostName(name[1]!) || (/^\[.*:.*\]$/.test(name[1]!) && parseIp(name[1]!.slice(1, -1)) !== undefined);
}
