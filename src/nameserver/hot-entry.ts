// hot-entry.ts -- makes what hot-answers.ts keeps of a question, when the general path would answer it simply

import { CLASS, TYPE } from '../dns/codes.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import { foldOctet, isWithin, type Name } from '../dns/name.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import { srvTarget } from '../dns/rdata/locating.ts';
import type { RRset } from '../dns/rrset.ts';
import { WireWriter } from '../dns/wire-writer.ts';
import type { Freshness } from './dynamic-node.ts';
import type { PreparedSet } from './prepared-set.ts';
import { locate } from './solve.ts';
import { negativeSoa, type ServedZone, type View } from './view.ts';

/** An answer in pieces. */
export interface HotEntry {
  readonly hash: number;
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly freshness: Freshness;
  /** Place of the service in the counters; -1: none. */
  readonly place: number;
  /** What each answer draws from; undefined: all `records`, in order. */
  readonly set: PreparedSet | undefined;
  /** Whole answer records, their owner a pointer to the question. */
  readonly records: readonly Uint8Array[];
  /** By record, the address record that goes along; empty: none. */
  readonly glue: readonly Uint8Array[];
  /** The SOA of a negative answer. */
  readonly authority: NegativeSoa | undefined;
  /** Octets behind the question, at most. */
  readonly longest: number;
}

/** An SOA record whose serial is filled in when it is sent. */
export interface NegativeSoa {
  readonly octets: Uint8Array;
  readonly serialFromEnd: number;
  readonly serialFloor: number;
}

const SOA_SERIAL_FROM_END = 20;
/** Everything static holds until there is another View. */
const ALWAYS_FRESH: Freshness = { isStale: false };
const QUESTION_POINTER = 0xc000 | HEADER_LENGTH;

/** Types worth keeping: what stubs ask for. Others are left to the general path. */
const HOT_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT]);

/** The entry for a question of class IN; undefined when only the general path can answer it. */
export function makeHotEntry(
  name: Name,
  type: number,
  hash: number,
  view: View,
  placeOf: (service: string) => number,
): HotEntry | undefined {
  const served = HOT_TYPES.has(type) ? view.zoneOf(name) : undefined;
  if (served === undefined) return undefined;
  const { found, dynamic } = locate(name, served);
  const shared = { hash, name: name.map(foldOctet), type };
  if (found.kind === 'node' && !found.wildcard && !found.node.sets.has(TYPE.CNAME)) {
    const own = found.node.sets.get(type);
    if (own !== undefined) return type === TYPE.SRV ? undefined : { ...shared, ...staticAnswer(own) };
  }
  const isHere = found.kind === 'grafted' || (found.kind === 'node' && found.node.sets.size === 0);
  if (!isHere || dynamic?.hot === undefined) return undefined;
  const { freshness, set: setOf } = dynamic.hot;
  const set = setOf(type);
  const about = { ...shared, freshness, place: dynamic.service === undefined ? -1 : placeOf(dynamic.service) };
  if (set === undefined || set.plan.size === 0) return { ...about, ...noData(name, served) };
  const glue = type === TYPE.SRV ? glueFor(set, name, served, dynamic.service, view) : [];
  if (glue === undefined) return undefined;
  const records = set.rdatas.map((rdata) => record(QUESTION_POINTER, type, set.ttlSeconds, rdata));
  const taken = Math.min(set.limit, records.length);
  return {
    ...about,
    set,
    records,
    glue,
    authority: undefined,
    longest: largest(records, taken) + largest(glue, taken),
  };
}

type Content = Pick<HotEntry, 'freshness' | 'place' | 'set' | 'records' | 'glue' | 'authority' | 'longest'>;

function staticAnswer(set: RRset): Content {
  const records = set.rdatas.map((rdata) => record(QUESTION_POINTER, set.type, set.ttlSeconds, rdata));
  const longest = largest(records, records.length);
  return {
    freshness: ALWAYS_FRESH,
    place: -1,
    set: undefined,
    records,
    glue: [],
    authority: undefined,
    longest,
  };
}

function noData(name: Name, served: ServedZone): Pick<Content, 'set' | 'records' | 'glue' | 'authority' | 'longest'> {
  // The serial moves with every change of the registry, whichever service it concerns; it is filled in when sent.
  const soa = negativeSoa(served, { serialOffset: 0, isLoaded: true, isStale: false });
  const rdata = soa.rdatas[0]!;
  const octets = record(apexPointer(name, served.zone.apex), TYPE.SOA, soa.ttlSeconds, rdata);
  const authority = { octets, serialFromEnd: SOA_SERIAL_FROM_END, serialFloor: soaSerial(rdata) };
  return { set: undefined, records: [], glue: [], authority, longest: octets.length };
}

/** The address record for each SRV record; undefined when one depends on more than this service. */
function glueFor(
  set: PreparedSet,
  name: Name,
  served: ServedZone,
  service: string | undefined,
  view: View,
): Uint8Array[] | undefined {
  const seen = new Set<string>();
  const glue: Uint8Array[] = [];
  for (const rdata of set.rdatas) {
    const target = srvTarget(rdata);
    const key = Buffer.from(target).toString('latin1');
    if (seen.has(key) || !isWithin(target, served.zone.apex) || view.zoneOf(target) !== served) return undefined;
    seen.add(key);
    const { found, dynamic } = locate(target, served);
    const address = dynamic?.address;
    if (found.kind !== 'grafted' || address === undefined || address.soleService !== service) return undefined;
    const owner = target.subarray(0, target.length - served.zone.apex.length);
    glue.push(recordWithOwner(owner, apexPointer(name, served.zone.apex), address));
  }
  return glue;
}

function record(ownerPointer: number, type: number, ttlSeconds: number, rdata: Uint8Array): Uint8Array {
  return recordWithOwner(new Uint8Array(0), ownerPointer, { type, ttlSeconds, rdata });
}

/** A record whose owner is some labels in front of a pointer. RDATA is not compressed: it costs a few octets. */
function recordWithOwner(
  labels: Uint8Array,
  pointer: number,
  { type, ttlSeconds, rdata }: { type: number; ttlSeconds: number; rdata: Uint8Array },
): Uint8Array {
  const writer = WireWriter.growing(labels.length + 12 + rdata.length);
  writer.octets(labels);
  writer.u16(pointer);
  writer.u16(type);
  writer.u16(CLASS.IN);
  writer.u32(ttlSeconds);
  writer.u16(rdata.length);
  writer.octets(rdata);
  return writer.written().slice();
}

/** Where the apex begins inside the question. */
function apexPointer(name: Name, apex: Name): number {
  return 0xc000 | (HEADER_LENGTH + name.length - apex.length);
}

/** The most octets that `count` of the pieces can have. */
function largest(pieces: readonly Uint8Array[], count: number): number {
  const lengths = pieces.map((piece) => piece.length).sort((a, b) => b - a);
  return lengths.slice(0, count).reduce((sum, length) => sum + length, 0);
}
