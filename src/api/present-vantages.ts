// present-vantages.ts -- what a check comes to at each of the nodes that run it

import { rfc3339 } from '../base/clock.ts';
import type { CheckSpec, Outcome } from '../health/check-spec.ts';
import type { StoredVantage } from '../registry/stored.ts';

/** What the checks of an instance come to at one node. */
export interface Vantage {
  readonly node: string;
  /** The node's name for people. */
  readonly name: string;
  /** It is one of those that run the checks now, so its word counts. */
  readonly isAssigned: boolean;
  readonly checks: StoredVantage['checks'];
}

/** What one node says of a check, as the API shows it. */
export interface PresentedVantage {
  readonly node: string;
  readonly name: string;
  /** Null: it has no result yet. */
  readonly outcome: Outcome | null;
  readonly output: string;
  readonly since: string | null;
}

/** Undefined where fewer than two nodes run the check. A heartbeat check is run by none. */
export function presentVantages(check: CheckSpec, vantages: readonly Vantage[]): PresentedVantage[] | undefined {
  if (check.type === 'heartbeat') return undefined;
  const counted = vantages.filter(({ isAssigned }) => isAssigned);
  if (counted.length < 2) return undefined;
  return counted.map(({ node, name, checks }) => {
    const { outcome = null, output = '', sinceMs } = checks[check.id] ?? {};
    return { node, name, outcome, output, since: sinceMs === undefined ? null : rfc3339(sinceMs) };
  });
}
