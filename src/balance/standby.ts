// standby.ts -- candidates of weight 0: listed behind all others, so never first while another is there

import type { Candidate } from './plan.ts';

/** Indexes of the candidates that are answered first, and of those of weight 0 that only follow. */
export function splitByWeight(candidates: readonly Candidate[]): { active: number[]; standby: number[] } {
  const active: number[] = [];
  const standby: number[] = [];
  for (const [index, { weight }] of candidates.entries()) (weight > 0 ? active : standby).push(index);
  return { active, standby };
}
