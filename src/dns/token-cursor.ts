// token-cursor.ts -- takes the RDATA tokens of one record one by one, with located errors

import type { Token } from './lexer.ts';
import { type Name, NameError, parseName, readEscape } from './name.ts';

/** Text that is not a record, and where; line and column count from 1. */
export class PresentationError extends Error {
  override readonly name = 'PresentationError';
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/** A cursor over tokens; every `take…` throws PresentationError at the token that is wrong, or missing. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  readonly #origin: Name | undefined;
  #next: number;

  /** Without an origin, relative names are errors. */
  constructor(tokens: readonly Token[], start: number, origin: Name | undefined) {
    this.#tokens = tokens;
    this.#next = start;
    this.#origin = origin;
  }

  get isDone(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The next token without taking it. */
  peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  /** The next token; `what` names it in the error when there is none. */
  take(what: string): Token {
    const token = this.#tokens[this.#next];
    if (token === undefined) throw this.errorHere(`missing ${what}`);
    this.#next++;
    return token;
  }

  /** A whole number of 0..max. */
  takeNumber(what: string, max: number): number {
    const token = this.take(what);
    const value = /^\d{1,10}$/.test(token.text) ? Number(token.text) : Number.NaN;
    if (!(value <= max)) throw errorAt(token, `${what} must be a number from 0 to ${max}, not '${token.text}'`);
    return value;
  }

  /** A name, relative ones below the origin. */
  takeName(what: string): Name {
    const token = this.take(what);
    const isRelative = token.text === '@' || !/(?:^|[^\\])(?:\\\\)*\.$/.test(token.text);
    if (isRelative && this.#origin === undefined)
      throw errorAt(token, `relative name '${token.text}' without an origin`);
    try {
      return parseName(token.text, this.#origin);
    } catch (thrown) {
      if (thrown instanceof NameError) throw errorAt(token, `${what}: ${thrown.message}`);
      throw thrown;
    }
  }

  /** The octets of a character-string, escapes resolved, text taken as UTF-8; at most `max` of them. */
  takeString(what: string, max: number): Uint8Array {
    const token = this.take(what);
    const octets = tokenOctets(token);
    if (octets.length > max) throw errorAt(token, `${what} has ${octets.length} octets (at most ${max})`);
    return octets;
  }

  /** All remaining tokens run together, for base64 and hex that may be split by white space. */
  takeRest(what: string): { text: string; token: Token } {
    const token = this.take(what);
    let text = token.text;
    while (!this.isDone) text += this.take(what).text;
    return { text, token };
  }

  /** An error at the next token, or at the last one when all have been taken. */
  errorHere(message: string): PresentationError {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)];
    return token === undefined ? new PresentationError(message, 1, 1) : errorAt(token, message);
  }
}

/** An error at a token. */
export function errorAt(token: Token, message: string): PresentationError {
  return new PresentationError(message.replace(/[^\x20-\x7e]/g, '?'), token.line, token.column);
}

/** The octets a token stands for: `\DDD` and `\X` resolved, the rest as UTF-8. Throws PresentationError. */
export function tokenOctets(token: Token): Uint8Array {
  if (!token.text.includes('\\')) return Buffer.from(token.text, 'utf8');
  const parts: Uint8Array[] = [];
  let plainFrom = 0;
  for (let i = 0; i < token.text.length; i++) {
    if (token.text[i] !== '\\') continue;
    parts.push(Buffer.from(token.text.slice(plainFrom, i), 'utf8'));
    try {
      const { octet, length } = readEscape(token.text, i);
      parts.push(Uint8Array.of(octet));
      i += length - 1;
    } catch (thrown) {
      throw errorAt(token, (thrown as Error).message);
    }
    plainFrom = i + 1;
  }
  parts.push(Buffer.from(token.text.slice(plainFrom), 'utf8'));
  return Buffer.concat(parts);
}

/** A character-string in quotes, with `"`, `\` and everything unprintable escaped. */
export function formatString(octets: Uint8Array): string {
  let text = '"';
  for (const octet of octets) {
    if (octet < 32 || octet > 126) text += `\\${String(octet).padStart(3, '0')}`;
    else text += octet === 0x22 || octet === 0x5c ? `\\${String.fromCharCode(octet)}` : String.fromCharCode(octet);
  }
  return `${text}"`;
}
