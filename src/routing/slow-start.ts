// slow-start.ts -- how much of its weight an instance has while it warms up
//
// The factor rises in equal steps, and all instances rise alike: where all of a service began together their factors
// are the same, and only proportions count.

import type { Instance } from '../registry/instance.ts';
import type { Policy } from '../registry/policy.ts';

/** Levels of the factor: 1/10, 2/10 and so on to 1. */
const LEVELS = 10;
/** The factor of one that has just begun. */
export const COLD = 1 / LEVELS;

/** How long an instance takes to warm up, in milliseconds: its own word, else the policy's; 0: it is warm at once. */
export function warmupMs(instance: Pick<Instance, 'warmupMs'>, policy: Policy | undefined): number {
  return instance.warmupMs ?? policy?.slowStartMs ?? 0;
}

/** The factor on the weight, `elapsedMs` (>= 0) after it began; 1 from `durationMs` on. */
export function warmthAt(elapsedMs: number, durationMs: number): number {
  if (elapsedMs >= durationMs) return 1;
  return levelAt(elapsedMs, durationMs) / LEVELS;
}

/** How long after it began the factor changes next; undefined once it is 1. */
export function nextWarmthMs(elapsedMs: number, durationMs: number): number | undefined {
  if (elapsedMs >= durationMs) return undefined;
  return (levelAt(elapsedMs, durationMs) * durationMs) / (LEVELS - 1);
}

/** 1 at the beginning; the last level is reached with the end of the time. */
function levelAt(elapsedMs: number, durationMs: number): number {
  const level = 1 + Math.floor((elapsedMs / durationMs) * (LEVELS - 1));
  // A division may come out a little below the whole number that the moment stands for.
  const isNext = elapsedMs >= (level * durationMs) / (LEVELS - 1);
  return Math.min(LEVELS - 1, level + (isNext ? 1 : 0));
}
