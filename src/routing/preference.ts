// preference.ts -- a pool in which members near the client come alone, tier by tier, where one of them is to be had
//
// What does not depend on the client is worked out once: a large service may have instances near very many clients.

import { isAnswerable } from '../registry/instance.ts';
import type { Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { type Ability, EVERYBODY_ABLE } from './ability.ts';
import { mayLead } from './leading.ts';
import type { Pool, SharedPool } from './pool.ts';

/** Beyond so many members in the pools of all homes, these share what they have in common. */
const MAX_MEMBERS = 32_768;
/** Which tiers are shared differs from home to home; of more combinations the first are worked out again. */
const MAX_RESTS = 16;

/** By tier, how good its best member is. */
type Grades = ReadonlyMap<number, number>;

export class Preference {
  readonly #pool: Pool;
  readonly #policy: Policy | undefined;
  readonly #isAble: Ability;
  readonly #answerable: ReadonlySet<Member>;
  readonly #best: Grades;
  readonly #isSharing: boolean;
  /** By the tiers that are in them. */
  readonly #rests = new Map<string, Pool>();

  /** For the members of `homes` homes. Those that are not `able` to be in the answer make nobody's home. */
  constructor(pool: Pool, policy: Policy | undefined, homes: number, isAble = EVERYBODY_ABLE) {
    this.#pool = pool;
    this.#policy = policy;
    this.#isAble = isAble;
    this.#answerable = new Set(pool.answerable);
    this.#best = this.#gradesOf(pool.answerable);
    this.#isSharing = pool.answerable.length * homes > MAX_MEMBERS;
  }

  /** The pool of those that `near` members are near to. Nobody near is good enough while somebody else is better. */
  for(near: readonly Member[]): Pool {
    const pool = this.#pool;
    const { tierOf } = pool;
    const answerable = near.filter((member) => this.#answerable.has(member));
    const grades = this.#gradesOf(answerable);
    const isNarrowed = (tier: number): boolean => grades.get(tier) === this.#best.get(tier);
    const others = [...this.#best.keys()].filter((tier) => !isNarrowed(tier));
    if (others.length === this.#best.size) return pool;
    const own = this.#poolOf(answerable.filter((member) => isNarrowed(tierOf(member))));
    if (others.length === 0) return own;
    if (this.#isSharing) return sharing(own, this.#restOf(others), `tiers:${others.join()}`);
    const ownSet = new Set(own.answerable);
    const isKept = (member: Member): boolean => ownSet.has(member) || others.includes(tierOf(member));
    return this.#poolOf(pool.answerable.filter(isKept));
  }

  /** Those of some tiers. */
  #restOf(tiers: readonly number[]): Pool {
    const key = tiers.join();
    let rest = this.#rests.get(key);
    if (rest === undefined) {
      if (this.#rests.size >= MAX_RESTS) this.#rests.clear();
      const { answerable, tierOf } = this.#pool;
      const pool = this.#poolOf(answerable.filter((member) => tiers.includes(tierOf(member))));
      rest = { ...pool, joinedTiers: pool.tiers.length };
      this.#rests.set(key, rest);
    }
    return rest;
  }

  /** The same pool with fewer to answer with. */
  #poolOf(answerable: readonly Member[]): Pool {
    const pool = this.#pool;
    const active = pool.tiers.find(({ isActive }) => isActive)?.tier;
    const isActive = (member: Member): boolean => pool.tierOf(member) === active;
    return { ...pool, answerable, active: pool.tiers.length === 0 ? answerable : answerable.filter(isActive) };
  }

  #gradesOf(members: readonly Member[]): Grades {
    const grades = new Map<number, number>();
    for (const member of members) {
      if (!this.#isAble(member)) continue;
      const tier = this.#pool.tierOf(member);
      const grade = (isAnswerable(member.status) ? 2 : 0) + (mayLead(member, this.#policy) ? 1 : 0);
      grades.set(tier, Math.max(grades.get(tier) ?? 0, grade));
    }
    return grades;
  }
}

/** Both together; who is in the whole is only put together for those who ask. */
function sharing(own: Pool, rest: Pool, restName: string): Pool {
  const shared: SharedPool = { own: { ...own, joinedTiers: own.tiers.length }, rest, restName };
  return {
    registered: own.registered,
    tierOf: own.tierOf,
    tiers: own.tiers,
    shared,
    get answerable() {
      return [...own.answerable, ...rest.answerable];
    },
    get active() {
      return [...own.active, ...rest.active];
    },
  };
}
