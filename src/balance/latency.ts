// latency.ts -- more for those that answer sooner: weights times a factor that falls with the round-trip time

import type { Candidate, Plan, PlanPurpose } from './plan.ts';
import { weighted } from './weighted.ts';

/** As good as the best: within a fifth of it, or within a millisecond. Small differences come and go. */
const TOLERANCE = 1.2;
const TOLERANCE_MS = 1;
/** Beyond that the factor falls with the square: at twice the time a quarter. */
const STEEPNESS = 2;
/** Every one gets at least this part of what its weight alone would give it, so that it can prove itself again. */
const LEAST = 0.02;

/** Those whose time is not known count as the others do on average. */
export function latency(candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const timed = candidates.filter(({ weight, latencyMs }) => weight > 0 && latencyMs !== undefined);
  if (timed.length === 0) return weighted(candidates, purpose);
  const bestMs = timed.reduce((least, { latencyMs }) => Math.min(least, latencyMs!), Number.POSITIVE_INFINITY);
  const goodMs = Math.max(bestMs * TOLERANCE, bestMs + TOLERANCE_MS);
  const factorOf = (latencyMs: number): number =>
    latencyMs <= goodMs ? 1 : Math.max(LEAST, (goodMs / latencyMs) ** STEEPNESS);
  const usual = timed.reduce((sum, { latencyMs }) => sum + factorOf(latencyMs!), 0) / timed.length;
  return weighted(
    candidates.map((candidate) => {
      const factor = candidate.latencyMs === undefined ? usual : factorOf(candidate.latencyMs);
      return { key: candidate.key, weight: candidate.weight * factor };
    }),
    purpose,
  );
}
