// validate-check.ts -- health checks from untrusted input, defaults filled in

import { RE2JS } from 're2js';
import { formatEndpoint, parseIp } from '../base/ip.ts';
import {
  CHECK_TYPES,
  type CheckSpec,
  type CheckTls,
  type CheckType,
  type Expectation,
  OUTCOMES,
} from '../health/check-spec.ts';
import type { InputObject } from './input.ts';
import { idProblem, isHostName } from './label.ts';

/** What a check takes over where it says nothing (contract: `health`). */
export interface CheckDefaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  /** May exec checks be set up at all? */
  readonly allowExec: boolean;
}

/** The instance that a check belongs to, for what it leaves out. */
export interface CheckOwner {
  readonly address: string;
  readonly port: number;
}

const LATER_TYPES = ['grpc', 'dns'];
const DAY_MS = 86_400_000;
const MIN_INTERVAL_MS = 100;
const MAX_REPEATS = 1000;
const MAX_TIMEOUT_MS = 3_600_000;

/** Read one check; undefined when findings were noted. `id` is the one in the path, if there is one. */
export function readCheck(
  input: InputObject,
  owner: CheckOwner,
  defaults: CheckDefaults,
  id?: string,
): CheckSpec | undefined {
  const before = input.findings.invalid.length + input.findings.unsupported.length;
  const type = input.oneOf<CheckType>('type', CHECK_TYPES, LATER_TYPES);
  if (!input.has('type')) input.fail('type', 'is missing');
  const stated = input.word('id', idProblem);
  if (id !== undefined && stated !== undefined && stated !== id) input.fail('id', `is not the '${id}' of the path`);
  const timing = readTiming(input, defaults);
  const target = type === undefined ? {} : readTarget(input, type, owner, defaults);
  const initial = input.oneOf('initial', OUTCOMES);
  const deregisterAfterMs = input.duration('deregisterAfter', 1000, 365 * DAY_MS);
  for (const key of ['schedule', 'timezone', 'load']) input.unsupported(key);
  refuseForeignFields(input, type);
  input.finish();
  if (input.findings.invalid.length + input.findings.unsupported.length > before || type === undefined)
    return undefined;
  return {
    id: id ?? stated ?? type,
    type,
    ...target,
    ...timing,
    ...(initial === undefined ? {} : { initial }),
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfterMs }),
  };
}

function readTiming(
  input: InputObject,
  defaults: CheckDefaults,
): Pick<CheckSpec, 'intervalMs' | 'timeoutMs' | 'rise' | 'fall'> {
  const intervalMs = input.duration('interval', MIN_INTERVAL_MS, DAY_MS) ?? defaults.intervalMs;
  return {
    intervalMs,
    timeoutMs: input.duration('timeout', 10, MAX_TIMEOUT_MS) ?? Math.min(defaults.timeoutMs, intervalMs),
    rise: input.integer('rise', 1, 100) ?? defaults.rise,
    fall: input.integer('fall', 1, 100) ?? defaults.fall,
  };
}

/** Fields that only some types have. */
const OWN_FIELDS: Readonly<Record<CheckType, readonly string[]>> = {
  http: ['url', 'method', 'headers', 'body', 'expect', 'tls'],
  tcp: ['host', 'port', 'tls'],
  exec: ['args'],
  heartbeat: [],
};

function refuseForeignFields(input: InputObject, type: CheckType | undefined): void {
  for (const key of new Set(Object.values(OWN_FIELDS).flat())) {
    // Asked in any case: a field of some type is not an unknown one.
    const isStated = input.has(key);
    if (isStated && type !== undefined && !OWN_FIELDS[type].includes(key))
      input.fail(key, `does not belong to a check of type ${type}`);
  }
}

