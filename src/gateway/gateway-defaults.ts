// gateway-defaults.ts -- what the gateway goes by where nothing else is said

import type {
  AccessLogSettings,
  GatewaySettings,
  OutlierSettings,
  RetrySettings,
  RouteLimits,
} from './gateway-settings.ts';

export const DEFAULT_RETRIES: RetrySettings = { attempts: 2, statuses: [502, 503, 504], budget: 0.2 };

export const DEFAULT_OUTLIERS: OutlierSettings = {
  consecutive: 5,
  errorShare: 0.5,
  minRequests: 20,
  windowMs: 10_000,
  ejectForMs: 10_000,
  maxEjectForMs: 300_000,
  maxEjected: 0.3,
};

export const DEFAULT_LIMITS: RouteLimits = { maxConnections: 256, maxQueued: 1000, queueTimeoutMs: 1000 };

export const DEFAULT_TIMEOUT_MS = 30_000;
export const DEFAULT_IDLE_TIMEOUT_MS = 60_000;

/** Every request is logged; values that tend to be secrets are not. */
const DEFAULT_ACCESS_LOG: AccessLogSettings = {
  sample: 1,
  redact: ['access_token', 'api_key', 'code', 'id_token', 'key', 'password', 'refresh_token', 'secret', 'sig', 'token'],
};

/** A gateway without routes, which trusts nobody. */
export const DEFAULT_GATEWAY: GatewaySettings = {
  routes: [],
  trust: [],
  maxRequests: 10_000,
  serverTiming: 'asked',
  accessLog: DEFAULT_ACCESS_LOG,
};
