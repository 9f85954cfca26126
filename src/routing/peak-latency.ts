// peak-latency.ts -- round trips as one number that believes bad news at once and good news slowly
//
// The peak-sensitive moving average of Finagle: a sample above it takes its place, one below only pulls it down, the
// more the longer ago the last one was.

/** How long it takes to come half the way down to lower samples. */
const HALF_LIFE_MS = 10_000;

/** The average as of its last sample. */
export interface PeakLatency {
  readonly valueMs: number;
  readonly atMs: number;
}

/** The average with one more sample, taken at `nowMs` (monotonic). */
export function withSample(before: PeakLatency | undefined, sampleMs: number, nowMs: number): PeakLatency {
  const valueMs = before === undefined ? sampleMs : peakAfter(before.valueMs, sampleMs, nowMs - before.atMs);
  return { valueMs, atMs: nowMs };
}

/** What an average of `peakMs` becomes by a sample, `elapsedMs` after the one before. */
export function peakAfter(peakMs: number, sampleMs: number, elapsedMs: number, halfLifeMs = HALF_LIFE_MS): number {
  if (sampleMs >= peakMs) return sampleMs;
  return sampleMs + (peakMs - sampleMs) * 2 ** (-Math.max(0, elapsedMs) / halfLifeMs);
}
