// routed-answers.ts -- the record sets of one name of a service, by branch: made when first asked for
//
// Most services have one branch. Where routes or affinity make several, each has a pool of its own.

import type { Member } from '../registry/member.ts';
import type { Branches } from '../routing/branches.ts';
import type { Pool } from '../routing/pool.ts';
import type { Cursor } from './cursors.ts';
import type { PoolAnswers } from './pool-answers.ts';
import type { PreparedSet } from './prepared-set.ts';
import type { QueryDraw, Selector } from './query-draw.ts';

/** The sets that one question is answered from. */
export interface BranchedSet {
  /** Undefined: there is one branch, number 0. */
  readonly selector: Selector | undefined;
  at(branch: number): PreparedSet;
}

/** What it takes to make answers. */
export interface RoutedContext {
  /** The answers of a pool; `branch` tells its rotations from those of the name's other pools. */
  answersOf(pool: Pool, branch: string): PoolAnswers;
  /** Turns of the choice between branches, by question. */
  cursor(question: string): Cursor;
  /** So many members more are in pools that are kept. */
  onKept(members: number): void;
}

/** Members in the pools of all branches of one name; beyond it they are made anew. */
const MAX_KEPT_MEMBERS = 8192;

export class RoutedAnswers {
  readonly branches: Branches;
  readonly #context: RoutedContext;
  readonly #answers = new Map<number, PoolAnswers>();
  readonly #selectors = new Map<string, Selector>();
  #keptMembers = 0;

  constructor(branches: Branches, context: RoutedContext) {
    this.branches = branches;
    this.#context = context;
  }

  /** Instances in any status, on whatever branch: while there is one, the name is known. */
  get registered(): readonly Member[] {
    return this.branches.registered;
  }

  /** The sets of one question; `question` tells its choice of branches from those of others. */
  sets(question: string, setOf: (answers: PoolAnswers) => PreparedSet): BranchedSet {
    const selector = this.branches.isFixed ? undefined : this.#selector(question);
    return { selector, at: (branch) => setOf(this.at(branch)) };
  }

  /** The host name that every registered instance has for its address, whatever the branch. */
  alias(): ReturnType<PoolAnswers['alias']> {
    if (this.branches.isFixed) return this.at(0).alias();
    return this.#context.answersOf(this.branches.whole(), '').alias();
  }

  /** The answers of a branch. */
  at(branch: number): PoolAnswers {
    const known = this.#answers.get(branch);
    if (known !== undefined) return known;
    const { pool } = this.branches.at(branch);
    const answers = this.#context.answersOf(pool, this.branches.nameOf(branch));
    // A pool costs something even when it is empty.
    const weight = pool.answerable.length + 1;
    if (this.#keptMembers + weight > MAX_KEPT_MEMBERS) {
      this.#answers.clear();
      this.#context.onKept(-this.#keptMembers);
      this.#keptMembers = 0;
    }
    this.#answers.set(branch, answers);
    this.#keptMembers += weight;
    this.#context.onKept(weight);
    return answers;
  }

  #selector(question: string): Selector {
    let selector = this.#selectors.get(question);
    if (selector === undefined) {
      selector = { branches: this.branches, turns: this.#context.cursor(question) };
      this.#selectors.set(question, selector);
    }
    return selector;
  }
}

/** The set that a query draws from. */
export function setFor({ selector, at }: BranchedSet, draw: QueryDraw): PreparedSet {
  return at(selector === undefined ? 0 : draw.choose(selector));
}
