// second-look.ts -- when a bad result may be our own fault, and what is done about it

import type { Outcome } from './check-spec.ts';

/** The circumstances of a result. */
export interface Look {
  readonly outcome: Outcome;
  /** How long our own event loop stood still during the probe, in milliseconds. */
  readonly lagMs: number;
  readonly timeoutMs: number;
}

/** Less than this never costs a target its life. */
const SMALL_LAG_MS = 50;
/** Share of its timeout that a target must have lost to us. */
const GREAT_SHARE = 0.1;

/**
 * Should the target be probed again, at once, before the result counts? Yes for a critical one while the loop stood
 * still for a tenth of the timeout or more: the answer may have been there, unread. The second result counts whatever
 * happened: a target that is dead must not live on because we are slow.
 */
export function needsSecondLook({ outcome, lagMs, timeoutMs }: Look): boolean {
  return outcome === 'critical' && lagMs >= Math.max(SMALL_LAG_MS, timeoutMs * GREAT_SHARE);
}

/**
 * How much longer to wait with a verdict whose time came `lateMs` ago without our noticing: the heartbeat or the answer
 * that would have changed it lies unread. 0: no longer. At most as long as the time that ran out, `allowedMs`.
 */
export function graceMs(lateMs: number, allowedMs: number): number {
  return lateMs < SMALL_LAG_MS ? 0 : Math.min(Math.max(lateMs, LEAST_GRACE_MS), allowedMs);
}

const LEAST_GRACE_MS = 500;
