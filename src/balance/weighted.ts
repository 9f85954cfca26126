// weighted.ts -- smooth weighted round-robin: first places in exact proportion to the weights, evenly interleaved
//
// A cycle of slots is laid out when something changes: a candidate of weight w owns w slots, spread as evenly as they
// go. A draw reads the slot of its turn and walks on for the further places. SRV carries the same weights.

import type { Candidate, Plan } from './plan.ts';
import { rotate, splitByWeight } from './round-robin.ts';

/** Longer cycles would cost memory without being noticeably truer. */
const MAX_SLOTS = 4096;
const MAX_SRV_WEIGHT = 65535;

export function weighted(candidates: readonly Candidate[]): Plan {
  const { active, standby } = splitByWeight(candidates);
  const cycle = layOutCycle(
    active,
    active.map((index) => candidates[index]!.weight),
  );
  const byWeight = active.toSorted((a, b) => candidates[b]!.weight - candidates[a]!.weight || a - b);
  // Which draw last took a candidate: distinctness without clearing anything between draws.
  const takenBy = new Uint32Array(candidates.length);
  let drawId = 0;
  return {
    size: candidates.length,
    srvWeights: scaleToSrv(candidates.map((candidate) => candidate.weight)),
    draw(limit, { turn }, order) {
      drawId = (drawId + 1) >>> 0 || 1;
      const wanted = Math.min(limit, active.length);
      let written = 0;
      const take = (index: number): void => {
        if (written >= wanted || takenBy[index] === drawId) return;
        takenBy[index] = drawId;
        order[written++] = index;
      };
      // A heavy candidate may own long runs of the cycle; past a few slots a place, go by weight instead.
      const steps = Math.min(cycle.length, wanted * 4);
      for (let i = 0; i < steps && written < wanted; i++) take(cycle[(turn + i) % cycle.length]!);
      for (let i = 0; i < byWeight.length && written < wanted; i++) take(byWeight[i]!);
      return rotate(standby, turn, limit, order, written);
    },
  };
}

/** Slots in proportion to the weights: the k-th of w slots of a candidate belongs at (k + 1/2) / w of the cycle. */
function layOutCycle(members: readonly number[], weights: readonly number[]): Uint16Array {
  const counts = slotCounts(weights);
  const slots: { at: number; member: number }[] = [];
  for (const [i, count] of counts.entries()) {
    for (let k = 0; k < count; k++) slots.push({ at: (k + 0.5) / count, member: members[i]! });
  }
  slots.sort((a, b) => a.at - b.at || a.member - b.member);
  return Uint16Array.from(slots, (slot) => slot.member);
}

/** Weights as whole numbers of slots: reduced by their greatest common divisor, scaled down when still too many. */
function slotCounts(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
  const reduced = weights.map((weight) => weight / divisor);
  const total = reduced.reduce((sum, each) => sum + each, 0);
  if (total <= MAX_SLOTS) return reduced;
  return reduced.map((each) => Math.max(1, Math.round((each * MAX_SLOTS) / total)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Weights that fit RFC 2782's 16 bits, in proportion; none that was positive becomes 0. */
function scaleToSrv(weights: readonly number[]): number[] {
  const largest = weights.reduce((max, each) => Math.max(max, each), 0);
  if (largest <= MAX_SRV_WEIGHT) return [...weights];
  return weights.map((each) => (each === 0 ? 0 : Math.max(1, Math.round((each * MAX_SRV_WEIGHT) / largest))));
}
