// sticky-weights.ts -- SRV weights where every client is told its own few of the candidates

import type { Candidate } from './plan.ts';
import { srvWeights } from './srv-weights.ts';

const MAX_STEPS = 50;
const CLOSE = 1e-9;

/**
 * A client that draws by SRV weight among its own few must not count twice that heavy candidates are among the few of
 * more clients: each weighs what it should have, divided by how often it is there. That makes the shares right when the
 * weights are alike or all candidates fit, and to about one part in a hundred otherwise.
 */
export function stickySrvWeights(candidates: readonly Candidate[], places: number): number[] {
  const weights = candidates.map(({ weight }) => weight);
  const active = weights.filter((weight) => weight > 0);
  if (places >= active.length || active.every((weight) => weight === active[0])) return srvWeights(weights);
  const time = timeUntil(active, places);
  return srvWeights(weights.map((weight) => (weight > 0 ? -weight / Math.expm1(-weight * time) : 0)));
}

/** When about `places` (< all) of those that arrive at random, each at the rate of its weight, have arrived. */
function timeUntil(weights: readonly number[], places: number): number {
  let time = 0;
  // Fewer and fewer arrive with time, so that Newton's steps never go too far.
  for (let step = 0; step < MAX_STEPS; step++) {
    let arrived = 0;
    let rate = 0;
    for (const weight of weights) {
      const waiting = Math.exp(-weight * time);
      arrived += 1 - waiting;
      rate += weight * waiting;
    }
    const missing = places - arrived;
    time += missing / rate;
    if (missing < CLOSE * places) break;
  }
  return time;
}
