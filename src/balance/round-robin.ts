// round-robin.ts -- everybody in turn, whatever the weights; weight 0 goes last

import { type Candidate, inProportion, type Plan, samePriorities } from './plan.ts';
import { evenWeights } from './srv-weights.ts';
import { splitByWeight } from './standby.ts';

/** Each draw starts one candidate further on, so first places are shared out exactly evenly. */
export function roundRobin(candidates: readonly Candidate[]): Plan {
  const { active, standby } = splitByWeight(candidates);
  const weights = evenWeights(candidates);
  return {
    size: candidates.length,
    isRotation: active.length === 0 || standby.length === 0,
    srvWeights: weights,
    srvPriorities: samePriorities(candidates),
    firstShares: () => inProportion(weights),
    draw(limit, { turn }, order) {
      const written = rotate(active, turn, limit, order, 0);
      return rotate(standby, turn, limit, order, written);
    },
  };
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
