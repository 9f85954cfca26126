// hot-entry.ts -- makes what hot-answers.ts keeps of a question, when the general path would answer it simply

import { CLASS, RCODE, TYPE } from '../dns/codes.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import { isWithin, type Name, prependLabels } from '../dns/name.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import { srvTarget } from '../dns/rdata/locating.ts';
import type { RRset } from '../dns/rrset.ts';
import { ALWAYS_FRESH, type Freshness } from './freshness.ts';
import { type Draw, ORDER, type PreparedSet } from './prepared-set.ts';
import type { Selector } from './query-draw.ts';
import { locate } from './solve.ts';
import { isDynamic, negativeSoa, type ServedZone, type View } from './view.ts';

/** An answer in pieces. */
export interface HotEntry {
  readonly rcode: number;
  readonly freshness: Freshness;
  /** Place of the service in the counters; -1: none. */
  readonly place: number;
  /** What each answer draws from; undefined: all `records`, in order. */
  readonly set: Draw | undefined;
  /** Whole answer records, their owner a pointer to the question. */
  readonly records: Pieces;
  /** By SRV record, the address record of its target, to which its owner will point; none at all: nothing goes along. */
  readonly glue: Pieces;
  /** The SOA of a negative answer. */
  readonly authority: NegativeSoa | undefined;
  /** How many of the records an answer takes. */
  readonly taken: number;
  /** Octets behind the question, at most, that cannot be left out. */
  readonly longest: number;
  /** There is an entry for each branch, and nothing in this one but the choice. */
  readonly selector?: Selector | undefined;
}

/** Records one behind the other: thousands of small arrays would cost more memory, and more time to visit. */
export interface Pieces {
  readonly count: number;
  /** With `COPY_UNIT - 1` octets to spare. */
  readonly octets: DataView;
  /** Where each piece begins, and behind them where the last one ends. */
  readonly starts: Uint32Array;
}

/** Pieces are copied in units of so many octets, the last of which may reach beyond the end. */
export const COPY_UNIT = 4;

/** The SOA record of a zone; what depends on the question and on the moment is put in when it is sent. */
export interface NegativeSoa {
  readonly record: Pieces;
  /** Where it points to the apex in the question. */
  readonly pointersAt: readonly number[];
  readonly apexLength: number;
  readonly serialFromEnd: number;
  readonly serialFloor: number;
  /** The serial counts the changes of the registry. */
  readonly isDynamic: boolean;
}

const SOA_SERIAL_FROM_END = 20;
/** Names of addresses are below this one. */
const ADDRESSES = 'addr';
/** Octets of a record in front of its RDATA when its owner is a pointer. */
export const RECORD_HEAD_LENGTH = 12;
const QUESTION_POINTER = 0xc000 | HEADER_LENGTH;

/** Types worth keeping: what stubs ask for. Others are left to the general path. */
const HOT_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT]);

/**
 * The entry for a question of class IN, or for one `branch` of what it may be answered with; undefined when only the
 * general path can answer it. All names of a zone that do not exist (NXDOMAIN) have one in common, which is not to be
 * kept under any of them: there is no end of such names.
 */
export function makeHotEntry(
  name: Name,
  type: number,
  view: View,
  placeOf: (service: string) => number,
  branch?: number,
): HotEntry | undefined {
  const served = HOT_TYPES.has(type) ? view.zoneOf(name) : undefined;
  if (served === undefined) return undefined;
  const { found, dynamic } = locate(name, served);
  if (found.kind === 'missing') return denialOf(served);
  if (found.kind === 'node' && !found.wildcard && !found.node.sets.has(TYPE.CNAME)) {
    const own = found.node.sets.get(type);
    if (own !== undefined) return type === TYPE.SRV ? undefined : staticEntry(own);
  }
  const isHere = found.kind === 'grafted' || (found.kind === 'node' && found.node.sets.size === 0);
  if (!isHere || dynamic?.hot === undefined) return undefined;
  const { freshness } = dynamic.hot;
  const sets = dynamic.hot.sets(type);
  const service = dynamic.service;
  const about = { rcode: RCODE.NOERROR, freshness, place: service === undefined ? -1 : placeOf(service) };
  if (sets?.selector !== undefined && branch === undefined) return entry(about, { selector: sets.selector });
  const set = sets?.at(branch ?? 0);
  if (set === undefined || set.plan.size === 0) return entry(about, { authority: soaOf(served) });
  if (set.sharedRdatas !== undefined) return undefined;
  const glue = type === TYPE.SRV ? glueFor(set, served, service, view) : NO_PIECES;
  if (glue === undefined) return undefined;
  const { plan, limit, cursor } = set;
  // Not the set itself: it has all records once more.
  return entry(about, { set: { plan, limit, cursor }, records: recordsOf(set), glue });
}

type About = Pick<HotEntry, 'rcode' | 'freshness' | 'place'>;
type Content = Partial<Pick<HotEntry, 'set' | 'records' | 'glue' | 'authority' | 'selector'>>;

const STATIC: About = { rcode: RCODE.NOERROR, freshness: ALWAYS_FRESH, place: -1 };

function staticEntry(own: RRset): HotEntry | undefined {
  return own.rdatas.length > ORDER.length ? undefined : entry(STATIC, { records: recordsOf(own) });
}

function entry(about: About, content: Content): HotEntry {
  const { set, records = NO_PIECES, glue = NO_PIECES, authority, selector } = content;
  const taken = Math.min(set?.limit ?? records.count, records.count, ORDER.length);
  const longest = largest(records, taken) + (authority === undefined ? 0 : sizeOf(authority));
  return { ...about, set, records, glue, authority, taken, longest, selector };
}

