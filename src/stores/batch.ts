// batch.ts -- what every store does with a batch before it is stored: check it, copy it, freeze it
//
// A store owns what it holds. Values are copied on the way in and handed out frozen, so that no caller can alter stored
// state, and all stores refuse the same input.

import { Buffer } from 'node:buffer';
import { CodedError } from '../base/errors.ts';
import type { Mutation, Precondition } from '../registry/store.ts';

/** Longest key in bytes of UTF-8. lmdb allows 1978; this leaves room for the prefix of a shared cluster. */
const MAX_KEY_BYTES = 511;

/** How deep arrays and objects may nest in a value. */
const MAX_VALUE_DEPTH = 64;

/** A batch that may be stored: one mutation a key, values frozen, nothing shared with the caller. */
export interface PreparedBatch {
  readonly mutations: readonly Mutation[];
  readonly preconditions: readonly Precondition[];
}

/**
 * Check and copy a batch. Of several mutations of one key the last holds. Throws CodedError `invalid_key` (not a
 * string of 1..511 bytes of well-formed UTF-16) or `invalid_value` (not JSON: undefined, NaN, a class, a cycle).
 */
export function prepareBatch(mutations: readonly Mutation[], preconditions: readonly Precondition[]): PreparedBatch {
  const byKey = new Map<string, Mutation>();
  for (const { key, value, ttlMs } of mutations) {
    checkKey(key);
    byKey.delete(key);
    const copy = value === undefined ? undefined : frozenCopy(value, key, '', 0);
    byKey.set(key, Object.freeze({ key, value: copy, ...(ttlMs === undefined ? {} : { ttlMs }) }));
  }
  for (const { key } of preconditions) checkKey(key);
  return { mutations: Object.freeze([...byKey.values()]), preconditions: preconditions.map((one) => ({ ...one })) };
}

/** The CodedError `conflict` of the first precondition that does not hold, or undefined when all do. */
export function findConflict(
  preconditions: readonly Precondition[],
  revisionOf: (key: string) => number,
): CodedError | undefined {
  for (const { key, revision } of preconditions) {
    const actual = revisionOf(key);
    if (actual === revision) continue;
    const state = actual === 0 ? 'does not exist' : `is at revision ${actual}`;
    const wanted = revision === 0 ? 'absent' : `at revision ${revision}`;
    return new CodedError('conflict', `${JSON.stringify(key)} ${state}, wanted ${wanted}`);
  }
  return undefined;
}

/** Freeze a value of plain JSON all the way down, in place. */
export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string') throw new CodedError('invalid_key', `a key is a string, not ${typeof key}`);
  const bytes = Buffer.from(key, 'utf8');
  if (bytes.length === 0) throw new CodedError('invalid_key', 'a key is not empty');
  if (bytes.length > MAX_KEY_BYTES) {
    throw new CodedError('invalid_key', `a key of ${bytes.length} bytes; at most ${MAX_KEY_BYTES} are allowed`);
  }
  // A lone surrogate becomes U+FFFD in UTF-8, and two keys would meet in one.
  if (bytes.toString('utf8') !== key) throw new CodedError('invalid_key', 'a key is well-formed Unicode');
}

function frozenCopy(value: unknown, key: string, path: string, depth: number): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  // JSON has no -0; `+ 0` makes it 0 here already, so that all stores give back the same.
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0;
  if (depth >= MAX_VALUE_DEPTH) throw invalidValue(key, path, `nests deeper than ${MAX_VALUE_DEPTH}`);
  if (Array.isArray(value)) {
    // Array.from visits holes too, which are then refused as undefined.
    return Object.freeze(Array.from(value, (item, i) => frozenCopy(item, key, `${path}[${i}]`, depth + 1)));
  }
  if (typeof value === 'object' && isPlain(value)) {
    const entries = Object.entries(value);
    // fromEntries defines properties, so a member called __proto__ stays a member.
    return Object.freeze(
      Object.fromEntries(
        entries.map(([name, item]) => [name, frozenCopy(item, key, path ? `${path}.${name}` : name, depth + 1)]),
      ),
    );
  }
  throw invalidValue(key, path, `is ${describe(value)}, which JSON cannot hold`);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0;
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'an object') : String(value);
}

function invalidValue(key: string, path: string, message: string): CodedError {
  const place = path === '' ? 'the value' : path;
  return new CodedError('invalid_value', `value of ${JSON.stringify(key)}: ${place} ${message}`, [{ path, message }]);
}