function readTarget(
  input: InputObject,
  type: CheckType,
  owner: CheckOwner,
  defaults: CheckDefaults,
): Partial<CheckSpec> {
  switch (type) {
    case 'http':
      return readHttp(input, owner);
    case 'tcp':
      return readTcp(input, owner);
    case 'exec':
      return readExec(input, defaults);
    case 'heartbeat':
      return {};
  }
}

function readHttp(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const stated = input.text('url', 2048) ?? '/';
  const url = stated.startsWith('/') ? `http://${formatEndpoint(owner)}${stated}` : stated;
  const problem = urlProblem(url);
  if (problem !== undefined) input.fail('url', problem);
  const method = input.oneOf('method', ['GET', 'HEAD', 'POST'] as const);
  const headers = input.textMap('headers', 32, 4096);
  for (const name of Object.keys(headers ?? {})) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) input.fail('headers', `'${name}' is not a header name`);
    else if (!/^[\x20-\xff]*$/.test(headers![name]!)) input.fail('headers', `'${name}' holds what no header can`);
  }
  const body = input.raw('body');
  if (body !== undefined && (typeof body !== 'string' || body.length > 4096))
    input.fail('body', 'must be a string of at most 4096 characters');
  const expect = readExpectation(input.object('expect'));
  const tls = readTls(input.object('tls'));
  return {
    url,
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(typeof body === 'string' ? { body } : {}),
    ...(expect === undefined ? {} : { expect }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials; use headers';
  return undefined;
}

function readTcp(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const host = input.text('host', 253);
  if (host !== undefined && parseIp(host) === undefined && !isHostName(host)) {
    input.fail('host', 'must be an IP address or a host name');
  }
  const tls = readTls(input.object('tls'));
  return {
    host: host ?? owner.address,
    port: input.integer('port', 1, 65535) ?? owner.port,
    ...(tls === undefined ? {} : { tls }),
  };
}

function readExec(input: InputObject, defaults: CheckDefaults): Partial<CheckSpec> {
  if (!defaults.allowExec) return input.fail('type', "exec checks are off; 'health.allowExec' turns them on") ?? {};
  const list = input.list('args', 64);
  if (list === undefined || list.length === 0) return input.fail('args', 'must name a program and its arguments') ?? {};
  const args = list.filter(
    (each): each is string => typeof each === 'string' && each.length <= 4096 && !each.includes('\0'),
  );
  if (args.length < list.length || !args[0]!.startsWith('/')) {
    input.fail('args', 'must be strings, the first the absolute path of a program');
  }
  return { args };
}

function readExpectation(input: InputObject | undefined): Expectation | undefined {
  if (input === undefined) return undefined;
  const status: (number | string)[] = [];
  for (const each of input.list('status', 32) ?? []) {
    if (isStatusSet(each)) status.push(each);
    else input.fail('status', 'must hold codes from 100 to 599 like 200, or ranges like "200-299"');
  }
  const body = input.text('body', 1024);
  const problem = body === undefined ? undefined : patternProblem(body);
  if (problem !== undefined) input.fail('body', problem);
  input.unsupported('json');
  input.finish();
  return { ...(status.length > 0 ? { status } : {}), ...(body === undefined ? {} : { body }) };
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

function isStatusSet(value: unknown): value is number | string {
  const isCode = (code: number): boolean => Number.isInteger(code) && code >= 100 && code <= 599;
  if (typeof value === 'number') return isCode(value);
  const range = typeof value === 'string' ? /^(\d{3})(?:-(\d{3}))?$/.exec(value) : null;
  if (range === null) return false;
  const [from, to] = [Number(range[1]), Number(range[2] ?? range[1])];
  return isCode(from) && isCode(to) && from <= to;
}

function readTls(input: InputObject | undefined): CheckTls | undefined {
  if (input === undefined) return undefined;
  const skipVerify = input.boolean('skipVerify');
  const serverName = input.text('serverName', 253);
  const caFile = input.text('caFile', 1024);
  input.finish();
  return {
    ...(skipVerify === undefined ? {} : { skipVerify }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}
