// lexer.ts -- master-file text into entries of tokens (RFC 1035 section 5.1)
//
// An entry is what one record or directive takes: a line, or several inside parentheses. Errors are collected, not
// thrown, so that one look at a file finds them all; an entry with an error is left out.

/** One word. Escapes are still in `text`: what they mean depends on where the word stands. */
export interface Token {
  readonly text: string;
  readonly quoted: boolean;
  readonly line: number;
  readonly column: number;
}

/** One record or directive. */
export interface Entry {
  /** The line begins with white space: the owner is the last one stated. */
  readonly continuesOwner: boolean;
  readonly tokens: readonly Token[];
  readonly line: number;
}

/** A place in the text and what is wrong there. Lines and columns count from 1. */
export interface LexicalProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Everything found in a text. */
export interface Lexed {
  readonly entries: readonly Entry[];
  readonly problems: readonly LexicalProblem[];
}

// Only these: other white space (form feed, no-break space) is part of a word, and an error where that matters.
const WORD_END = /[ \t\r\n;()"]/;

/** Split master-file text into entries. Linear in the text. */
export function lexMasterText(text: string): Lexed {
  return new Lexer(text).run();
}

class Lexer {
  readonly #text: string;
  readonly #entries: Entry[] = [];
  readonly #problems: LexicalProblem[] = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #depth = 0;
  #openLine = 0;
  #tokens: Token[] = [];
  #continuesOwner = false;
  #broken = false;

  constructor(text: string) {
    // A byte-order mark is no part of the first owner name.
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  run(): Lexed {
    while (this.#at < this.#text.length) this.#step(this.#text[this.#at]!);
    if (this.#depth > 0) this.#problem(`parenthesis opened in line ${this.#openLine} is never closed`);
    this.#endEntry();
    return { entries: this.#entries, problems: this.#problems };
  }

  #step(character: string): void {
    if (character === '\n') this.#newLine();
    else if (character === ' ' || character === '\t' || character === '\r') this.#blank();
    else if (character === ';') this.#skipComment();
    else if (character === '(') this.#open();
    else if (character === ')') this.#close();
    else if (character === '"') this.#quoted();
    else this.#word();
  }

  #newLine(): void {
    this.#at++;
    if (this.#depth === 0) this.#endEntry();
    this.#line++;
    this.#lineStart = this.#at;
  }

  #blank(): void {
    if (this.#at === this.#lineStart && this.#depth === 0) this.#continuesOwner = true;
    this.#at++;
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #open(): void {
    if (this.#depth === 0) this.#openLine = this.#line;
    if (this.#depth > 0) this.#problem('parentheses do not nest');
    this.#depth = 1;
    this.#at++;
  }

  #close(): void {
    if (this.#depth === 0) this.#problem("')' without '('");
    this.#depth = 0;
    this.#at++;
  }

  #quoted(): void {
    const line = this.#line;
    const column = this.#column();
    const start = ++this.#at;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === '"') {
        this.#tokens.push({ text: this.#text.slice(start, this.#at++), quoted: true, line, column });
        return;
      }
      if (character === '\n') break;
      this.#at += character === '\\' && this.#text[this.#at + 1] !== '\n' ? 2 : 1;
    }
    this.#problems.push({ line, column, message: 'quoted string is never closed' });
    this.#broken = true;
  }

  #word(): void {
    const start = this.#at;
    const column = this.#column();
    while (this.#at < this.#text.length && !WORD_END.test(this.#text[this.#at]!)) {
      this.#at += this.#text[this.#at] === '\\' && this.#text[this.#at + 1] !== '\n' ? 2 : 1;
    }
    // A quoted value directly behind key= belongs to the same word (SVCB, RFC 9460 appendix A).
    if (this.#text[this.#at] === '"' && this.#text[this.#at - 1] === '=') {
      this.#quoted();
      const value = this.#broken ? undefined : this.#tokens.pop();
      if (value === undefined) return;
      const text = this.#text.slice(start, value.column - 1 + this.#lineStart) + value.text;
      this.#tokens.push({ text, quoted: true, line: this.#line, column });
      return;
    }
    this.#tokens.push({ text: this.#text.slice(start, this.#at), quoted: false, line: this.#line, column });
  }

  #endEntry(): void {
    const first = this.#tokens[0];
    if (first !== undefined && !this.#broken) {
      this.#entries.push({ continuesOwner: this.#continuesOwner, tokens: this.#tokens, line: first.line });
    }
    this.#tokens = [];
    this.#continuesOwner = false;
    this.#broken = false;
  }

  #column(): number {
    return this.#at - this.#lineStart + 1;
  }

  #problem(message: string): void {
    this.#problems.push({ line: this.#line, column: this.#column(), message });
    this.#broken = true;
  }
}
