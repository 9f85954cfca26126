// registration-options.ts -- what a program says of itself when it registers

import type { Outcome } from '../health/check-spec.ts';
import type { Load } from '../registry/instance.ts';
import type { RollcallError } from './rollcall-error.ts';
import type { ChangeableFields, CheckDocument } from './service-document.ts';

/** The instance that is registered. Durations are text with a unit: `"30s"`. */
export interface RegistrationSpec extends ChangeableFields {
  readonly service: string;
  /** Unique over all services. Default: `service-address:port`, so that a restart takes the place of its predecessor. */
  readonly id?: string;
  /** Default: the local address of a connection to the server. */
  readonly address?: string;
  readonly port: number;
  /** For how long the registration holds without a heartbeat. Default `"30s"`; null: until it is taken back. */
  readonly leaseTtl?: string | null;
  readonly checks?: readonly CheckDocument[];
}

/** What a heartbeat may tell of heartbeat checks. */
export interface HealthReport {
  readonly status: Outcome;
  readonly output?: string;
}

/**
 * - `registering`: not yet registered for the first time;
 * - `registered`: the server knows this instance;
 * - `away`: the server could not be asked the last time, and is asked again;
 * - `refused`: the server will not have it as it is; it is asked again, since tokens and names are given back;
 * - `draining`: it takes leave, or took it;
 * - `closed`: nothing is done for it any more.
 */
export type RegistrationState = 'registering' | 'registered' | 'away' | 'refused' | 'draining' | 'closed';

export interface RegisterOptions {
  /** Between heartbeats, in milliseconds. Default: a third of `leaseTtl`, 10,000 without. They vary by a tenth. */
  readonly heartbeatMs?: number;
  /** Asked before each heartbeat; what it throws goes to `onError`, and the heartbeat goes without. */
  readonly load?: () => Load | Promise<Load>;
  /** Asked before each heartbeat, for checks of type `heartbeat`. */
  readonly health?: () => HealthReport | Promise<HealthReport>;
  /** On these the instance is drained and deregistered before the process ends. Default: none. */
  readonly drainOnSignals?: readonly NodeJS.Signals[];
  /** Wait until no resolver has the instance any more, before it is deregistered. Default true. */
  readonly drainWait?: boolean;
  /** The most that is waited for that, in milliseconds. Default 60,000. */
  readonly maxDrainMs?: number;
  /** After draining on a signal and before the process ends: close servers here. */
  readonly onDrained?: () => void | Promise<void>;
  /** Hears of every new state. Must not throw. */
  readonly onState?: (state: RegistrationState, error: RollcallError | undefined) => void;
  /** Closes the registration, without deregistering. */
  readonly signal?: AbortSignal;
}
