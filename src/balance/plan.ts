// plan.ts -- what a strategy makes of the answerable instances, and what a query draws from
//
// A plan is built when something changes and drawn from on every query, so drawing must not allocate with the number
// of candidates nor look anything up.

import type { Random } from '../base/random.ts';

/** One choice: an instance (SRV) or an address (A, AAAA), with the weight it should get. */
export interface Candidate {
  /** Identity that survives recompilation: address text, or address and port. */
  readonly key: string;
  /** >= 0, whole or not; addresses shared by several instances carry the sum, so it may exceed 65535. */
  readonly weight: number;
  /** Candidates of a lower tier are all drawn before those of a higher one; default 0. */
  readonly tier?: number;
  /** Of A and AAAA: 4 or 16 octets. */
  readonly address?: Uint8Array | undefined;
  /** Least id of the instances behind it. */
  readonly id?: string;
  /** Open connections by the last report; undefined: not known. */
  readonly connections?: number | undefined;
  /** Another number with every report that tells something new; undefined: not known. */
  readonly loadReports?: number | undefined;
  /** How far the report is still believed, above 0, at most 1; undefined: it is fresh. */
  readonly loadTrust?: number | undefined;
  /** Round-trip time; undefined: not known. */
  readonly latencyMs?: number | undefined;
}

/** What a draw may use of the outside. */
export interface DrawState {
  /** Next value of the rotation cursor that belongs to this question; a whole number that counts up and wraps at 2^32. */
  turn: number;
  readonly random: Random;
  /** Unsigned 32-bit hash of who asks. Reading it makes the answer one for this client only (RFC 7871 section 7.2.1). */
  readonly client: number;
}

/** An order of candidates, drawn anew for each query. */
export interface Plan {
  /** How many candidates there are to draw from. */
  readonly size: number;
  /** A draw is the candidates one after the other, from number `turn % size` on: whoever draws may do it alone. */
  readonly isRotation: boolean;
  /** Write up to `limit` distinct candidate indexes into `order`, best first; returns how many were written. */
  draw(limit: number, state: DrawState, order: Uint16Array): number;
  /**
   * SRV weight (0..65535, RFC 2782) of each candidate, by index: what gives clients that draw by it the same shares as
   * those that take the first record.
   */
  readonly srvWeights: readonly number[];
  /** SRV priority (0..65535, RFC 2782: the lowest first) of each candidate, by index. */
  readonly srvPriorities: readonly number[];
  /**
   * Part of the draws that each candidate is the first of, by index, where it is the same for every client and can be
   * told without drawing.
   */
  readonly firstShares?: (() => readonly number[]) | undefined;
  /** What it is made of, of a plan to be joined: drawn one behind the other, by rank. */
  readonly parts?: readonly PlanPart[];
}

/** Candidates that are drawn together. */
export interface PlanPart {
  readonly plan: Plan;
  /** By candidate index of `plan`: that in the whole, less `offset`. */
  readonly indexes: readonly number[];
  readonly offset: number;
  /** The lowest is drawn first. Parts of plans that are joined have none in common. */
  readonly rank: number;
}

/** What a plan is for. */
export interface PlanPurpose {
  /** How many places an answer has; default: as many as there are candidates. */
  readonly limit?: number;
  /** Names the question: a strategy that learns from plan to plan goes on from what it learned. */
  readonly question?: string | undefined;
  /**
   * The plan is to be joined (joined.ts) with one of other tiers of the same pool, which has so many in all: its SRV
   * priorities leave room for those of the other.
   */
  readonly joinedTiers?: number | undefined;
}

/** Builds a plan from candidates in a stable order. */
export type Strategy = (candidates: readonly Candidate[], purpose?: PlanPurpose) => Plan;

/** How many of `count` candidates an answer holds; at least 1. */
export function placesOf(purpose: PlanPurpose | undefined, count: number): number {
  return Math.max(1, Math.min(purpose?.limit ?? count, count));
}

/** The purpose of a plan for some of the candidates. */
export function purposeOfPart(purpose: PlanPurpose | undefined, part: string, limit: number): PlanPurpose {
  const question = purpose?.question;
  return { limit, question: question === undefined ? undefined : `${question} ${part}` };
}

/** First shares in proportion to numbers; those that have 0 have none, unless all have. */
export function inProportion(numbers: readonly number[]): readonly number[] {
  const sum = numbers.reduce((total, each) => total + each, 0);
  return numbers.map((each) => (sum === 0 ? 1 / numbers.length : each / sum));
}

/** The same priority for all: for strategies that leave the choice to the weights. */
export function samePriorities(candidates: readonly Candidate[]): number[] {
  return candidates.map(() => 0);
}
