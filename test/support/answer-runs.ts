// answer-runs.ts -- what servers answered to a steady stream of questions: the same answers in a row as one run
//
// The asking is done by a process of its own (answer-runs-crew.ts). Times are milliseconds since 1970 with fractions
// (`preciseNowMs`), by clocks that do not jump, so that they can be compared between processes.

import type { Address } from './built-server.ts';
import { Crew } from './crew.ts';

export interface AnswerLoadOptions {
  readonly servers: readonly Address[];
  /** Names asked for in turn, type A. */
  readonly names: readonly string[];
  /** To all servers together. */
  readonly perSecond: number;
}

/** Answers of one server to one name that were all the same. */
export interface AnswerRun {
  /** Index of the server. */
  readonly server: number;
  readonly name: string;
  /** The rcode and the addresses in order: `NOERROR 10.0.0.1 10.0.0.2`. */
  readonly answer: string;
  /** The first question was sent. */
  readonly fromMs: number;
  /** The last question was sent. */
  lastSentMs: number;
  /** The last answer came. */
  toMs: number;
  count: number;
}

export interface AnswerReport {
  readonly asked: number;
  /** Questions without an answer within a second; those of the last second are not counted. */
  readonly lost: readonly { readonly server: number; readonly sentMs: number }[];
  /** Per server and name in order of time. */
  readonly runs: readonly AnswerRun[];
  /** Longest and 99th percentile of the times to an answer. */
  readonly p99Ms: number;
  readonly worstMs: number;
}

/** Asks until it is stopped. */
export async function startAnswerLoad(
  scope: { after(cleanup: () => unknown): void },
  options: AnswerLoadOptions,
): Promise<Crew<AnswerReport>> {
  return await Crew.start<AnswerLoadOptions, AnswerReport>(
    scope,
    new URL('./answer-runs-crew.ts', import.meta.url),
    options,
  );
}

export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** How an answer is written in a run. */
export function answerText(addresses: readonly string[]): string {
  return ['NOERROR', ...[...addresses].sort()].join(' ');
}
