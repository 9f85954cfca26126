// failover.ts -- always the best one first, the others behind it in a fixed order

import type { Candidate, Plan } from './plan.ts';
import { evenWeights } from './srv-weights.ts';

const MAX_PRIORITY = 65535;

/** The heaviest first; of the same weight, by id. SRV says the same by priority. */
export function failover(candidates: readonly Candidate[]): Plan {
  const ranked = candidates.map((_, index) => index).sort((a, b) => compare(candidates[a]!, candidates[b]!) || a - b);
  const srvPriorities = new Array<number>(candidates.length).fill(0);
  for (const [rank, index] of ranked.entries()) srvPriorities[index] = Math.min(rank, MAX_PRIORITY);
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights: evenWeights(candidates),
    srvPriorities,
    draw(limit, _, order) {
      const count = Math.max(0, Math.min(limit, ranked.length));
      for (let i = 0; i < count; i++) order[i] = ranked[i]!;
      return count;
    },
  };
}

function compare(a: Candidate, b: Candidate): number {
  const [left, right] = [a.id ?? a.key, b.id ?? b.key];
  return b.weight - a.weight || (left < right ? -1 : left > right ? 1 : 0);
}
