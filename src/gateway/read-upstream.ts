// read-upstream.ts -- how a route deals with its instances: TLS, retries, outliers, limits

import type { InputObject } from '../registry/input.ts';
import { section } from '../registry/input-forms.ts';
import { isHostName } from '../registry/label.ts';
import { DEFAULT_LIMITS, DEFAULT_OUTLIERS, DEFAULT_RETRIES } from './gateway-defaults.ts';
import type { OutlierSettings, RetrySettings, RouteLimits, UpstreamTls } from './gateway-settings.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_ATTEMPTS = 10;
const MAX_COUNT = 1_000_000;

/** How the authorities that instances are verified with are stated: by file, or as they are. */
export interface AuthorityField {
  readonly key: string;
  /** PEM contents; undefined when they are not stated, or (noted) of no use. */
  read(tls: InputObject): string | undefined;
}

/** TLS towards instances; undefined: plain HTTP. */
export function readUpstreamTls(route: InputObject, authorities: AuthorityField): UpstreamTls | undefined {
  const value = route.raw('tls');
  if (value === undefined || value === false) return undefined;
  if (value === true) return { ca: undefined, serverName: undefined, skipVerify: false };
  const input = route.object('tls');
  if (input === undefined) return undefined;
  const { key } = authorities;
  const tls: UpstreamTls = {
    ca: authorities.read(input),
    serverName: input
      .word('serverName', (text) => (isHostName(text) ? undefined : 'must be a host name'))
      ?.toLowerCase(),
    skipVerify: input.boolean('skipVerify') ?? false,
  };
  if (tls.skipVerify && input.has(key)) input.fail('skipVerify', `does not go with ${key}: nothing is verified`);
  input.finish();
  return tls;
}

/** When a request is tried again, on another instance. */
export function readRetries(route: InputObject): RetrySettings {
  const input = section(route, 'retries');
  const retries: RetrySettings = {
    attempts: input.integer('attempts', 0, MAX_ATTEMPTS) ?? DEFAULT_RETRIES.attempts,
    statuses: readStatuses(input) ?? DEFAULT_RETRIES.statuses,
    budget: input.number('budget', 0, 1) ?? DEFAULT_RETRIES.budget,
  };
  input.finish();
  return retries;
}

/** Of the client's errors those that another instance may not make. */
const RETRIED_CLIENT_ERRORS = [408, 425, 429];

function readStatuses(input: InputObject): readonly number[] | undefined {
  const statuses = new Set<number>();
  const list = input.list('on', 100);
  for (const [index, each] of list?.entries() ?? []) {
    const isServerError = Number.isInteger(each) && (each as number) >= 500 && (each as number) <= 599;
    if (isServerError || RETRIED_CLIENT_ERRORS.includes(each as number)) statuses.add(each as number);
    else input.fail(`on[${index}]`, `must be a status from 500 to 599, or one of ${RETRIED_CLIENT_ERRORS.join(', ')}`);
  }
  return list === undefined ? undefined : [...statuses];
}

/** When an instance is taken out; undefined: never. */
export function readOutliers(route: InputObject): OutlierSettings | undefined {
  const value = route.raw('outliers');
  // YAML 1.2 reads off as text, older readers and habits as false.
  if (value === 'off' || value === false) return undefined;
  if (typeof value === 'string' || value === true) return route.fail('outliers', 'must be off or an object');
  const input = section(route, 'outliers');
  const ejectForMs = input.duration('ejectFor', 100, DAY_MS) ?? DEFAULT_OUTLIERS.ejectForMs;
  const statedMaxMs = input.duration('maxEjectFor', 100, DAY_MS);
  if (statedMaxMs !== undefined && statedMaxMs < ejectForMs) {
    input.fail('maxEjectFor', 'must not be shorter than ejectFor');
  }
  const outliers: OutlierSettings = {
    consecutive: input.integer('consecutive', 0, MAX_COUNT) ?? DEFAULT_OUTLIERS.consecutive,
    errorShare: input.number('errorShare', 0.01, 1) ?? DEFAULT_OUTLIERS.errorShare,
    minRequests: input.integer('minRequests', 1, MAX_COUNT) ?? DEFAULT_OUTLIERS.minRequests,
    windowMs: input.duration('window', 100, HOUR_MS) ?? DEFAULT_OUTLIERS.windowMs,
    ejectForMs,
    maxEjectForMs: statedMaxMs ?? Math.max(DEFAULT_OUTLIERS.maxEjectForMs, ejectForMs),
    maxEjected: input.number('maxEjected', 0, 1) ?? DEFAULT_OUTLIERS.maxEjected,
  };
  input.finish();
  return outliers;
}

/** How much there may be of what at once. `timeoutMs`: of the route. */
export function readLimits(route: InputObject, timeoutMs: number): RouteLimits {
  const input = section(route, 'limits');
  const statedTimeoutMs = input.duration('queueTimeout', 1, HOUR_MS);
  if (statedTimeoutMs !== undefined && statedTimeoutMs > timeoutMs) {
    input.fail('queueTimeout', 'must not be longer than the timeout of the route');
  }
  const limits: RouteLimits = {
    maxConnections: input.integer('maxConnections', 1, 65_535) ?? DEFAULT_LIMITS.maxConnections,
    maxQueued: input.integer('maxQueued', 0, MAX_COUNT) ?? DEFAULT_LIMITS.maxQueued,
    queueTimeoutMs: statedTimeoutMs ?? Math.min(DEFAULT_LIMITS.queueTimeoutMs, timeoutMs),
  };
  input.finish();
  return limits;
}
