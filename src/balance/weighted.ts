// weighted.ts -- smooth weighted round-robin: first places in proportion to the weights, evenly interleaved
//
// A cycle of slots is laid out when something changes: a candidate of weight w owns w slots, spread as evenly as they
// go. A draw reads the slot of its turn and walks on for the further places. SRV carries the same weights.

import type { Candidate, Plan } from './plan.ts';
import { rotate, splitByWeight } from './round-robin.ts';

/** Longer cycles are not laid out: turns are scattered over the weights instead. */
const MAX_SLOTS = 4096;
const MAX_SRV_WEIGHT = 65535;

export function weighted(candidates: readonly Candidate[]): Plan {
  const { active, standby } = splitByWeight(candidates);
  const memberAt = turnsOf(
    active,
    active.map((index) => candidates[index]!.weight),
  );
  const byWeight = active.toSorted((a, b) => candidates[b]!.weight - candidates[a]!.weight || a - b);
  // Which draw last took a candidate: distinctness without clearing anything between draws.
  const takenBy = new Uint32Array(candidates.length);
  let drawId = 0;
  return {
    size: candidates.length,
    isRotation: false,
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
      // A heavy candidate may own long runs of turns; past a few turns a place, go by weight instead.
      for (let i = 0; i < wanted * 4 && written < wanted; i++) take(memberAt(turn + i));
      for (let i = 0; i < byWeight.length && written < wanted; i++) take(byWeight[i]!);
      return rotate(standby, turn, limit, order, written);
    },
  };
}

/** Whose turn it is. Weights are reduced by their greatest common divisor; small ones make an exact cycle. */
function turnsOf(members: readonly number[], weights: readonly number[]): (turn: number) => number {
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
  const counts = weights.map((weight) => weight / divisor);
  const total = counts.reduce((sum, each) => sum + each, 0);
  if (total > MAX_SLOTS) return scatterTurns(members, counts, total);
  const cycle = layOutCycle(members, counts);
  return (turn) => cycle[turn % cycle.length]!;
}

/**
 * Multiples of the golden ratio fall into every part of a whole in proportion to its size, and evenly (Knuth, TAOCP 6.4):
 * a cycle of any length that needs no memory.
 */
function scatterTurns(members: readonly number[], counts: readonly number[], total: number): (turn: number) => number {
  let sum = 0;
  const ends = Float64Array.from(counts, (count) => {
    sum += count;
    return sum;
  });
  return (turn) => {
    const at = ((turn * GOLDEN_RATIO) % 1) * total;
    let low = 0;
    let high = ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return members[low]!;
  };
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** Slots in proportion to the weights: the k-th of w slots of a candidate belongs at (k + 1/2) / w of the cycle. */
function layOutCycle(members: readonly number[], counts: readonly number[]): Uint16Array {
  const slots: { at: number; member: number }[] = [];
  for (const [i, count] of counts.entries()) {
    for (let k = 0; k < count; k++) slots.push({ at: (k + 0.5) / count, member: members[i]! });
  }
  slots.sort((a, b) => a.at - b.at || a.member - b.member);
  return Uint16Array.from(slots, (slot) => slot.member);
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
