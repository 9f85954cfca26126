// instance.ts -- a registered instance, as plain data

import type { DampingView } from '../health/check-report.ts';
import type { CheckSpec, Outcome } from '../health/check-spec.ts';

/** A named port (RFC 6335 service name) beside the main one. */
export interface NamedPort {
  readonly port: number;
  readonly proto: 'tcp' | 'udp';
}

/** A registration as it was accepted: validated, defaults filled in, never changed in place. */
export interface Instance {
  /** Unique over all services; 1 to 128 of `A-Za-z0-9._:@-`. */
  readonly id: string;
  /** Service label, lower case. */
  readonly service: string;
  /** Canonical IP text, or a host name without a trailing dot. */
  readonly address: string;
  readonly port: number;
  /** Keyed by port name, lower case. */
  readonly ports: Readonly<Record<string, NamedPort>>;
  /** Lower case, without repeats, in the order given. */
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  /** 0..65535; 0 is listed last, never first while another is answerable. */
  readonly weight: number;
  readonly zone?: string;
  readonly ttlSeconds?: number;
  readonly leaseTtlMs?: number;
  readonly warmupMs?: number;
  readonly checks: readonly CheckSpec[];
}

/** Shared by all instances that have none. */
export const NO_PORTS: Instance['ports'] = Object.freeze({});
export const NO_META: Instance['meta'] = Object.freeze({});

/** What an instance counts as; only `healthy` and `warning` are answered. */
export type Status = 'pending' | 'healthy' | 'warning' | 'unhealthy' | 'draining' | 'maintenance';

export const STATUSES: readonly Status[] = ['pending', 'healthy', 'warning', 'unhealthy', 'draining', 'maintenance'];

/** Where a check stands. */
export interface CheckState {
  /** Undefined until the first result (or `initial`). */
  readonly outcome: Outcome | undefined;
  readonly output: string;
  readonly latencyMs: number | undefined;
  /** When `outcome` last changed, in `Clock.wallMs` time. */
  readonly sinceMs: number;
  /** Read back at the start, and not probed since. */
  readonly isRestored?: boolean;
  /** A check added to a live instance: until its first result it has no say in the status. */
  readonly neutral: boolean;
  /** It has had critical results, but not yet as many in a row as it takes. */
  readonly failing?: boolean;
  /** Where flap damping stands, when there is something to say. */
  readonly damping?: DampingView;
}

/** Reported load of an instance; kept in memory only. */
export interface Load {
  readonly connections?: number;
  readonly latencyMs?: number;
  readonly cpu?: number;
}

/** What balancing goes by beside the registration; kept in memory only. It changes without being a change to tell. */
export interface Readings {
  /** Connections by the last report, as far as it still says something; undefined: nothing is known. */
  readonly connections?: number | undefined;
  /** Counts the reports that `connections` came with, as far as they tell something new; undefined: nothing is known. */
  readonly loadReports?: number | undefined;
  /** How far `connections` is still believed, above 0, below 1; undefined: the report is fresh. */
  readonly loadTrust?: number | undefined;
  /** Round trips, peaks first (routing/peak-latency.ts); undefined: nothing is known. */
  readonly latencyMs?: number | undefined;
  /** Factor on the weight while it warms up, above 0, below 1; undefined: warm. */
  readonly warmth?: number | undefined;
}

/** An instance with everything that is known of it now. A new object for every change. */
export interface InstanceState extends Readings {
  readonly instance: Instance;
  readonly status: Status;
  /** One line that says why the status is what it is. */
  readonly reason: string;
  /** Revision of the last write to the registration; health does not change it. */
  readonly revision: number;
  readonly registeredAtMs: number;
  /** Keyed by check id. */
  readonly checks: Readonly<Record<string, CheckState>>;
  readonly draining: boolean;
  /** The reason given, when in maintenance. */
  readonly maintenance: string | undefined;
  /** When the lease runs out, in `Clock.wallMs` time. */
  readonly leaseExpiresAtMs: number | undefined;
  readonly load: Load | undefined;
  /**
   * When it was last answerable, in `Clock.wallMs` time, later than for any that stopped being so before; undefined
   * while it is, and when it never was.
   */
  readonly lastAnswerableMs: number | undefined;
  /** It is answerable, and a check of it is failing. */
  readonly isFailing: boolean;
  /** True for instances from the configuration file: read-only through the API. */
  readonly isStatic: boolean;
}

/** Answerable: in DNS answers. */
export function isAnswerable(status: Status): boolean {
  return status === 'healthy' || status === 'warning';
}
