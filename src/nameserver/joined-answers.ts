// joined-answers.ts -- the record sets of a pool of which many others share the most: only its own part is made for it

import { joined } from '../balance/joined.ts';
import { atOnce } from '../base/pauses.ts';
import { TYPE } from '../dns/codes.ts';
import type { Pool } from '../routing/pool.ts';
import type { PoolAnswers } from './pool-answers.ts';
import type { PreparedSet } from './prepared-set.ts';

/** Priority and weight, or priority: two records that differ in nothing else are of one target. */
const HEAD_LENGTHS: ReadonlyMap<number, number> = new Map([
  [TYPE.SRV, 4],
  [TYPE.SVCB, 2],
  [TYPE.HTTPS, 2],
]);

export class JoinedAnswers {
  readonly #own: PoolAnswers;
  readonly #rest: PoolAnswers;
  readonly #answersOf: (pool: Pool) => PoolAnswers;
  readonly #whole: Pool;
  readonly #sets = new Map<string, PreparedSet>();

  /** `own` and `rest` are of the two parts of `whole`; `answersOf` makes answers of other pools in their place. */
  constructor(whole: Pool, own: PoolAnswers, rest: PoolAnswers, answersOf: (pool: Pool) => PoolAnswers) {
    this.#own = own;
    this.#rest = rest;
    this.#whole = whole;
    this.#answersOf = answersOf;
  }

  /** The set of a question. */
  at(question: string, setOf: (answers: PoolAnswers) => PreparedSet): PreparedSet {
    let set = this.#sets.get(question);
    if (set === undefined) {
      set = this.#join(setOf);
      this.#sets.set(question, set);
    }
    return set;
  }

  #join(setOf: (answers: PoolAnswers) => PreparedSet): PreparedSet {
    const behind = setOf(this.#rest);
    let front = setOf(this.#own);
    if (behind.plan.size === 0) return front;
    const keys = keysOf(behind);
    if (front.rdatas.some((rdata) => keys.has(keyOf(front.type, rdata)))) {
      // One target in two tiers is one record, of both together: that is nothing to be shared.
      if (front.type !== TYPE.TXT) return setOf(this.#answersOf(this.#whole));
      const holders = atOnce(this.#own.holders(TYPE.TXT));
      const answerable = holders.filter((_, i) => !keys.has(keyOf(TYPE.TXT, front.rdatas[i]!))).flat();
      front = setOf(this.#answersOf({ ...this.#own.pool, answerable }));
    }
    if (front.plan.size === 0) return { ...behind, rdatas: [], sharedRdatas: behind.rdatas };
    return {
      ...front,
      ttlSeconds: Math.min(front.ttlSeconds, behind.ttlSeconds),
      plan: joined(front.plan, behind.plan),
      sharedRdatas: behind.rdatas,
    };
  }
}

const KEYS = new WeakMap<PreparedSet, ReadonlySet<string>>();

/** What tells the records of a set from those of another, once for all that are joined with it. */
function keysOf(set: PreparedSet): ReadonlySet<string> {
  let keys = KEYS.get(set);
  if (keys === undefined) {
    keys = new Set(set.rdatas.map((rdata) => keyOf(set.type, rdata)));
    KEYS.set(set, keys);
  }
  return keys;
}

function keyOf(type: number, rdata: Uint8Array): string {
  return Buffer.from(rdata.subarray(HEAD_LENGTHS.get(type) ?? 0)).toString('latin1');
}
