// carried-checks.ts -- where the checks of an instance stand when it is registered, replaced or restored

import { isDeepStrictEqual } from 'node:util';
import { type CheckState, type Instance, type InstanceState, isAnswerable } from './instance.ts';
import { deriveStatus } from './status.ts';
import type { StoredStatus } from './stored.ts';

/** Shared by all instances without checks. */
const NO_STATES: Record<string, CheckState> = Object.freeze({});

/**
 * Check states of an instance that is being put in place: unchanged checks keep theirs, a restart resumes the stored
 * ones, `initial` counts as a first result, and a check that is new on a live instance is neutral. But a new check must
 * not make a failing instance look well: on one of those it is neutral only while another keeps failing.
 */
export function carryOver(
  instance: Instance,
  before: InstanceState | undefined,
  restored: StoredStatus | undefined,
  nowMs: number,
): Record<string, CheckState> {
  if (instance.checks.length === 0) return NO_STATES;
  const states: Record<string, CheckState> = {};
  const isLive = before !== undefined && (isWell(before) || keepsFailing(instance, before));
  for (const check of instance.checks) {
    const known = before?.instance.checks.find((each) => each.id === check.id);
    const kept = before?.checks[check.id];
    const resumed =
      restored !== undefined && Object.hasOwn(restored.checks, check.id) ? restored.checks[check.id] : undefined;
    if (kept !== undefined && isDeepStrictEqual(known, check)) states[check.id] = kept;
    else if (before === undefined && resumed !== undefined) {
      const outcome = resumed.outcome ?? undefined;
      states[check.id] = {
        ...resumed,
        outcome,
        latencyMs: undefined,
        isRestored: true,
        neutral: outcome === undefined,
      };
    } else {
      states[check.id] = {
        outcome: check.initial,
        output: check.initial === undefined ? '' : 'initial outcome, no probe yet',
        latencyMs: undefined,
        sinceMs: nowMs,
        neutral: isLive,
      };
    }
  }
  return states;
}

/** Does a check that stays as it is say that the instance is critical? */
function keepsFailing(instance: Instance, before: InstanceState): boolean {
  return instance.checks.some(
    (check) =>
      before.checks[check.id]?.outcome === 'critical' &&
      isDeepStrictEqual(
        before.instance.checks.find((each) => each.id === check.id),
        check,
      ),
  );
}

/** Would it be answered, were it not for leases, draining and maintenance? */
function isWell({ instance, checks: states }: InstanceState): boolean {
  const { checks } = instance;
  return isAnswerable(
    deriveStatus({ checks, states, draining: false, maintenance: undefined, leaseExpired: false }).status,
  );
}
