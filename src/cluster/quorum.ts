// quorum.ts -- what several nodes that run the same check make of it together
//
// An instance is out only when enough of its nodes say so: a node that cannot reach it, and nobody else, takes nothing
// out. What too few have an opinion of stays as it was, so a node that comes or goes changes nothing by itself.

import { OUTCOMES, type Outcome } from '../health/check-spec.ts';

/** How many of the nodes that run a check must agree that it is critical. */
export type Quorum = number | 'majority';

/** The number that `quorum` comes to when so many nodes run the check; at least 1, at most all of them. */
export function quorumOf(quorum: Quorum, assigned: number): number {
  const wanted = quorum === 'majority' ? Math.floor(assigned / 2) + 1 : quorum;
  return Math.max(1, Math.min(wanted, assigned));
}

/**
 * The outcome of a check. `opinions`: of those nodes that run it and have had a result; `needed`: as `quorumOf` says;
 * `before`: what it was, undefined: nothing yet, and then the first opinions decide, however few.
 */
export function joinOpinions(
  opinions: readonly Outcome[],
  needed: number,
  before: Outcome | undefined,
): Outcome | undefined {
  if (opinions.length === 0) return before;
  if (opinions.length < needed && before !== undefined) return before;
  const enough = Math.min(needed, opinions.length);
  // From the worst on: the first that enough of them are at or beyond.
  for (const outcome of OUTCOMES.toReversed()) {
    const rank = OUTCOMES.indexOf(outcome);
    if (opinions.filter((each) => OUTCOMES.indexOf(each) >= rank).length >= enough) return outcome;
  }
  return before;
}
