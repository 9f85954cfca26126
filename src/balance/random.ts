// random.ts -- a fresh uniform shuffle for every answer; weight 0 goes last

import type { Random } from '../base/random.ts';
import { type Candidate, inProportion, type Plan, samePriorities } from './plan.ts';
import { evenWeights } from './srv-weights.ts';
import { splitByWeight } from './standby.ts';

/** Every order of the candidates is equally likely. */
export function randomOrder(candidates: readonly Candidate[]): Plan {
  const { active, standby } = splitByWeight(candidates);
  const weights = evenWeights(candidates);
  // Shuffled further by every draw: a permutation stays one, so nothing has to be set back or allocated.
  const decks = [Uint16Array.from(active), Uint16Array.from(standby)];
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights: weights,
    srvPriorities: samePriorities(candidates),
    firstShares: () => inProportion(weights),
    draw(limit, { random }, order) {
      let written = 0;
      for (const deck of decks) written = deal(deck, limit, random, order, written);
      return written;
    },
  };
}

/** The first places of a Fisher-Yates shuffle of `deck`. */
function deal(deck: Uint16Array, limit: number, random: Random, order: Uint16Array, from: number): number {
  const count = Math.max(0, Math.min(deck.length, limit - from));
  for (let i = 0; i < count; i++) {
    const pick = i + random.below(deck.length - i);
    const card = deck[pick]!;
    deck[pick] = deck[i]!;
    deck[i] = card;
    order[from + i] = card;
  }
  return from + count;
}
