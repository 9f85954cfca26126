// plan.ts -- what a strategy makes of the answerable instances, and what a query draws from
//
// A plan is built when something changes and drawn from on every query, so drawing must not allocate with the number
// of candidates nor look anything up.

import type { Random } from '../base/random.ts';

/** One choice: an instance (SRV) or an address (A, AAAA), with the weight it should get. */
export interface Candidate {
  /** Identity that survives recompilation: instance id or address text. */
  readonly key: string;
  /** >= 0; addresses shared by several instances carry the sum, so it may exceed 65535. */
  readonly weight: number;
}

/** What a draw may use of the outside. */
export interface DrawState {
  /** Next value of the rotation cursor that belongs to this question; a whole number that counts up and wraps at 2^32. */
  readonly turn: number;
  readonly random: Random;
}

/** An order of candidates, drawn anew for each query. */
export interface Plan {
  /** How many candidates there are to draw from. */
  readonly size: number;
  /** A draw is the candidates one after the other, from number `turn % size` on: whoever draws may do it alone. */
  readonly isRotation: boolean;
  /** Write up to `limit` distinct candidate indexes into `order`, best first; returns how many were written. */
  draw(limit: number, state: DrawState, order: Uint16Array): number;
  /** SRV weight (0..65535, RFC 2782) of each candidate, by index. */
  readonly srvWeights: readonly number[];
}

/** Builds a plan from candidates in a stable order. */
export type Strategy = (candidates: readonly Candidate[]) => Plan;