function sizeOf({ record }: NegativeSoa): number {
  return record.starts[1]!;
}

const DENIALS = new WeakMap<ServedZone, HotEntry>();

function denialOf(served: ServedZone): HotEntry {
  const known = DENIALS.get(served);
  if (known !== undefined) return known;
  const made = entry({ ...STATIC, rcode: RCODE.NXDOMAIN }, { authority: soaOf(served) });
  DENIALS.set(served, made);
  return made;
}

const SOAS = new WeakMap<ServedZone, NegativeSoa>();

function soaOf(served: ServedZone): NegativeSoa {
  const known = SOAS.get(served);
  if (known !== undefined) return known;
  const soa = negativeSoa(served, { serialOffset: 0, isLoaded: true, isStale: false });
  const { octets, pointersAt } = compressedSoa(soa, served.zone.apex);
  const made = {
    record: piecesOf([octets]),
    pointersAt,
    apexLength: served.zone.apex.length,
    serialFromEnd: SOA_SERIAL_FROM_END,
    serialFloor: soaSerial(soa.rdatas[0]!),
    isDynamic: isDynamic(served),
  };
  SOAS.set(served, made);
  return made;
}

/** An SOA record that refers to its zone's apex as the general path does: the letter case of the question shows. */
function compressedSoa({ type, ttlSeconds, rdatas }: RRset, apex: Name): { octets: Uint8Array; pointersAt: number[] } {
  const rdata = rdatas[0]!;
  const octets: number[] = [];
  const pointersAt: number[] = [];
  let at = 0;
  for (let names = 0; names < 2; names++) {
    let end = at;
    while (rdata[end] !== 0) end += rdata[end]! + 1;
    const name = rdata.subarray(at, end + 1) as Name;
    const isBelow = isWithin(name, apex);
    octets.push(...(isBelow ? name.subarray(0, name.length - apex.length) : name));
    if (isBelow) pointersAt.push(RECORD_HEAD_LENGTH + octets.push(0, 0) - 2);
    at = end + 1;
  }
  octets.push(...rdata.subarray(at));
  const head = { type, ttlSeconds, rdata: Uint8Array.from(octets) };
  return { octets: record(QUESTION_POINTER, head), pointersAt: [0, ...pointersAt] };
}

/** The address record for each SRV record; undefined when one depends on more than this service. */
function glueFor(set: PreparedSet, served: ServedZone, service: string | undefined, view: View): Pieces | undefined {
  // Looked at once for thousands of targets: below it there is nothing but what the registry has.
  const addresses = prependLabels([ADDRESSES], served.zone.apex);
  const isCut = view.zones.some(({ zone }) => isWithin(zone.apex, addresses));
  if (isCut || locate(addresses, served).found.kind !== 'grafted') return undefined;
  const seen = new Set<string>();
  const glue: Uint8Array[] = [];
  for (const rdata of set.rdatas) {
    const target = srvTarget(rdata);
    const length = target.length - addresses.length;
    const label = Buffer.from(target.subarray(1, 1 + target[0]!)).toString('latin1');
    if (length !== 1 + target[0]! || seen.has(label) || !isWithin(target, addresses)) return undefined;
    seen.add(label);
    const address = served.domain?.find([label, ADDRESSES])?.address;
    if (address === undefined || address.soleService !== service) return undefined;
    glue.push(record(QUESTION_POINTER, address));
  }
  return piecesOf(glue);
}

function recordsOf({ type, ttlSeconds, rdatas }: Pick<RRset, 'type' | 'ttlSeconds' | 'rdatas'>): Pieces {
  return piecesOf(rdatas.map((rdata) => record(QUESTION_POINTER, { type, ttlSeconds, rdata })));
}

/** A record whose owner is a pointer. RDATA is not compressed: it costs a few octets. */
function record(
  pointer: number,
  { type, ttlSeconds, rdata }: { type: number; ttlSeconds: number; rdata: Uint8Array },
): Uint8Array {
  const octets = new Uint8Array(RECORD_HEAD_LENGTH + rdata.length);
  putWord(octets, 0, pointer);
  putWord(octets, 2, type);
  putWord(octets, 4, CLASS.IN);
  putWord(octets, 6, ttlSeconds >>> 16);
  putWord(octets, 8, ttlSeconds);
  putWord(octets, 10, rdata.length);
  octets.set(rdata, RECORD_HEAD_LENGTH);
  return octets;
}

/** The low 16 bits of a value. */
function putWord(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 8;
  octets[at + 1] = value;
}

/** Pointer to where the apex begins inside the question. */
export function apexPointer(nameLength: number, apexLength: number): number {
  return QUESTION_POINTER + nameLength - apexLength;
}

function piecesOf(pieces: readonly Uint8Array[]): Pieces {
  const starts = new Uint32Array(pieces.length + 1);
  for (const [i, { length }] of pieces.entries()) starts[i + 1] = starts[i]! + length;
  const octets = new Uint8Array(starts[pieces.length]! + COPY_UNIT - 1);
  for (const [i, piece] of pieces.entries()) octets.set(piece, starts[i]);
  return { count: pieces.length, octets: new DataView(octets.buffer), starts };
}

const NO_PIECES = piecesOf([]);

/** The most octets that `count` of the pieces can have. */
function largest({ count: all, starts }: Pieces, count: number): number {
  if (count >= all) return starts[all]!;
  const lengths = Array.from({ length: all }, (_, i) => starts[i + 1]! - starts[i]!).sort((a, b) => b - a);
  return lengths.slice(0, count).reduce((sum, length) => sum + length, 0);
}
