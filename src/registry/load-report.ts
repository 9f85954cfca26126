// load-report.ts -- what instances, checks and the gateway tell of load and time, beside health

import type { CheckReport } from '../health/check-report.ts';
import type { InstanceState, Load } from './instance.ts';

/** One report. */
export interface LoadReport extends Pick<Load, 'connections' | 'latencyMs'> {
  /** Id of the check whose round trip `latencyMs` is; undefined: the instance says so itself. */
  readonly check?: string;
  /** The gateway says so: its own requests under way, and how long they take, averaged already. */
  readonly isGateway?: boolean;
  /** The check failed: its time tells how slow the instance is, not how fast. */
  readonly hasFailed?: boolean;
}

/** Hears of every report, after the instance took it in. Must not throw. */
export type LoadListener = (state: InstanceState, report: LoadReport) => void;

/** What a check's result tells; a heartbeat check measures nothing. */
export function loadReport(check: string, { outcome, failing, latencyMs, load }: CheckReport): LoadReport {
  return {
    check,
    hasFailed: outcome === 'critical' || failing === true,
    ...(latencyMs > 0 ? { latencyMs } : {}),
    ...(load === undefined ? {} : { connections: load }),
  };
}
