// master-file.ts -- a master file into records (RFC 1035 section 5, $TTL of RFC 2308 section 4)
//
// Errors are collected with their places, so that one reading finds all of them. Everything is bounded: the text of all
// files together, the records, the depth of $INCLUDE, and the problems reported.

import type { Problem } from '../base/errors.ts';
import { CLASS, formatClass, formatType, TYPE } from '../dns/codes.ts';
import { type Entry, lexMasterText, type Token } from '../dns/lexer.ts';
import type { Name } from '../dns/name.ts';
import { parseTtl, takeRecordHead } from '../dns/presentation.ts';
import { soaMinimum } from '../dns/rdata/basic.ts';
import { parseRdata } from '../dns/rdata/rdata.ts';
import { MAX_TTL_SECONDS, type ResourceRecord } from '../dns/rrset.ts';
import { errorAt, PresentationError, TokenCursor } from '../dns/token-cursor.ts';

/** A record and where its type stands in the text; line and column count from 1. */
export interface LocatedRecord extends ResourceRecord {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Finds the file of an $INCLUDE in `fromFile`; `file` names it in problems and tells it from others. */
export type Include = (
  path: string,
  fromFile: string,
) => { readonly file: string; readonly text: string } | { readonly problem: string };

/** How much is read. */
export interface MasterFileLimits {
  /** UTF-16 units of all files together, a file counted each time it is included. */
  readonly textLength: number;
  readonly records: number;
  /** Files open at a time, the first one included. */
  readonly includeDepth: number;
  readonly problems: number;
}

/** What `readMasterFile` allows unless told otherwise. */
const MASTER_FILE_LIMITS: MasterFileLimits = {
  textLength: 16 * 1024 * 1024,
  records: 500_000,
  includeDepth: 8,
  problems: 100,
};

/** A master file to read. */
export interface MasterFileSource {
  readonly file: string;
  readonly text: string;
  /** What relative names are relative to until $ORIGIN; without it they are errors until then. */
  readonly origin?: Name;
  /** Without it $INCLUDE is an error. */
  readonly include?: Include;
  readonly limits?: Partial<MasterFileLimits>;
}

/** What was found; the records are of no use when there is an error among the problems. */
export interface MasterFile {
  readonly records: readonly LocatedRecord[];
  /** File by file, in the order of lines. */
  readonly problems: readonly Problem[];
}

/** Read a master file and all it includes. Never throws for what the text says. */
export function readMasterFile(source: MasterFileSource): MasterFile {
  return new MasterFileReader(source).run();
}

/** Thrown to stop reading for good when a bound is reached. */
class Stop extends Error {}

class MasterFileReader {
  readonly #source: MasterFileSource;
  readonly #limits: MasterFileLimits;
  readonly #records: LocatedRecord[] = [];
  readonly #problems: Problem[] = [];
  /** All files in the order in which they were opened, and those open now. */
  readonly #files = new Set<string>();
  readonly #open: string[] = [];
  #textLength = 0;
  #file = '';
  #origin: Name | undefined;
  /** `broken`: the last stated owner was an error, so records that continue it are read but not kept. */
  #owner: Name | 'broken' | undefined;
  #defaultTtlSeconds: number | undefined;
  #lastTtlSeconds: number | undefined;
  #soaMinimumSeconds: number | undefined;

  constructor(source: MasterFileSource) {
    this.#source = source;
    this.#limits = { ...MASTER_FILE_LIMITS, ...source.limits };
    this.#origin = source.origin;
  }

