// answerable.ts -- who is answered when too few are well: `whenAllUnhealthy` and `minHealthyFraction`
//
// It looks at nothing but the members and the policy, so that every thread which holds them decides alike, also one
// that began later.

import { isAnswerable } from '../registry/instance.ts';
import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';

/**
 * The members that answers are made of, in their order. Those that are well (`healthy` or `warning`), unless there are
 * none, or their share is below `minHealthyFraction`: then as `whenAllUnhealthy` says,
 *   - `empty`: nobody;
 *   - `all`: everybody;
 *   - `last-known`: those who were well when there were last enough, as far as they are still registered.
 * Draining and maintenance are somebody's wish: such members are never answered, and count for no share. Neither do
 * pending ones, or a service that grows would go below its fraction.
 */
export function answerableOf(registered: readonly Member[], policy: Policy | undefined): readonly Member[] {
  const well = registered.filter(({ status }) => isAnswerable(status));
  if (policy?.whenAllUnhealthy === undefined && policy?.minHealthyFraction === undefined) return well;
  const counted = registered.filter(countsForShare).length;
  const least = policy.minHealthyFraction ?? 0;
  const isEnough = (count: number): boolean => count > 0 && count / counted >= least;
  if (isEnough(well.length)) return well;
  switch (policy.whenAllUnhealthy) {
    case 'all':
      return registered.filter(isWilling);
    case 'last-known':
      return lastKnown(registered, isEnough);
    default:
      return [];
  }
}

/** Is the member one of those that the share of well ones is a share of? */
export function countsForShare(member: Member): boolean {
  return isWilling(member) && member.status !== 'pending';
}

function isWilling({ status }: Member): boolean {
  return status !== 'draining' && status !== 'maintenance';
}

/** Going back in time: those who are well, and then those who stopped being so last, until there are enough. */
function lastKnown(registered: readonly Member[], isEnough: (count: number) => boolean): readonly Member[] {
  const wasWellMs = ({ status, lastAnswerableMs }: Member): number =>
    isAnswerable(status) ? Number.POSITIVE_INFINITY : (lastAnswerableMs ?? Number.NEGATIVE_INFINITY);
  const known = registered.filter((member) => isWilling(member) && wasWellMs(member) > Number.NEGATIVE_INFINITY);
  const times = known.map(wasWellMs).sort((a, b) => b - a);
  // Two of the same moment come together; without enough of them, all come.
  const sinceMs = times.find((_, index) => isEnough(index + 1)) ?? Number.NEGATIVE_INFINITY;
  return known.filter((member) => wasWellMs(member) >= sinceMs);
}
