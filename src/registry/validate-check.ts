// validate-check.ts -- health checks from untrusted input, defaults filled in

import { formatDuration } from '../base/duration.ts';
import { CHECK_TYPES, type CheckSpec, type CheckType, OUTCOMES } from '../health/check-spec.ts';
import { cronProblem, timezoneProblem } from '../health/cron.ts';
import type { InputObject } from './input.ts';
import { checkIdProblem } from './label.ts';
import {
  type CheckOwner,
  readDnsTarget,
  readExecTarget,
  readGrpcTarget,
  readTcpTarget,
} from './validate-check-target.ts';
import { readHttpTarget } from './validate-http-check.ts';

/** What a check takes over where it says nothing (contract: `health`). */
export interface CheckDefaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  /** May exec checks be set up here? In the configuration file they always may. */
  readonly allowExec: boolean;
}

const DAY_MS = 86_400_000;
const MIN_INTERVAL_MS = 100;
const MAX_TIMEOUT_MS = 3_600_000;

/** Read one check; undefined when findings were noted. `id` is the one in the path, if there is one. */
export function readCheck(
  input: InputObject,
  owner: CheckOwner,
  defaults: CheckDefaults,
  id?: string,
): CheckSpec | undefined {
  const before = input.findings.invalid.length + input.findings.unsupported.length;
  const type = input.oneOf<CheckType>('type', CHECK_TYPES);
  if (!input.has('type')) input.fail('type', 'is missing');
  const stated = input.word('id', checkIdProblem);
  if (id !== undefined && stated !== undefined && stated !== id) input.fail('id', `is not the '${id}' of the path`);
  const timing = readTiming(input, defaults);
  const target = type === undefined ? {} : readTarget(input, type, owner, defaults);
  const initial = input.oneOf('initial', OUTCOMES);
  const deregisterAfterMs = input.duration('deregisterAfter', 1000, 365 * DAY_MS);
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

type Timing = Pick<CheckSpec, 'intervalMs' | 'timeoutMs' | 'rise' | 'fall' | 'schedule' | 'timezone'>;

function readTiming(input: InputObject, defaults: CheckDefaults): Timing {
  const statedMs = input.duration('interval', MIN_INTERVAL_MS, DAY_MS);
  const intervalMs = statedMs ?? defaults.intervalMs;
  const schedule = input.word('schedule', cronProblem);
  const timezone = input.word('timezone', timezoneProblem);
  const timeoutMs = input.duration('timeout', 10, MAX_TIMEOUT_MS);
  if (input.has('schedule') && input.has('interval')) input.fail('schedule', "cannot stand beside 'interval'");
  if (input.has('timezone') && !input.has('schedule')) input.fail('timezone', "needs a 'schedule'");
  const hasInterval = !input.has('schedule') && (statedMs !== undefined || !input.has('interval'));
  // The next probe is due by then. Only a default gives way without a word.
  if (timeoutMs !== undefined && timeoutMs > intervalMs && hasInterval) {
    input.fail('timeout', `must not be longer than the interval, ${formatDuration(intervalMs)}`);
  }
  return {
    intervalMs,
    timeoutMs: timeoutMs ?? Math.min(defaults.timeoutMs, intervalMs),
    rise: input.integer('rise', 1, 100) ?? defaults.rise,
    fall: input.integer('fall', 1, 100) ?? defaults.fall,
    ...(schedule === undefined ? {} : { schedule }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

const TIMES = ['schedule', 'timezone', 'timeout'];

/** Fields that only some types have. */
const OWN_FIELDS: Readonly<Record<CheckType, readonly string[]>> = {
  http: ['url', 'method', 'headers', 'body', 'expect', 'load', 'tls', ...TIMES],
  tcp: ['host', 'port', 'tls', ...TIMES],
  grpc: ['url', 'host', 'port', 'tls', ...TIMES],
  exec: ['args', ...TIMES],
  dns: ['url', ...TIMES],
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
      return readHttpTarget(input, owner);
    case 'tcp':
      return readTcpTarget(input, owner);
    case 'grpc':
      return readGrpcTarget(input, owner);
    case 'dns':
      return readDnsTarget(input, owner);
    case 'exec':
      return readExecTarget(input, defaults.allowExec);
    case 'heartbeat':
      return {};
  }
}
