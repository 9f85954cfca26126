// check-report.ts -- what a result came to: the outcome after rise, fall and damping, and what is to be shown of them

import type { ProbeResult } from './check-spec.ts';

/** What people are shown of damping. */
export interface DampingView {
  /** At the time of the last result. */
  readonly penalty: number;
  /** The check is held critical, whatever its results. */
  readonly suppressed: boolean;
  /** When it is let go if it does not fall again, in `Clock.wallMs` time; set while it is suppressed. */
  readonly reuseAtMs: number | undefined;
}

/** A result whose `outcome` is that of the check. */
export interface CheckReport extends ProbeResult {
  /** There have been critical results, but not `fall` of them in a row yet. */
  readonly failing?: boolean;
  /** Undefined while there is nothing to say. */
  readonly damping?: DampingView | undefined;
}
