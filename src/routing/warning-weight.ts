// warning-weight.ts -- what an instance weighs in its pool: less while it warns or warms up

import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';

/** By how much all weights may be raised so that a part of a small one is a whole number. */
const SCALES = [1, 2, 4, 5, 10, 20, 50];
const LARGEST_SCALE = 100;
/** Products of decimal fractions come out a little beside the whole number they should be. */
const CLOSE = 1e-6;

/**
 * The weights of a pool: those of members that warn times `warningWeight`, and of those that warm up times their warmth,
 * measured by the warmest, so that nothing changes where all are as cold. Weights are whole numbers and only their
 * proportions count, so all are raised together where a part would not be one: 1 and 1 at a half are 2 and 1. What is
 * still none is rounded. A positive weight times a positive factor is at least 1; anything times 0 is 0, listed last.
 */
export function weightsOf(policy: Policy | undefined, members: readonly Member[]): (member: Member) => number {
  const warningFactor = policy?.warningWeight ?? 1;
  const warmest = members.reduce((most, { warmth = 1 }) => Math.max(most, warmth), 0);
  const factorOf = ({ status, warmth = 1 }: Member): number =>
    (status === 'warning' ? warningFactor : 1) * (warmth / warmest);
  const lighter = members.filter((member) => factorOf(member) !== 1);
  if (lighter.length === 0) return ({ instance }) => instance.weight;
  const scale = SCALES.find((each) =>
    lighter.every((member) => isWhole(member.instance.weight * factorOf(member) * each)),
  );
  const times = scale ?? LARGEST_SCALE;
  return (member) => {
    const { weight } = member.instance;
    const factor = factorOf(member);
    return weight * factor === 0 ? 0 : Math.max(1, Math.round(weight * factor * times));
  };
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < CLOSE;
}
