// srv-weights.ts -- weights of any size as those of SRV records (RFC 2782): whole numbers up to 65535

import type { Candidate, Plan } from './plan.ts';

const MAX_SRV_WEIGHT = 65535;
/** What the greatest becomes when some are no whole numbers: fine enough for a thousandth, and easy on the eye. */
const FINE = 10_000;
/** The least that a weight is scaled down to: rounding then moves none by more than a twentieth. */
const LEAST_SCALED = 10;

/** SRV weights of strategies that share out evenly: 1 each, 0 for those that stand by. */
export function evenWeights(candidates: readonly Candidate[]): number[] {
  return candidates.map(({ weight }) => (weight > 0 ? 1 : 0));
}

/** Weights as SRV weights, in proportion; none that was positive becomes 0. Whole ones that fit stay as they are. */
export function srvWeights(weights: readonly number[]): number[] {
  const greatest = weights.reduce((max, each) => Math.max(max, each), 0);
  const most = weights.every(Number.isInteger) ? Math.min(greatest, MAX_SRV_WEIGHT) : FINE;
  return weights.map((each) => (each > 0 ? Math.max(1, Math.round(each * (most / greatest))) : 0));
}

/**
 * The same plan with its SRV weights times `factor` (> 0), in proportion: no further up than the greatest fits, and no
 * further down than the least keeps what makes rounding small.
 */
export function scaleSrvWeights(plan: Plan, factor: number): Plan {
  const greatest = plan.srvWeights.reduce((max, each) => Math.max(max, each), 1);
  const least = plan.srvWeights.reduce((min, each) => (each > 0 ? Math.min(min, each) : min), greatest);
  const times = Math.min(Math.max(factor, Math.min(1, LEAST_SCALED / least)), MAX_SRV_WEIGHT / greatest);
  const scaled = plan.srvWeights.map((each) => (each > 0 ? Math.max(1, Math.round(each * times)) : 0));
  return { ...plan, srvWeights: scaled };
}
