// rrset.ts -- resource records, and sets of them with one owner, type, class and TTL (RFC 2181 section 5)

import { CLASS } from './codes.ts';
import { type Name, nameKey } from './name.ts';

/** One record. RDATA is in stored form: uncompressed wire octets. */
export interface ResourceRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Seconds, 0..2^31-1 (RFC 2181 section 8). */
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
}

/** All records of one owner and type. The order of `rdatas` is the order in answers. */
export interface RRset {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  readonly rdatas: readonly Uint8Array[];
}

/** The most a TTL may be (RFC 2181 section 8). */
export const MAX_TTL_SECONDS = 2 ** 31 - 1;

/** A set of class IN. */
export function rrset(name: Name, type: number, ttlSeconds: number, rdatas: readonly Uint8Array[]): RRset {
  return { name, type, class: CLASS.IN, ttlSeconds, rdatas };
}

/** The records of a set, one by one. */
export function recordsOf(set: RRset): ResourceRecord[] {
  return set.rdatas.map((rdata) => ({
    name: set.name,
    type: set.type,
    class: set.class,
    ttlSeconds: set.ttlSeconds,
    rdata,
  }));
}

/** The same set under another owner. */
export function withOwner(set: RRset, name: Name): RRset {
  return { ...set, name };
}

/** Records gathered into sets in order of first appearance; repeats are dropped, the least TTL wins. */
export function groupRecords(records: readonly ResourceRecord[]): RRset[] {
  const sets = new Map<string, { first: ResourceRecord; ttlSeconds: number; rdatas: Map<string, Uint8Array> }>();
  for (const record of records) {
    const key = `${record.type} ${record.class} ${nameKey(record.name)}`;
    const set = sets.get(key) ?? { first: record, ttlSeconds: record.ttlSeconds, rdatas: new Map() };
    sets.set(key, set);
    set.ttlSeconds = Math.min(set.ttlSeconds, record.ttlSeconds);
    // A map, so that a set of thousands does not cost their square.
    const rdataKey = Buffer.from(record.rdata).toString('latin1');
    if (!set.rdatas.has(rdataKey)) set.rdatas.set(rdataKey, record.rdata);
  }
  return [...sets.values()].map(({ first, ttlSeconds, rdatas }) => ({
    name: first.name,
    type: first.type,
    class: first.class,
    ttlSeconds,
    rdatas: [...rdatas.values()],
  }));
}
