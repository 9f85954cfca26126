// presentation.ts -- single records as master-file text, both ways

import { CLASS, formatClass, formatType, parseClass, parseType } from './codes.ts';
import { lexMasterText, type Token } from './lexer.ts';
import { formatName, type Name, ROOT } from './name.ts';
import { parsePeriod } from './period.ts';
import { formatRdata, parseRdata } from './rdata/rdata.ts';
import { MAX_TTL_SECONDS, type ResourceRecord, type RRset, recordsOf } from './rrset.ts';
import { errorAt, PresentationError, TokenCursor } from './token-cursor.ts';

/** `owner TTL class type rdata`, absolute names. */
export function formatRecord(record: ResourceRecord): string {
  const { name, ttlSeconds, type, rdata } = record;
  return `${formatName(name)} ${ttlSeconds} ${formatClass(record.class)} ${formatType(type)} ${formatRdata(type, rdata)}`.trimEnd();
}

/** The records of a set as text, one each. */
export function formatRRset(set: RRset): string[] {
  return recordsOf(set).map(formatRecord);
}

/** Read one record with its owner stated; TTL and class may be left out, in either order. Throws PresentationError. */
export function parseRecord(text: string, origin: Name = ROOT, defaultTtlSeconds = 0): ResourceRecord {
  const { entries, problems } = lexMasterText(text);
  const problem = problems[0];
  if (problem !== undefined) throw new PresentationError(problem.message, problem.line, problem.column);
  const entry = entries[0];
  if (entry === undefined || entries.length > 1) throw new PresentationError('expected one record', 1, 1);
  const cursor = new TokenCursor(entry.tokens, 0, origin);
  const name = cursor.takeName('owner');
  const head = takeRecordHead(cursor);
  return {
    name,
    type: head.type,
    class: head.class ?? CLASS.IN,
    ttlSeconds: head.ttlSeconds ?? defaultTtlSeconds,
    rdata: parseRdata(head.type, cursor),
  };
}

/** What stands between an owner and its RDATA. */
export interface RecordHead {
  readonly ttlSeconds: number | undefined;
  readonly class: number | undefined;
  readonly type: number;
  /** Where the type stands, for errors about the record as a whole. */
  readonly token: Token;
}

/** TTL and class, each optional, in either order, then the type (RFC 1035 section 5.1). Throws PresentationError. */
export function takeRecordHead(cursor: TokenCursor): RecordHead {
  let ttlSeconds: number | undefined;
  let recordClass: number | undefined;
  for (;;) {
    const token = cursor.take('type');
    const type = parseType(token.text);
    const asTtl = ttlSeconds === undefined ? parseTtl(token.text) : undefined;
    const asClass = recordClass === undefined ? parseClass(token.text) : undefined;
    if (asTtl !== undefined) ttlSeconds = asTtl;
    // `ANY` and `NONE` are classes and `ANY` a type too, but neither can be a record's.
    else if (asClass !== undefined && type === undefined) recordClass = asClass;
    else if (type === undefined) throw errorAt(token, notAHead(token.text, ttlSeconds !== undefined));
    else return { ttlSeconds, class: recordClass, type, token };
  }
}

function notAHead(text: string, hasTtl: boolean): string {
  if (parsePeriod(text, Number.MAX_SAFE_INTEGER) === undefined) return `unknown type or class '${text}'`;
  return hasTtl ? `second TTL '${text}'` : `TTL '${text}' is above ${MAX_TTL_SECONDS} seconds`;
}

/** Seconds of `300`, `5m` or `1h30m`; undefined when it is neither or above 2^31 - 1 (RFC 2181 section 8). */
export function parseTtl(text: string): number | undefined {
  return parsePeriod(text, MAX_TTL_SECONDS);
}
