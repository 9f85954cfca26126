// pool.ts -- instances that stand behind a name together, and how they are ordered

import type { Candidate, Plan, PlanPurpose } from '../balance/plan.ts';
import { planOf } from '../balance/strategies.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { EVERYBODY_ABLE } from './ability.ts';
import { answerableOf } from './answerable.ts';
import { type TierState, tiersOf } from './tiers.ts';

/** The instances behind one name of a service, or behind one branch of it (branches.ts). */
export interface Pool {
  /** In any status. */
  readonly registered: readonly Member[];
  /** Those that answers are made of. */
  readonly answerable: readonly Member[];
  /** Of them those that addresses are made of: the ones in the active tier. */
  readonly active: readonly Member[];
  /** 0 is the first; 0 for all where there are no tiers. */
  tierOf(member: Member): number;
  /** How the tiers stand; none where there are none. */
  readonly tiers: readonly TierState[];
  /** Where very many pools have most of their members in common. */
  readonly shared?: SharedPool;
  /** The pool is one of the two of a SharedPool: so many tiers are in both together. */
  readonly joinedTiers?: number;
}

/** A pool in two, of different tiers: what is its own, and what others have as well. */
export interface SharedPool {
  readonly own: Pool;
  /** The same object in all that share it. */
  readonly rest: Pool;
  /** Tells what is shared from what others share. */
  readonly restName: string;
}

/** The members of a service, or those of them that have all of `tags` (lower case). */
export function membersOf(service: AnsweringService, tags: readonly string[]): readonly Member[] {
  const members = [...service.instances.values()];
  if (tags.length === 0) return members;
  return members.filter(({ instance }) => tags.every((tag) => instance.tags.includes(tag)));
}

/** The pool of these members under a policy. A tier in which nobody is `able` is passed over where another has somebody. */
export function poolOf(registered: readonly Member[], policy: Policy | undefined, isAble = EVERYBODY_ABLE): Pool {
  const answerable = answerableOf(registered, policy);
  if (policy?.tiers === undefined) return { registered, answerable, active: answerable, tierOf: () => 0, tiers: [] };
  const { tierOf, active, states } = tiersOf(policy, registered, answerable, isAble);
  return {
    registered,
    answerable,
    active: answerable.filter((member) => tierOf(member) === active),
    tierOf,
    tiers: states,
  };
}

/** Is the pool about to change: does a member fail just now, or leave? */
export function isVolatile({ registered }: Pool): boolean {
  return registered.some(({ status, isFailing }) => isFailing === true || status === 'draining');
}

/** The order of candidates under a policy. */
export function planFor(policy: Policy | undefined, candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  return planOf(policy ?? {}, candidates, purpose);
}
