// least-connections.ts -- more for those with fewer connections, so that in the end all have as many as their weight says
//
// An answer is in use for as long as its TTL, and load is told of every few seconds: to send everybody to the one that
// was idle at the last report would make it the busiest at the next. So what is steered is the share of the answers.
// Each report says what came of the share that an instance had: more connections than others make it smaller, fewer
// larger, by a bounded part (a proportional-integral controller, as in control engineering). Between reports answers
// keep to the shares, whichever thread gives them: a fresh report starts no stampede. A report that says the same as the
// one before says that the share is still too large, or too small. Reports that grow old take with them what was learned.

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
  /** `loadReports` then. */
  readonly reports: number | undefined;
  /** Factor on the weight. */
  readonly factor: number;
  /** How far it was believed. */
  readonly trust: number;
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
    const isNews = last === undefined || last.reports !== candidate.loadReports;
    return kept(last, trustIn(candidate)) * (isNews ? correct(candidate, LEARNING) : 1);
  });
  // Those that are believed less count less: when they are not known any more, the others are among themselves.
  const trust = known.reduce((sum, each) => sum + trustIn(each), 0);
  const usualFactor = known.reduce((sum, each, i) => sum + factors[i]! * trustIn(each), 0) / trust;
  const learned = new Map<string, Learned>();
  for (const [i, candidate] of known.entries()) {
    const factor = bounded(factors[i]! / usualFactor, MAX_LEARNED);
    learned.set(candidate.key, { reports: candidate.loadReports, factor, trust: trustIn(candidate) });
  }
  if (purpose?.question !== undefined) remember(purpose.question, learned);
  return weighted(
    candidates.map((candidate) => {
      const own = candidate.weight > 0 ? learned.get(candidate.key) : undefined;
      if (own === undefined) return candidate;
      const { factor, trust } = own;
      return { key: candidate.key, weight: candidate.weight * factor ** trust * correct(candidate, REACTION) };
    }),
    purpose,
  );
}

/** What is left of what was learned before: trust that went does not come back with the next report. */
function kept(last: Learned | undefined, trust: number): number {
  if (last === undefined) return 1;
  return trust > last.trust ? last.factor ** last.trust : last.factor;
}

function trustIn({ loadTrust = 1 }: Candidate): number {
  return loadTrust;
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
