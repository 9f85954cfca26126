// status.ts -- what an instance counts as, from its checks and what people said of it (contract: life of a status)

import type { CheckSpec, Outcome } from '../health/check-spec.ts';
import type { CheckState, Status } from './instance.ts';

/** What the status depends on. */
export interface StatusInput {
  readonly checks: readonly CheckSpec[];
  readonly states: Readonly<Record<string, CheckState>>;
  readonly draining: boolean;
  /** Reason of the maintenance the instance or its whole service is in. */
  readonly maintenance: string | undefined;
  readonly leaseExpired: boolean;
  /** Why the gateway took it out; undefined: it did not. */
  readonly ejected?: string | undefined;
}

/** A status and one line that says why. */
export interface Verdict {
  readonly status: Status;
  readonly reason: string;
}

/**
 * Draining and maintenance win over all; then an expired lease; then an ejection; then a check without a first result,
 * unless it is neutral; then the worst check. No checks: healthy.
 */
export function deriveStatus(input: StatusInput): Verdict {
  if (input.draining) return { status: 'draining', reason: 'draining' };
  if (input.maintenance !== undefined) return { status: 'maintenance', reason: input.maintenance || 'maintenance' };
  if (input.leaseExpired) return { status: 'unhealthy', reason: 'lease expired' };
  if (input.ejected !== undefined) return { status: 'unhealthy', reason: input.ejected };
  if (input.checks.length === 0) return { status: 'healthy', reason: 'no checks' };
  const waiting = input.checks.filter((check) => isAwaited(input.states[check.id])).map((check) => check.id);
  if (waiting.length > 0) return { status: 'pending', reason: `check ${waiting.join(', ')} has no result yet` };
  const critical = named(input, 'critical');
  if (critical.length > 0) return { status: 'unhealthy', reason: whyCritical(critical, input.states) };
  const warning = named(input, 'warning');
  if (warning.length > 0) return { status: 'warning', reason: `check ${warning.join(', ')} warns` };
  return { status: 'healthy', reason: 'all checks pass' };
}

function named(input: StatusInput, outcome: Outcome): string[] {
  return input.checks.filter((check) => input.states[check.id]?.outcome === outcome).map((check) => check.id);
}

function whyCritical(ids: readonly string[], states: StatusInput['states']): string {
  const held = ids.filter((id) => states[id]?.damping?.suppressed);
  // One that fails by its own results is the better reason.
  if (held.length < ids.length) return `check ${ids.filter((id) => !held.includes(id)).join(', ')} is critical`;
  return `check ${held.join(', ')} is held critical until it is calm: it changed too often`;
}

function isAwaited(state: CheckState | undefined): boolean {
  return state === undefined || (state.outcome === undefined && !state.neutral);
}
