// http-expectation.ts -- what an http check wants to see, made ready once and held against each answer

import { RE2JS } from 're2js';
import type { Expectation, Outcome } from '../health/check-spec.ts';

/** An Expectation with its ranges and its pattern parsed. */
export interface PreparedExpectation {
  readonly statuses: readonly StatusRange[];
  /** No status was asked for: 429 is a warning then, as in Consul. */
  readonly isDefault: boolean;
  readonly body: RE2JS | undefined;
}

interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** Parse an expectation; throws an Error that names the part that is malformed. */
export function prepareExpectation(expect: Expectation | undefined): PreparedExpectation {
  const wanted = expect?.status ?? [];
  const isDefault = wanted.length === 0;
  return {
    statuses: isDefault ? [{ from: 200, to: 299 }] : wanted.map(parseStatusRange),
    isDefault,
    body: expect?.body === undefined ? undefined : compilePattern(expect.body),
  };
}

function parseStatusRange(text: number | string): StatusRange {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(text));
  if (match === null) throw new Error(`expect.status: ${text} is neither a status code nor a range of them`);
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  if (to < from) throw new Error(`expect.status: ${text} is an empty range`);
  return { from, to };
}

function compilePattern(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch {
    throw new Error('expect.body is not a regular expression in RE2 syntax');
  }
}

/** What an answer amounts to, with the reason when it is not passing. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly reason: string;
}

/** Judge a status and the beginning of a body. */
export function judgeAnswer(expectation: PreparedExpectation, status: number, body: string): Verdict {
  if (!expectation.statuses.some(({ from, to }) => status >= from && status <= to)) {
    if (expectation.isDefault && status === 429) return { outcome: 'warning', reason: 'too many requests' };
    return { outcome: 'critical', reason: `expected ${expectation.statuses.map(formatRange).join(', ')}` };
  }
  if (expectation.body !== undefined && !expectation.body.matcher(body).find()) {
    return { outcome: 'critical', reason: `body does not match ${expectation.body.pattern()}` };
  }
  return { outcome: 'passing', reason: '' };
}

function formatRange({ from, to }: StatusRange): string {
  return from === to ? `${from}` : `${from}-${to}`;
}
