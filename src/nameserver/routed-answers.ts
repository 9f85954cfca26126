// routed-answers.ts -- the record sets of one name of a service, by branch: made when first asked for
//
// Most services have one branch. Where routes or affinity make several, each has a pool of its own.

import { isMany } from '../base/pauses.ts';
import type { Member } from '../registry/member.ts';
import type { Branches } from '../routing/branches.ts';
import type { Pool } from '../routing/pool.ts';
import { GENERAL } from '../routing/route.ts';
import type { Cursor } from './cursors.ts';
import { JoinedAnswers } from './joined-answers.ts';
import { type PoolAnswers, questionOf } from './pool-answers.ts';
import type { PreparedSet } from './prepared-set.ts';
import type { QueryDraw, Selector } from './query-draw.ts';
import { type PortChoice, recordKind } from './record-kind.ts';

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

/** Members in the pools of all branches of one name; beyond it they are made anew. Room for all that share nothing. */
const MAX_KEPT_MEMBERS = 36_864;
/** A pool costs something even when it is empty, and more when it is put together. */
const EMPTY_COST = 1;
/** Addresses of both families, texts, HTTPS, and named ports; beyond it they are made anew. */
const MAX_KINDS = 16;
const JOINED_COST = 8;

export class RoutedAnswers {
  readonly branches: Branches;
  readonly #context: RoutedContext;
  readonly #answers = new Map<number, PoolAnswers>();
  /** Of branches that share the most with others, and what they share. */
  readonly #joined = new Map<number, JoinedAnswers>();
  readonly #shared = new Map<Pool, PoolAnswers>();
  /** By the kind of records. */
  readonly #byKind = new Map<string, RoutedAnswers>();
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

  /** The sets of one question: see PoolAnswers. `owner` tells SRV questions apart. */
  sets(type: number, owner: string, choice?: PortChoice): BranchedSet {
    const routed = this.for(type, choice);
    const question = questionOf(type, owner);
    const setOf = (answers: PoolAnswers): PreparedSet => answers.set(type, owner, choice);
    return {
      selector: routed.branches.isFixed ? undefined : routed.#selector(question),
      at: (branch) => routed.#joinedAt(branch)?.at(question, setOf) ?? setOf(routed.at(branch)),
    };
  }

  /**
   * The answers in which instances without a record of the type, or without the port, keep nothing going: a route, a tier
   * or a home that has no other instance is passed over. Most often there is no difference.
   */
  for(type: number, choice?: PortChoice): RoutedAnswers {
    const kind = this.branches.isPlain ? undefined : recordKind(type, choice);
    if (kind === undefined) return this;
    let known = this.#byKind.get(kind.key);
    if (known === undefined) {
      const branches = this.branches.answering(({ instance }) => kind.has(instance));
      known = branches === this.branches ? this : new RoutedAnswers(branches, this.#context);
      if (this.#byKind.size >= MAX_KINDS) this.#forgetKinds();
      this.#byKind.set(kind.key, known);
    }
    return known;
  }

  /** The set of one branch that `sets` has, and where it is not made yet, made with pauses. Of those `for` a question. */
  *inSteps(branch: number, type: number, owner: string, choice?: PortChoice): Generator<void, PreparedSet> {
    const answers = this.at(branch);
    if (isMany(answers.pool.registered)) yield;
    return yield* answers.inSteps(type, owner, choice);
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
    this.#keep(pool.answerable.length + EMPTY_COST);
    this.#answers.set(branch, answers);
    return answers;
  }

  /** Of a branch that shares the most of its pool with others. */
  #joinedAt(branch: number): JoinedAnswers | undefined {
    const known = this.#joined.get(branch);
    if (known !== undefined) return known;
    const kept = this.#answers.get(branch);
    if (kept !== undefined && kept.pool.shared === undefined) return undefined;
    const { pool, route } = this.branches.at(branch);
    if (pool.shared === undefined) return undefined;
    const { own, rest, restName } = pool.shared;
    const name = this.branches.nameOf(branch);
    let behind = this.#shared.get(rest);
    if (behind === undefined) {
      behind = this.#context.answersOf(rest, route === GENERAL ? restName : `route:${route} ${restName}`);
      this.#keep(rest.answerable.length + EMPTY_COST);
      this.#shared.set(rest, behind);
    }
    const answersOf = (each: Pool): PoolAnswers => this.#context.answersOf(each, name);
    const answers = new JoinedAnswers(pool, answersOf(own), behind, answersOf);
    this.#keep(own.answerable.length + JOINED_COST);
    this.#joined.set(branch, answers);
    return answers;
  }

  #forgetKinds(): void {
    for (const each of this.#byKind.values()) if (each !== this) each.#forget();
    this.#byKind.clear();
  }

  #forget(): void {
    this.#answers.clear();
    this.#joined.clear();
    this.#shared.clear();
    this.#context.onKept(-this.#keptMembers);
    this.#keptMembers = 0;
  }

  /** So many members more are about to be kept. */
  #keep(members: number): void {
    if (this.#keptMembers + members > MAX_KEPT_MEMBERS) this.#forget();
    this.#keptMembers += members;
    this.#context.onKept(members);
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
