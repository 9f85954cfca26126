// round-robin.ts -- everybody in turn, whatever the weights; weight 0 goes last

import type { Candidate, Plan } from './plan.ts';

/** Each draw starts one candidate further on, so first places are shared out exactly evenly. */
export function roundRobin(candidates: readonly Candidate[]): Plan {
  const { active, standby } = splitByWeight(candidates);
  return {
    size: candidates.length,
    isRotation: active.length === 0 || standby.length === 0,
    srvWeights: evenWeights(candidates),
    draw(limit, { turn }, order) {
      const written = rotate(active, turn, limit, order, 0);
      return rotate(standby, turn, limit, order, written);
    },
  };
}

/** Candidates that are answered first, and those of weight 0 that only follow (contract: never first). */
export function splitByWeight(candidates: readonly Candidate[]): { active: number[]; standby: number[] } {
  const indexes = candidates.map((_, index) => index);
  return {
    active: indexes.filter((index) => candidates[index]!.weight > 0),
    standby: indexes.filter((index) => candidates[index]!.weight === 0),
  };
}

/** SRV weights of strategies that share out evenly: 1 each, 0 for those that stand by. */
export function evenWeights(candidates: readonly Candidate[]): number[] {
  return candidates.map((candidate) => (candidate.weight > 0 ? 1 : 0));
}

/** Append `members` to `order` from the turn's place on, up to `limit` in all; returns the new length. */
export function rotate(
  members: readonly number[],
  turn: number,
  limit: number,
  order: Uint16Array,
  from: number,
): number {
  const count = Math.max(0, Math.min(members.length, limit - from));
  // One division for an answer, not one for each of its records.
  let next = count === 0 ? 0 : turn % members.length;
  for (let i = 0; i < count; i++) {
    order[from + i] = members[next]!;
    next = next + 1 === members.length ? 0 : next + 1;
  }
  return from + count;
}
