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
  if (before === undefined || sampleMs >= before.valueMs) return { valueMs: sampleMs, atMs: nowMs };
  const left = 2 ** (-Math.max(0, nowMs - before.atMs) / HALF_LIFE_MS);
  return { valueMs: sampleMs + (before.valueMs - sampleMs) * left, atMs: nowMs };
}
