// least-connections.ts -- more for those with fewer connections, so that in the end all have as many as their weight says
//
// An answer is in use for as long as its TTL, and load is told of every few seconds: to send everybody to the one that
// was idle at the last report would make it the busiest at the next. So what is steered is the share of the answers.
// Each report says what came of the share that an instance had: more connections than others make it smaller, fewer
// larger, by a bounded part (a proportional-integral controller, as in control engineering). Between reports answers
// keep to the shares, whichever thread gives them: a fresh report starts no stampede.

import type { Candidate, Plan, PlanPurpose } from './plan.ts';
import { weighted } from './weighted.ts';

/** How much of its distance from the others moves a share for good, and how much only until the next report. */
const LEARNING = 0.15;
const REACTION = 0.1;
/** One report changes a share by no more than this factor, in either of these ways. */
const MAX_STEP = 2;
/** Shares are within this factor of what the weight alone gives. */
const MAX_LEARNED = 32;
/** Shares that are remembered, of all questions; beyond it the question longest unchanged begins anew. */
const MAX_REMEMBERED = 100_000;

interface Learned {
  readonly connections: number;
  /** Factor on the weight. */
  readonly factor: number;
}

const memory = new Map<string, ReadonlyMap<string, Learned>>();
let remembered = 0;

/** Those whose connections are not known count as the others do on average. */
export function leastConnections(candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const known = candidates.filter(({ weight, connections }) => weight > 0 && connections !== undefined);
  if (known.length === 0) return weighted(candidates, purpose);
  const usualWeight = mean(known.map(({ weight }) => weight));
  // One connection more than there are, for a usual weight: the first few should not count for much.
  const loadOf = ({ connections, weight }: Candidate): number => connections! / weight + 1 / usualWeight;
  const usualLoad = mean(known.map(loadOf));
  const correct = (candidate: Candidate, by: number): number =>
    bounded(Math.exp(by * (1 - loadOf(candidate) / usualLoad)), MAX_STEP);
  const before = purpose?.question === undefined ? undefined : memory.get(purpose.question);
  const factors = known.map((candidate) => {
    const last = before?.get(candidate.key);
    // The same number again is most often the same report.
    const isNews = last?.connections !== candidate.connections;
    return (last?.factor ?? 1) * (isNews ? correct(candidate, LEARNING) : 1);
  });
  const usualFactor = mean(factors);
  const learned = new Map<string, Learned>();
  for (const [i, { key, connections }] of known.entries()) {
    learned.set(key, { connections: connections!, factor: bounded(factors[i]! / usualFactor, MAX_LEARNED) });
  }
  if (purpose?.question !== undefined) remember(purpose.question, learned);
  return weighted(
    candidates.map((candidate) => {
      const factor = candidate.weight > 0 ? learned.get(candidate.key)?.factor : undefined;
      return factor === undefined
        ? candidate
        : { ...candidate, weight: candidate.weight * factor * correct(candidate, REACTION) };
    }),
    purpose,
  );
}

/** Forget what was learned for questions that begin with `space`. */
export function forgetLearned(space: string): void {
  for (const question of [...memory.keys()]) if (question.startsWith(space)) forget(question);
}

function remember(question: string, learned: ReadonlyMap<string, Learned>): void {
  forget(question);
  memory.set(question, learned);
  remembered += learned.size;
  for (const oldest of memory.keys()) {
    if (remembered <= MAX_REMEMBERED || oldest === question) break;
    forget(oldest);
  }
}

function forget(question: string): void {
  remembered -= memory.get(question)?.size ?? 0;
  memory.delete(question);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

function bounded(value: number, most: number): number {
  return Math.min(most, Math.max(1 / most, value));
}
