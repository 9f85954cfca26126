// query-string.ts -- what stands behind the `?`, every problem noted, unknown names refused

import type { FastifyRequest } from 'fastify';
import { parseDuration } from '../base/duration.ts';
import { Findings } from '../registry/input.ts';

/** Reads the parameters of one request; `finish` throws what was wrong with them. */
export class QueryString {
  readonly #values = new Map<string, readonly string[]>();
  readonly #findings = new Findings();
  readonly #asked = new Set<string>();

  constructor(request: FastifyRequest) {
    for (const [key, value] of Object.entries(request.query as Record<string, string | string[]>)) {
      this.#values.set(key, Array.isArray(value) ? value : [value]);
    }
  }

  /** Every value of a parameter that may be repeated, those that `problem` objects to left out. */
  all(key: string, problem: (value: string) => string | undefined): string[] {
    this.#asked.add(key);
    return (this.#values.get(key) ?? []).filter((value) => {
      const found = problem(value);
      if (found !== undefined) this.#fail(key, found);
      return found === undefined;
    });
  }

  text(key: string): string | undefined {
    this.#asked.add(key);
    const values = this.#values.get(key) ?? [];
    if (values.length > 1) this.#fail(key, 'stands more than once');
    return values[0];
  }

  /** Text that `problem` has nothing against. */
  checked(key: string, problem: (value: string) => string | undefined): string | undefined {
    const value = this.text(key);
    const found = value === undefined ? undefined : problem(value);
    if (found === undefined) return value;
    this.#fail(key, found);
    return undefined;
  }

  /** Note that a parameter is missing, unless something else is wrong with it. */
  need(key: string): void {
    if (!this.#values.has(key)) this.#fail(key, 'is needed');
  }

  /** Is a switch on? `?fresh=1`, `?fresh=true` or `?fresh`. */
  flag(key: string): boolean {
    const value = this.text(key);
    if (value === undefined || value === '0' || value === 'false') return false;
    if (value !== '' && value !== '1' && value !== 'true') this.#fail(key, 'must be 1 or 0');
    return true;
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.#fail(key, `must be a whole number from ${min} to ${max}`);
    return undefined;
  }

  /** Milliseconds of a duration with a unit. */
  duration(key: string): number | undefined {
    const value = this.text(key);
    const milliseconds = value === undefined ? undefined : parseDuration(value);
    if (value !== undefined && milliseconds === undefined) this.#fail(key, 'must be a time with a unit, like "30s"');
    return milliseconds;
  }

  /** Throws CodedError `invalid` when anything was wrong or nobody asked for what is there. */
  finish(): void {
    for (const key of this.#values.keys()) {
      if (!this.#asked.has(key)) this.#fail(/^[\w.-]{1,64}$/.test(key) ? key : '(unprintable)', 'unknown parameter');
    }
    this.#findings.throwAny('query');
  }

  #fail(path: string, message: string): void {
    this.#findings.invalid.push({ path, message });
  }
}