  run(): MasterFile {
    const { file, text } = this.#source;
    try {
      if (text.length > this.#limits.textLength)
        this.#problem(0, 0, `longer than ${this.#limits.textLength} characters`);
      else this.#readFile(file, text);
    } catch (thrown) {
      if (!(thrown instanceof Stop)) throw thrown;
    }
    return { records: this.#records, problems: this.#sortedProblems() };
  }

  #readFile(file: string, text: string): void {
    const includer = this.#file;
    this.#files.add(file);
    this.#open.push(file);
    this.#file = file;
    this.#textLength += text.length;
    const { entries, problems } = lexMasterText(text);
    for (const { line, column, message } of problems) this.#problem(line, column, message);
    for (const entry of entries) this.#guard(() => this.#readEntry(entry));
    this.#open.pop();
    this.#file = includer;
  }

  /** One error ends its entry, not the reading. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (thrown) {
      if (!(thrown instanceof PresentationError)) throw thrown;
      this.#problem(thrown.line, thrown.column, thrown.message);
    }
  }

  #readEntry(entry: Entry): void {
    const first = entry.tokens[0]!;
    if (!entry.continuesOwner && !first.quoted && first.text.startsWith('$')) this.#readDirective(entry);
    else this.#readRecord(entry);
  }

  #readDirective(entry: Entry): void {
    const cursor = new TokenCursor(entry.tokens, 1, this.#origin);
    const directive = entry.tokens[0]!;
    switch (directive.text.toUpperCase()) {
      case '$ORIGIN':
        this.#origin = cursor.takeName('origin');
        break;
      case '$TTL':
        this.#defaultTtlSeconds = takeTtl(cursor);
        break;
      case '$INCLUDE':
        this.#include(cursor);
        return;
      default:
        throw errorAt(directive, `directive ${directive.text} is not supported ($ORIGIN, $TTL and $INCLUDE are)`);
    }
    endOf(cursor, directive);
  }

  /** Origin and owner are the includer's again afterwards (RFC 1035 section 5.1); a $TTL stays, as in named. */
  #include(cursor: TokenCursor): void {
    const path = cursor.take('file name');
    const { include } = this.#source;
    const outer = { origin: this.#origin, owner: this.#owner };
    const origin = cursor.isDone ? outer.origin : cursor.takeName('origin');
    endOf(cursor, path);
    if (include === undefined) throw errorAt(path, '$INCLUDE is not possible here');
    if (this.#open.length >= this.#limits.includeDepth) {
      throw errorAt(path, `$INCLUDE is deeper than ${this.#limits.includeDepth} files`);
    }
    const found = include(path.text, this.#file);
    if ('problem' in found) throw errorAt(path, found.problem);
    if (this.#open.includes(found.file)) throw errorAt(path, `${found.file} includes itself`);
    if (this.#textLength + found.text.length > this.#limits.textLength) {
      this.#stop(path, `the files together are longer than ${this.#limits.textLength} characters`);
    }
    this.#origin = origin;
    this.#readFile(found.file, found.text);
    this.#origin = outer.origin;
    this.#owner = outer.owner;
  }

  #readRecord(entry: Entry): void {
    const cursor = new TokenCursor(entry.tokens, 0, this.#origin);
    if (!entry.continuesOwner) {
      this.#owner = 'broken';
      this.#guard(() => {
        this.#owner = cursor.takeName('owner');
      });
    }
    const head = takeRecordHead(cursor);
    // Before anything else can be wrong, so that one error does not leave the records behind it without a TTL.
    this.#lastTtlSeconds = head.ttlSeconds ?? this.#lastTtlSeconds;
    const refusal = whyRefused(head.type, head.class ?? CLASS.IN);
    if (refusal !== undefined) throw errorAt(head.token, refusal);
    if (this.#owner === undefined) throw errorAt(entry.tokens[0]!, 'no owner name has been stated yet');
    const rdata = parseRdata(head.type, cursor);
    if (head.type === TYPE.SOA) this.#soaMinimumSeconds ??= this.#usableMinimum(rdata, head.token);
    const ttlSeconds = head.ttlSeconds ?? this.#impliedTtl(head.token);
    if (this.#owner === 'broken') return;
    if (this.#records.length >= this.#limits.records) {
      this.#stop(head.token, `more than ${this.#limits.records} records`);
    }
    const { line, column } = head.token;
    const record = { name: this.#owner, type: head.type, class: CLASS.IN, ttlSeconds, rdata };
    this.#records.push({ ...record, file: this.#file, line, column });
  }

  /** RFC 2308 section 4, then RFC 1035 section 5.1, then the minimum as before RFC 2308. */
  #impliedTtl(token: Token): number {
    const ttlSeconds = this.#defaultTtlSeconds ?? this.#lastTtlSeconds ?? this.#soaMinimumSeconds;
    if (ttlSeconds === undefined) throw errorAt(token, 'no TTL: neither stated, nor by $TTL, nor in a record before');
    return ttlSeconds;
  }

  /** A TTL with the highest bit set counts as 0 (RFC 2181 section 8). */
  #usableMinimum(soa: Uint8Array, token: Token): number {
    const seconds = soaMinimum(soa);
    if (seconds <= MAX_TTL_SECONDS) return seconds;
    this.#problem(
      token.line,
      token.column,
      `minimum ${seconds} is above ${MAX_TTL_SECONDS} and counts as 0`,
      'warning',
    );
    return 0;
  }

  #stop(token: Token, message: string): never {
    this.#problem(token.line, token.column, message);
    throw new Stop();
  }

  #problem(line: number, column: number, message: string, severity: Problem['severity'] = 'error'): void {
    this.#problems.push({ file: this.#file || this.#source.file, line, column, message: clip(message), severity });
    if (this.#problems.length >= this.#limits.problems) throw new Stop();
  }

  #sortedProblems(): Problem[] {
    const order = new Map([...this.#files].map((file, i) => [file, i]));
    const rank = (problem: Problem) => order.get(problem.file) ?? 0;
    const sorted = this.#problems.sort((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
    // A file that is included twice is wrong only once.
    const different = [...new Map(sorted.map((problem) => [JSON.stringify(problem), problem])).values()];
    if (sorted.length < this.#limits.problems) return different;
    const message = 'too many problems, reading stopped';
    return [...different, { file: this.#source.file, line: 0, column: 0, message, severity: 'error' }];
  }
}

/** Types that are not data (RFC 6895 section 3.1), and those that change what other names mean. */
function whyRefused(type: number, recordClass: number): string | undefined {
  if (recordClass !== CLASS.IN) return `class ${formatClass(recordClass)} is not served, only IN`;
  if (type === TYPE.DNAME) return 'DNAME records are not supported';
  const isMeta = type === 0 || type === TYPE.OPT || (type >= 128 && type <= 255);
  return isMeta ? `${formatType(type)} is not a type of data` : undefined;
}

function takeTtl(cursor: TokenCursor): number {
  const token = cursor.take('TTL');
  const ttlSeconds = parseTtl(token.text);
  if (ttlSeconds === undefined) throw errorAt(token, `TTL '${token.text}' is not a time of 0 to ${MAX_TTL_SECONDS} s`);
  return ttlSeconds;
}

function endOf(cursor: TokenCursor, directive: Token): void {
  const extra = cursor.peek();
  if (extra !== undefined) throw errorAt(extra, `unexpected '${extra.text}' after ${directive.text}`);
}

/** A word of the text may be as long as the file. */
function clip(message: string): string {
  return message.length <= 240 ? message : `${message.slice(0, 160)}...${message.slice(-60)}`;
}
