// warning-weight.ts -- what an instance weighs in its pool: less while it warns

import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';

/** By how much all weights may be raised so that a part of a small one is a whole number. */
const SCALES = [1, 2, 4, 5, 10, 20, 50];
const LARGEST_SCALE = 100;
/** Products of decimal fractions come out a little beside the whole number they should be. */
const CLOSE = 1e-6;

/**
 * The weights of a pool: those of members that warn times `warningWeight`. Weights are whole numbers and only their
 * proportions count, so all are raised together where a part would not be one: 1 and 1 at a half are 2 and 1. What is
 * still none is rounded. A positive weight times a positive factor is at least 1; anything times 0 is 0, listed last.
 */
export function weightsOf(policy: Policy | undefined, members: readonly Member[]): (member: Member) => number {
  const factor = policy?.warningWeight ?? 1;
  const warning = factor === 1 ? [] : members.filter(({ status }) => status === 'warning');
  if (warning.length === 0) return ({ instance }) => instance.weight;
  const scale = SCALES.find((each) => warning.every((member) => isWhole(member.instance.weight * factor * each)));
  const times = scale ?? LARGEST_SCALE;
  return ({ status, instance: { weight } }) => {
    if (status !== 'warning') return weight * times;
    return weight * factor === 0 ? 0 : Math.max(1, Math.round(weight * factor * times));
  };
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < CLOSE;
}
