// input.ts -- reads untrusted JSON field by field and notes everything that is wrong, by path
//
// One reader serves HTTP bodies, configuration and imports, so that they cannot disagree about what is valid.

import { parseDuration } from '../base/duration.ts';
import { CodedError, type ErrorDetail } from '../base/errors.ts';

/** Everything found wrong so far. */
export class Findings {
  readonly invalid: ErrorDetail[] = [];
  /** Right by the contract but not built yet. */
  readonly unsupported: ErrorDetail[] = [];

  /** Throw CodedError `invalid`, or `not_supported` when that is all there is to say; return when nothing was found. */
  throwAny(what: string): void {
    if (this.invalid.length > 0) throw new CodedError('invalid', summary(what, this.invalid), this.invalid);
    if (this.unsupported.length > 0) {
      throw new CodedError('not_supported', summary(what, this.unsupported), this.unsupported);
    }
  }
}

function summary(what: string, details: readonly ErrorDetail[]): string {
  const first = details[0]!;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  return `${what}: ${first.path === '' ? '' : `${first.path}: `}${first.message}${more}`;
}

// Control characters would reach logs, headers and zone text; half a surrogate pair does not survive UTF-8.
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

/** How times are stated: with a unit always, or from programs as a number of milliseconds too. */
export type Times = 'text' | 'text or ms';

/** One object of the input; fields that nobody asked for are errors when `finish` is called. */
export class InputObject {
  readonly findings: Findings;
  readonly path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();
  readonly #times: Times;

  private constructor(fields: Readonly<Record<string, unknown>>, path: string, findings: Findings, times: Times) {
    this.#fields = fields;
    this.path = path;
    this.findings = findings;
    this.#times = times;
  }

  /** The value as an object; undefined (and a finding) when it is none. */
  static of(value: unknown, path: string, findings: Findings, times: Times = 'text'): InputObject | undefined {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return new InputObject(value as Record<string, unknown>, path, findings, times);
    }
    findings.invalid.push({ path, message: 'must be an object' });
    return undefined;
  }

  /** Is the field stated? Null counts as not stated. */
  has(key: string): boolean {
    this.#asked.add(key);
    return Object.hasOwn(this.#fields, key) && this.#fields[key] !== undefined && this.#fields[key] !== null;
  }

  raw(key: string): unknown {
    return this.has(key) ? this.#fields[key] : undefined;
  }

  keys(): string[] {
    return Object.keys(this.#fields);
  }

  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  /** Note something wrong with a field. */
  fail(key: string, message: string): undefined {
    this.findings.invalid.push({ path: key === '' ? this.path : this.at(key), message });
    return undefined;
  }

  /** Note a field that asks for what is not built yet. */
  unsupported(key: string, message = 'is not supported yet'): undefined {
    if (this.has(key)) this.findings.unsupported.push({ path: this.at(key), message });
    return undefined;
  }

  /** Text without control characters, 1 to `maxLength` characters long. */
  text(key: string, maxLength: number): string | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fail(key, 'must be a string');
    if (value === '' || value.length > maxLength) return this.fail(key, `must have 1 to ${maxLength} characters`);
    if (CONTROL.test(value)) return this.fail(key, 'must not contain control characters');
    return value;
  }

  /** Text that `problem` has nothing against. */
  word(key: string, problem: (text: string) => string | undefined): string | undefined {
    const value = this.text(key, 256);
    const found = value === undefined ? undefined : problem(value);
    return found === undefined ? value : this.fail(key, found);
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    // `+ 0` makes -0 the 0 it will be once it is stored.
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value + 0;
    return this.fail(key, `must be a whole number from ${min} to ${max}`);
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= min && value <= max) return value + 0;
    return this.fail(key, `must be a number from ${min} to ${max}`);
  }

  boolean(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'must be true or false');
  }

  /** Milliseconds of a duration with a unit. */
  duration(key: string, minMs: number, maxMs: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    const milliseconds = this.#milliseconds(value);
    if (milliseconds === undefined) {
      const bare = this.#times === 'text' ? '' : 'milliseconds, or ';
      return this.fail(key, `must be ${bare}a time with a unit, like "5s" or "500ms"`);
    }
    if (milliseconds < minMs || milliseconds > maxMs) {
      return this.fail(key, `must be from ${minMs / 1000}s to ${maxMs / 1000}s`);
    }
    return milliseconds;
  }

  #milliseconds(value: unknown): number | undefined {
    if (typeof value === 'string') return parseDuration(value);
    return this.#times === 'text or ms' && typeof value === 'number' && !Number.isNaN(value) ? value : undefined;
  }

  oneOf<T extends string>(key: string, supported: readonly T[], later: readonly string[] = []): T | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    const found = supported.find((each) => each === value);
    if (found !== undefined) return found;
    if (typeof value === 'string' && later.includes(value))
      return this.unsupported(key, `'${value}' is not supported yet`);
    return this.fail(key, `must be one of ${[...supported, ...later].join(', ')}`);
  }

  /** An array of at most `max` elements; undefined when not stated or no array. */
  list(key: string, max: number): readonly unknown[] | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(key, 'must be an array');
    return value.length <= max ? value : this.fail(key, `has ${value.length} elements (at most ${max})`);
  }

  /** A field that is an object itself. */
  object(key: string): InputObject | undefined {
    const value = this.raw(key);
    return value === undefined ? undefined : this.part(value, key);
  }

  /** A value that was found under `key` as an object, read as this one is. */
  part(value: unknown, key: string): InputObject | undefined {
    return InputObject.of(value, this.at(key), this.findings, this.#times);
  }

  /** An object of free keys to short texts, at most `max` of them. */
  textMap(key: string, max: number, maxLength: number): Record<string, string> | undefined {
    const object = this.object(key);
    if (object === undefined) return undefined;
    const map: Record<string, string> = {};
    const keys = object.keys();
    if (keys.length > max) return this.fail(key, `has ${keys.length} keys (at most ${max})`);
    for (const each of keys) {
      const value = object.raw(each);
      if (each === '__proto__') object.fail(each, 'cannot be a key');
      else if (each === '' || each.length > 128 || CONTROL.test(each)) {
        this.fail(key, 'has a key that is empty, too long or not allowed');
      } else if (typeof value !== 'string' || value.length > maxLength || CONTROL.test(value)) {
        object.fail(each, `must be a string of at most ${maxLength} characters without control characters`);
      } else map[each] = value;
    }
    return map;
  }

  /** Every field that was not asked for is an error. */
  finish(): void {
    for (const key of this.keys()) {
      if (this.#asked.has(key)) continue;
      const shown = key.length > 64 || CONTROL.test(key) ? '(unprintable)' : key;
      this.findings.invalid.push({ path: this.at(shown), message: 'unknown field' });
    }
  }
}
