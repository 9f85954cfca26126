// http-expectation.ts -- what an http check wants to see, made ready once and held against each answer

import { RE2JS } from 're2js';
import type { Expectation, LoadSource, Outcome } from '../health/check-spec.ts';
import { equalJson, type JsonPath, parseJsonPath, valueAt } from '../health/json-path.ts';
import { OUTPUT_LIMIT_BYTES } from '../health/probe-output.ts';
import type { HttpResponse } from './http-response.ts';

/** An Expectation with its ranges, its pattern and its paths parsed, and where the load stands. */
export interface PreparedExpectation {
  readonly statuses: readonly StatusRange[];
  /** No status was asked for: 429 is a warning then, as in Consul. */
  readonly isDefault: boolean;
  readonly body: RE2JS | undefined;
  readonly json: readonly { readonly text: string; readonly path: JsonPath; readonly value: unknown }[];
  readonly load: LoadSource | undefined;
}

interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** Parse an expectation; throws an Error that names the part that is malformed. */
export function prepareExpectation(expect: Expectation | undefined, load?: LoadSource): PreparedExpectation {
  const wanted = expect?.status ?? [];
  const isDefault = wanted.length === 0;
  const json = Object.entries(expect?.json ?? {});
  return {
    statuses: isDefault ? [{ from: 200, to: 299 }] : wanted.map(parseStatusRange),
    isDefault,
    body: expect?.body === undefined ? undefined : compilePattern(expect.body),
    json: json.map(([text, value]) => ({ text, path: readPath(text, 'expect.json'), value })),
    load,
  };
}

function readPath(text: string, where: string): JsonPath {
  const path = parseJsonPath(text);
  if (path === undefined) throw new Error(`${where}: '${text}' is not a path`);
  return path;
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
interface Verdict {
  readonly outcome: Outcome;
  readonly reason: string;
  /** What the answer says of the instance's load, whatever the outcome. */
  readonly load: number | undefined;
}

/** Judge a response. Patterns see the first 4 KiB of its body, paths all of it or nothing. */
export function judgeAnswer(expectation: PreparedExpectation, response: HttpResponse): Verdict {
  const document = expectation.json.length > 0 || expectation.load?.json !== undefined ? readJson(response) : undefined;
  const load = expectation.load === undefined ? undefined : readLoad(expectation.load, response, document);
  const verdict = judge(expectation, response, document);
  if (verdict.reason !== '' || expectation.load === undefined || load !== undefined) return { ...verdict, load };
  return { ...verdict, reason: 'no load in the answer', load };
}

function judge(expectation: PreparedExpectation, response: HttpResponse, document: unknown): Omit<Verdict, 'load'> {
  const { status } = response;
  if (!expectation.statuses.some(({ from, to }) => status >= from && status <= to)) {
    if (expectation.isDefault && status === 429) return { outcome: 'warning', reason: 'too many requests' };
    return critical(`expected ${expectation.statuses.map(formatRange).join(', ')}`);
  }
  const pattern = expectation.body;
  if (pattern !== undefined && !pattern.matcher(response.body.toString('utf8', 0, OUTPUT_LIMIT_BYTES)).find()) {
    return critical(`body does not match ${pattern.pattern()}`);
  }
  if (expectation.json.length > 0 && document === undefined) {
    return critical(response.isWhole ? 'body is not JSON' : 'body is too long to be read as JSON');
  }
  for (const { text, path, value } of expectation.json) {
    const found = valueAt(document, path);
    if (!equalJson(found, value)) return critical(`${text} is ${excerpt(found)}, expected ${excerpt(value)}`);
  }
  return { outcome: 'passing', reason: '' };
}

function critical(reason: string): Omit<Verdict, 'load'> {
  return { outcome: 'critical', reason };
}

/** Undefined for what is not JSON, or not all there; JSON itself has no undefined. */
function readJson({ body, isWhole }: HttpResponse): unknown {
  if (!isWhole) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

const MAX_LOAD = 1e9;

function readLoad({ header, json }: LoadSource, response: HttpResponse, document: unknown): number | undefined {
  let found: unknown;
  if (header !== undefined) {
    const text = response.headers.get(header.toLowerCase()) ?? '';
    found = /^\d{1,10}(?:\.\d{1,10})?$/.test(text) ? Number(text) : undefined;
  } else if (json !== undefined) found = valueAt(document, readPath(json, 'load.json'));
  const isLoad = typeof found === 'number' && found >= 0 && found <= MAX_LOAD;
  return isLoad ? Math.round(found as number) : undefined;
}

function excerpt(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length <= 100 ? text : `${text.slice(0, 100)}...`;
}

function formatRange({ from, to }: StatusRange): string {
  return from === to ? `${from}` : `${from}-${to}`;
}
