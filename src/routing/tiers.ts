// tiers.ts -- which tier each instance is in, and which one answers

import { isAnswerable } from '../registry/instance.ts';
import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import type { Ability } from './ability.ts';
import { countsForShare } from './answerable.ts';
import { mayLead } from './leading.ts';
import { isMatch } from './match.ts';

/** How one tier stands, for people. */
export interface TierState {
  /** Index in the policy; one more than the last is the tier of those that none matches. */
  readonly tier: number;
  readonly well: number;
  /** Those that the share is one of (answerable.ts). */
  readonly counted: number;
  readonly spillBelow: number | undefined;
  /** Addresses are those of this tier. */
  readonly isActive: boolean;
}

export interface Tiering {
  /** The tier of a member; 0 is the first. */
  tierOf(member: Member): number;
  /** Undefined: there is nobody to answer with. */
  readonly active: number | undefined;
  readonly states: readonly TierState[];
}

/**
 * Members go to the first tier that matches them. Active is the first tier that has a well member and is not below its
 * `spillBelow`; else the first that has a well one; else (`whenAllUnhealthy`) the first that has one to answer with.
 * Members of weight 0 make no tier active while another has somebody with a weight, and those that are not `able` to be
 * in the answer make none active while somebody else is.
 */
export function tiersOf(
  policy: Policy,
  registered: readonly Member[],
  answerable: readonly Member[],
  isAble: Ability,
): Tiering {
  const { tiers = [] } = policy;
  const placed = new Map<Member, number>();
  const counts = Array.from({ length: tiers.length + 1 }, () => ({
    well: 0,
    counted: 0,
    leading: 0,
    any: 0,
    wellAble: 0,
  }));
  for (const member of registered) {
    const found = tiers.findIndex(({ match }) => isMatch(match, member.instance));
    const tier = found < 0 ? tiers.length : found;
    placed.set(member, tier);
    if (isAnswerable(member.status)) counts[tier]!.well++;
    if (countsForShare(member)) counts[tier]!.counted++;
  }
  const able = answerable.filter(isAble);
  for (const member of able.length > 0 ? able : answerable) {
    const count = counts[placed.get(member)!]!;
    count.any++;
    if (isAnswerable(member.status)) count.wellAble++;
    if (mayLead(member, policy)) count.leading++;
  }
  const isSomebodyLeading = counts.some(({ leading }) => leading > 0);
  // Who is well and yet not answered (too few are, and `whenAllUnhealthy` is empty) makes no tier active.
  const isOpen = (tier: number): boolean => counts[tier]![isSomebodyLeading ? 'leading' : 'any'] > 0;
  const isWell = (tier: number): boolean => isOpen(tier) && counts[tier]!.wellAble > 0;
  const isEnough = (tier: number): boolean =>
    isWell(tier) && counts[tier]!.well / counts[tier]!.counted >= (tiers[tier]?.spillBelow ?? 0);
  const all = counts.map((_, tier) => tier);
  const active = all.find(isEnough) ?? all.find(isWell) ?? all.find(isOpen);
  return {
    tierOf: (member) => placed.get(member) ?? tiers.length,
    active,
    states: all.map((tier) => ({
      tier,
      well: counts[tier]!.well,
      counted: counts[tier]!.counted,
      spillBelow: tiers[tier]?.spillBelow,
      isActive: tier === active,
    })),
  };
}
