// srv-weights.ts -- weights of any size as those of SRV records (RFC 2782): whole numbers up to 65535

import type { Candidate, Plan } from './plan.ts';

const MAX_SRV_WEIGHT = 65535;
/** What the greatest becomes when some are no whole numbers: fine enough for a thousandth, and easy on the eye. */
const FINE = 10_000;

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

/** The same plan with its SRV weights times `factor` (> 0), in proportion also where the greatest would not fit. */
export function scaleSrvWeights(plan: Plan, factor: number): Plan {
  const greatest = plan.srvWeights.reduce((max, each) => Math.max(max, each), 0);
  const times = Math.min(factor, MAX_SRV_WEIGHT / Math.max(1, greatest));
  const scaled = plan.srvWeights.map((each) => (each > 0 ? Math.max(1, Math.round(each * times)) : 0));
  return { ...plan, srvWeights: scaled };
}
