// preference.ts -- a pool in which members near the client come alone, tier by tier, where one of them is to be had
//
// What does not depend on the client is worked out once: a large service may have instances near very many clients.

import { isAnswerable } from '../registry/instance.ts';
import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { mayLead } from './leading.ts';
import type { Pool } from './pool.ts';

/** By tier, how good its best member is. */
type Grades = ReadonlyMap<number, number>;

export class Preference {
  readonly #pool: Pool;
  readonly #policy: Policy | undefined;
  readonly #answerable: ReadonlySet<Member>;
  readonly #best: Grades;

  constructor(pool: Pool, policy: Policy | undefined) {
    this.#pool = pool;
    this.#policy = policy;
    this.#answerable = new Set(pool.answerable);
    this.#best = this.#gradesOf(pool.answerable);
  }

  /** The pool of those that `near` members are near to. Nobody near is good enough while somebody else is better. */
  for(near: readonly Member[]): Pool {
    const pool = this.#pool;
    const own = near.filter((member) => this.#answerable.has(member));
    const bestOwn = this.#gradesOf(own);
    const isNarrowed = (tier: number): boolean => bestOwn.get(tier) === this.#best.get(tier);
    const tiers = [...this.#best.keys()];
    if (!tiers.some(isNarrowed)) return pool;
    const ownSet = new Set(own);
    const isKept = (member: Member): boolean => !isNarrowed(pool.tierOf(member)) || ownSet.has(member);
    const answerable = tiers.every(isNarrowed) ? own : pool.answerable.filter(isKept);
    if (pool.active === pool.answerable) return { ...pool, answerable, active: answerable };
    const active = new Set(pool.active);
    return { ...pool, answerable, active: answerable.filter((member) => active.has(member)) };
  }

  #gradesOf(members: readonly Member[]): Grades {
    const grades = new Map<number, number>();
    for (const member of members) {
      const tier = this.#pool.tierOf(member);
      const grade = (isAnswerable(member.status) ? 2 : 0) + (mayLead(member, this.#policy) ? 1 : 0);
      grades.set(tier, Math.max(grades.get(tier) ?? 0, grade));
    }
    return grades;
  }
}
