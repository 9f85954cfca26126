// check-spec.ts -- what a health check is, as plain data

/** The result of one probe, and what a check says of its instance. */
export type Outcome = 'passing' | 'warning' | 'critical';

export const OUTCOMES: readonly Outcome[] = ['passing', 'warning', 'critical'];

/** The kinds of check. */
export type CheckType = 'http' | 'tcp' | 'grpc' | 'exec' | 'dns' | 'heartbeat';

export const CHECK_TYPES: readonly CheckType[] = ['http', 'tcp', 'grpc', 'exec', 'dns', 'heartbeat'];

/** What an http check wants to see; every part that is given must hold. */
export interface Expectation {
  /** Accepted status codes: `200` or `"200-299"`; default 200-299 (and 429 counts as a warning). */
  readonly status?: readonly (number | string)[];
  /** A regular expression (RE2 syntax) that must match somewhere in the first 4 KiB of the body. */
  readonly body?: string;
  /** Values that must stand at these paths (json-path.ts) of a body that is JSON, of at most 64 KiB. */
  readonly json?: Readonly<Record<string, unknown>>;
}

/** Where an http check finds the number of connections its instance has; exactly one of the two. */
export interface LoadSource {
  /** Name of a response header, lower case. */
  readonly header?: string;
  /** Path (json-path.ts) in a body that is JSON. */
  readonly json?: string;
}

/** TLS settings of a check that connects with TLS. */
export interface CheckTls {
  readonly skipVerify?: boolean;
  readonly serverName?: string;
  /** PEM file with the authorities to trust instead of the system's. */
  readonly caFile?: string;
}

/** One health check of an instance. Defaults are filled in by the time it is stored. */
export interface CheckSpec {
  /** Unique within its instance. */
  readonly id: string;
  readonly type: CheckType;
  /** http, grpc, dns: the URL to ask (check-url.ts); host may be a name. */
  readonly url?: string;
  /** tcp: where to connect. */
  readonly host?: string;
  readonly port?: number;
  /** exec: the program and its arguments, run without a shell. */
  readonly args?: readonly string[];
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expect?: Expectation;
  readonly load?: LoadSource;
  readonly tls?: CheckTls;
  /** Time between probes; for `heartbeat` the longest silence allowed. Of no effect beside `schedule`. */
  readonly intervalMs: number;
  /** A cron expression (cron.ts): probed at these times, and once at first, instead of every interval. */
  readonly schedule?: string;
  /** The time zone of `schedule`; without one that of the process. */
  readonly timezone?: string;
  /** A probe that has not answered by then is critical. */
  readonly timeoutMs: number;
  /** Consecutive better results it takes to improve. */
  readonly rise: number;
  /** Consecutive critical results it takes to become critical. */
  readonly fall: number;
  /** Deregister the instance after being critical for so long. */
  readonly deregisterAfterMs?: number;
  /** Outcome before the first probe; without it the instance stays pending until then. */
  readonly initial?: Outcome;
}

/** What a probe found. */
export interface ProbeResult {
  readonly outcome: Outcome;
  /** Why, for people; at most 4 KiB. */
  readonly output: string;
  /** How long the probe took. */
  readonly latencyMs: number;
  /** Connections the instance says it has, where the check asks for that. */
  readonly load?: number;
}
