// validate-http-check.ts -- what an http check asks and expects, from untrusted input

import { RE2JS } from 're2js';
import { formatEndpoint, parseIp } from '../base/ip.ts';
import type { CheckSpec, Expectation, LoadSource } from '../health/check-spec.ts';
import { parseJsonPath } from '../health/json-path.ts';
import type { InputObject } from './input.ts';
import { isHostName, isTreacherousKey } from './label.ts';
import { type CheckOwner, readCheckTls } from './validate-check-target.ts';

const MAX_REPEATS = 1000;
const MAX_JSON_PATHS = 32;
const MAX_JSON_VALUE = 1024;

/** The parts of an http check that make its request and judge the response. */
export function readHttpTarget(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const stated = input.text('url', 2048) ?? '/';
  const tls = readCheckTls(input);
  // A path is asked of the instance itself.
  const scheme = input.has('tls') ? 'https' : 'http';
  const url = stated.startsWith('/') ? `${scheme}://${formatEndpoint(owner)}${stated}` : stated;
  const problem = urlProblem(url);
  if (problem !== undefined) input.fail('url', problem);
  else if (input.has('tls') && new URL(url).protocol !== 'https:') input.fail('tls', 'needs an https:// url');
  const method = input.oneOf('method', ['GET', 'HEAD', 'POST'] as const);
  const headers = readHeaders(input);
  const body = input.raw('body');
  if (body !== undefined && (typeof body !== 'string' || body.length > 4096))
    input.fail('body', 'must be a string of at most 4096 characters');
  else if (body !== undefined && (!input.has('method') || method === 'GET' || method === 'HEAD'))
    input.fail('body', "goes with the method 'POST' only");
  const expect = readExpectation(input.object('expect'));
  const load = readLoad(input.object('load'));
  const needsBody = expect?.body !== undefined || expect?.json !== undefined || load?.json !== undefined;
  if (method === 'HEAD' && needsBody) input.fail('method', 'HEAD brings no body to look into');
  return {
    url,
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(typeof body === 'string' ? { body } : {}),
    ...(expect === undefined ? {} : { expect }),
    ...(load === undefined ? {} : { load }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials; use headers';
  if (url.port === '0') return 'must not have port 0';
  return undefined;
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

/** Headers that say where a message ends or what becomes of the connection: those are the checker's to set. */
const FRAMING_HEADERS = new Set([
  ...['connection', 'content-length', 'expect', 'http2-settings', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

function readHeaders(input: InputObject): Readonly<Record<string, string>> | undefined {
  const headers = input.textMap('headers', 32, 4096);
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase();
    if (!HEADER_NAME.test(name)) input.fail('headers', `'${name}' is not a header name`);
    else if (!/^[\x20-\xff]*$/.test(value)) input.fail('headers', `'${name}' holds what no header can`);
    else if (seen.has(key)) input.fail('headers', `'${name}' stands twice in different case`);
    else if (FRAMING_HEADERS.has(key)) input.fail('headers', `'${name}' cannot be set`);
    else if (key === 'host' && !isHostHeader(value)) input.fail('headers', `'${name}' must be a host, or host:port`);
    seen.add(key);
  }
  return headers;
}

function isHostHeader(value: string): boolean {
  const host = value.replace(/:\d{1,5}$/, '');
  return isHostName(host) || parseIp(host.replace(/^\[(.+)\]$/, '$1')) !== undefined;
}

function readExpectation(input: InputObject | undefined): Expectation | undefined {
  if (input === undefined) return undefined;
  const status: (number | string)[] = [];
  const stated = input.list('status', 32);
  if (stated?.length === 0) input.fail('status', 'must hold at least one code or range; leave it out for 200 to 299');
  for (const each of stated ?? []) {
    if (isStatusSet(each)) status.push(each);
    else input.fail('status', 'must hold codes from 100 to 599 like 200, or ranges like "200-299"');
  }
  const body = input.text('body', 1024);
  const problem = body === undefined ? undefined : patternProblem(body);
  if (problem !== undefined) input.fail('body', problem);
  const json = readJsonValues(input);
  input.finish();
  return {
    ...(status.length > 0 ? { status } : {}),
    ...(body === undefined ? {} : { body }),
    ...(json === undefined ? {} : { json }),
  };
}

function isStatusSet(value: unknown): value is number | string {
  const isCode = (code: number): boolean => Number.isInteger(code) && code >= 100 && code <= 599;
  if (typeof value === 'number') return isCode(value);
  const range = typeof value === 'string' ? /^(\d{3})(?:-(\d{3}))?$/.exec(value) : null;
  if (range === null) return false;
  const [from, to] = [Number(range[1]), Number(range[2] ?? range[1])];
  return isCode(from) && isCode(to) && from <= to;
}

/** RE2 is linear in the text, but `x{1000}` over and over makes a pattern that takes a third of a second to compile. */
function patternProblem(text: string): string | undefined {
  const counts = text.matchAll(/\{(\d+)(?:,(\d*))?\}/g);
  const repeats = [...counts].reduce((sum, [, least, most]) => sum + Number(most || least), 0);
  if (repeats > MAX_REPEATS) return `repeats more than ${MAX_REPEATS} times in all`;
  try {
    RE2JS.compile(text);
    return undefined;
  } catch {
    return 'is not a regular expression in RE2 syntax';
  }
}

function readJsonValues(expect: InputObject): Readonly<Record<string, unknown>> | undefined {
  const input = expect.object('json');
  if (input === undefined) return undefined;
  const paths = input.keys();
  if (paths.length === 0 || paths.length > MAX_JSON_PATHS) {
    return expect.fail('json', `must have 1 to ${MAX_JSON_PATHS} paths`);
  }
  const values: [string, unknown][] = [];
  for (const path of paths) {
    // Not stated and null are the same to the reader of input; here the path stands, so null is what it says.
    const text = jsonText(input.raw(path) ?? null);
    if (isTreacherousKey(path) || parseJsonPath(path) === undefined) {
      expect.fail('json', PATH);
    } else if (text === undefined || text.length > MAX_JSON_VALUE) {
      expect.fail('json', `has a value that is not JSON of at most ${MAX_JSON_VALUE} characters`);
    } else values.push([path, JSON.parse(text)]);
  }
  return Object.fromEntries(values);
}

const PATH = 'has a path that is not like a.b[0].c or a["odd.key"]';

/** A value as JSON; undefined when it is none: YAML knows numbers that JSON does not. */
function jsonText(value: unknown): string | undefined {
  let isJson = true;
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'number' && !Number.isFinite(each)) isJson = false;
    return each;
  });
  return isJson ? text : undefined;
}

function readLoad(input: InputObject | undefined): LoadSource | undefined {
  if (input === undefined) return undefined;
  const header = input.word('header', (text) => (HEADER_NAME.test(text) ? undefined : 'is not a header name'));
  const json = input.word('json', (text) => (parseJsonPath(text) === undefined ? 'is not like a.b[0].c' : undefined));
  if (input.has('header') === input.has('json')) input.fail('', "must have either 'header' or 'json'");
  input.finish();
  if (header !== undefined) return { header: header.toLowerCase() };
  return json === undefined ? undefined : { json };
}
