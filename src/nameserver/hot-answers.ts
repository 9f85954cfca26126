// hot-answers.ts -- answers in wire form for the questions that are asked again and again
//
// A question that the general path (solve.ts, response.ts) answers from one record set, whole and untruncated, is kept
// as fragments: the octets of each record, of its glue, and the plan that orders them. Answering it again is a hash of
// the question's octets, a draw, and a few copies. Everything else (aliases, referrals, ANY, EDNS options, replies that
// may not fit) is left to the general path, and the two say the same: test/nameserver/hot-answers.test.ts compares them.
//
// An entry holds as long as the service it was made of does not change; a new View starts an empty table.

import type { Random } from '../base/random.ts';
import { CLASS, TYPE } from '../dns/codes.ts';
import { OPT_LENGTH } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH } from '../dns/header.ts';
import { foldOctet } from '../dns/name.ts';
import {
  apexPointer,
  COPY_UNIT,
  type HotEntry,
  type NegativeSoa,
  type Pieces,
  RECORD_HEAD_LENGTH,
} from './hot-entry.ts';
import { drawOrder, ORDER } from './prepared-set.ts';

/**
 * Entries kept; when full, the table starts over. Only names that exist have one, so this is for some hundred thousand
 * services, each asked for several types.
 */
const MAX_ENTRIES = 1 << 20;
/** Priority, weight and port, in front of an SRV target. */
const SRV_HEAD_LENGTH = 6;
const MAX_POINTER = 0x3fff;
const INITIAL_PLACES = 1 << 10;

/** The question of a query that has nothing unusual about it. Filled in anew by every `read`. */
export class PlainQuery {
  hash = 0;
  nameLength = 0;
  type = 0;
  /** Where the question ends. */
  end = 0;
  hasEdns = false;
  dnssecOk = false;
  udpSize = 0;

  /** Take the first `length` octets apart; false when the general path must look at them. */
  read(bytes: Uint8Array, length: number): boolean {
    if (length < HEADER_LENGTH + 5) return false;
    // QUERY, not a response; one question, no answers, no authorities, at most one additional.
    if ((bytes[2]! & 0xf8) !== 0 || bytes[4] !== 0 || bytes[5] !== 1) return false;
    if ((bytes[6]! | bytes[7]! | bytes[8]! | bytes[9]! | bytes[10]!) !== 0 || bytes[11]! > 1) return false;
    let at = HEADER_LENGTH;
    let hash = 0x811c9dc5;
    for (let label = bytes[at]!; label !== 0; label = bytes[at]!) {
      if (label > 63 || at + label + 6 > length) return false;
      hash = Math.imul(hash ^ label, 0x01000193);
      const end = at + label;
      while (at < end) hash = Math.imul(hash ^ foldOctet(bytes[++at]!), 0x01000193);
      at++;
    }
    this.nameLength = at + 1 - HEADER_LENGTH;
    if (this.nameLength > 255 || bytes[at + 3] !== 0 || bytes[at + 4] !== CLASS.IN) return false;
    this.type = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    this.hash = Math.imul(hash ^ this.type, 0x01000193) >>> 0;
    this.end = at + 5;
    this.hasEdns = bytes[11] === 1;
    return this.hasEdns ? this.#readOpt(bytes, length) : length === this.end;
  }

  /** An OPT record of version 0 without options, and nothing behind it. */
  #readOpt(bytes: Uint8Array, length: number): boolean {
    const at = this.end;
    if (length !== at + OPT_LENGTH || bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== TYPE.OPT)
      return false;
    if (bytes[at + 6] !== 0 || (bytes[at + 9]! | bytes[at + 10]!) !== 0) return false;
    this.udpSize = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    this.dnssecOk = (bytes[at + 7]! & 0x80) !== 0;
    return true;
  }
}

/** A hash table of entries, and the answering from them. */
export class HotAnswers {
  #places: (HotEntry | undefined)[] = new Array(INITIAL_PLACES).fill(undefined);
  #count = 0;

  /** The entry of a question, if there is one that still holds. */
  find(query: PlainQuery, bytes: Uint8Array): HotEntry | undefined {
    const mask = this.#places.length - 1;
    for (let at = query.hash & mask; ; at = (at + 1) & mask) {
      const entry = this.#places[at];
      if (entry === undefined) return undefined;
      if (entry.hash === query.hash && entry.type === query.type && isSameName(entry.name, query, bytes)) {
        return entry.freshness.isStale ? undefined : entry;
      }
    }
  }

  /** Keep an entry, in place of an older one for the same question. */
  put(entry: HotEntry): void {
    if (this.#count * 2 > this.#places.length) this.#grow();
    const mask = this.#places.length - 1;
    let at = entry.hash & mask;
    for (let known = this.#places[at]; known !== undefined; known = this.#places[at]) {
      if (known.hash === entry.hash && known.type === entry.type && isSameOctets(known.name, entry.name)) break;
      at = (at + 1) & mask;
    }
    if (this.#places[at] === undefined) this.#count++;
    this.#places[at] = entry;
  }

  /** Entries that no longer hold go; if the table is still too large, all do. */
  #grow(): void {
    const kept = this.#places.filter((entry) => entry !== undefined && !entry.freshness.isStale);
    if (kept.length >= MAX_ENTRIES) kept.length = 0;
    const size = kept.length * 4 > this.#places.length ? this.#places.length * 2 : this.#places.length;
    this.#places = new Array(size).fill(undefined);
    this.#count = 0;
    for (const entry of kept) this.put(entry!);
  }
}

function isSameName(name: Uint8Array, query: PlainQuery, bytes: Uint8Array): boolean {
  if (name.length !== query.nameLength) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== foldOctet(bytes[HEADER_LENGTH + i]!)) return false;
  return true;
}

function isSameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Writes the answers of entries. One for each thread: it remembers the buffer it wrote to last. */
export class HotWriter {
  #out: DataView = new DataView(new ArrayBuffer(0));
  /** Where the targets of the SRV records of this answer begin. */
  readonly #targets = new Uint16Array(ORDER.length);
  /** How many of them had their address appended. */
  #glued = 0;

  /**
   * Write the answer of an entry into `out`; returns its length, 0 when it may not fit `limit` and the general path must
   * decide what to leave out. No turn of the rotation is taken then.
   */
  write(
    entry: HotEntry,
    query: PlainQuery,
    bytes: Uint8Array,
    limit: number,
    serverUdpSize: number,
    random: Random,
    serial: number,
    out: Uint8Array,
  ): number {
    const optLength = query.hasEdns ? OPT_LENGTH : 0;
    const room = Math.min(limit, out.length - COPY_UNIT);
    if (query.end + entry.longest + optLength > room) return 0;
    // Further in, pointers cannot lead to the targets of SRV records (RFC 1035 section 4.1.4).
    if (entry.glue.count > 0 && query.end + entry.longest > MAX_POINTER) return 0;
    // Slots of a batch share one buffer: making a view for each of them would be the dearest part of an answer.
    if (out.buffer !== this.#out.buffer) this.#out = new DataView(out.buffer);
    const to = this.#out;
    const start = out.byteOffset;
    for (let i = HEADER_LENGTH; i < query.end; i++) out[i] = bytes[i]!;
    let at = start + query.end;
    let answers = entry.records.count;
    let additionals = query.hasEdns ? 1 : 0;
    if (entry.set === undefined) {
      for (let i = 0; i < answers; i++) at = append(entry.records, i, to, at);
    } else {
      answers = drawOrder(entry.set, random);
      for (let i = 0; i < answers; i++) {
        this.#targets[i] = at - start + RECORD_HEAD_LENGTH + SRV_HEAD_LENGTH;
        at = append(entry.records, ORDER[i]!, to, at);
      }
      if (entry.glue.count > 0) {
        const end = this.#appendGlue(entry.glue, answers, to, at, start + room - optLength);
        additionals += this.#glued;
        at = end;
      }
    }
    if (entry.authority !== undefined) at = appendSoa(entry.authority, query, serial, to, at);
    if (query.hasEdns) at = writeOpt(query, serverUdpSize, to, at);
    out[0] = bytes[0]!;
    out[1] = bytes[1]!;
    out[2] = ((FLAG.QR | FLAG.AA) >>> 8) | (bytes[2]! & (FLAG.RD >>> 8));
    out[3] = entry.rcode;
    to.setUint16(start + 4, 1);
    to.setUint16(start + 6, answers);
    to.setUint16(start + 8, entry.authority === undefined ? 0 : 1);
    to.setUint16(start + 10, additionals);
    return at - start;
  }

  /** The addresses of the targets just written, up to the first that does not fit: these may be left out. */
  #appendGlue(glue: Pieces, count: number, to: DataView, from: number, end: number): number {
    let at = from;
    let i = 0;
    for (; i < count; i++) {
      const index = ORDER[i]!;
      if (at + glue.starts[index + 1]! - glue.starts[index]! > end) break;
      const next = append(glue, index, to, at);
      to.setUint16(at, 0xc000 | this.#targets[i]!);
      at = next;
    }
    this.#glued = i;
    return at;
  }
}

/** For the few dozen octets of a record, a loop over units beats TypedArray.set, and one over octets three times. */
function append({ octets, starts }: Pieces, index: number, to: DataView, at: number): number {
  const start = starts[index]!;
  const end = starts[index + 1]!;
  for (let i = start, place = at; i < end; i += COPY_UNIT, place += COPY_UNIT) to.setUint32(place, octets.getUint32(i));
  return at + end - start;
}

function appendSoa(soa: NegativeSoa, query: PlainQuery, serial: number, to: DataView, at: number): number {
  const end = append(soa.record, 0, to, at);
  const pointer = apexPointer(query.nameLength, soa.apexLength);
  for (let i = 0; i < soa.pointersAt.length; i++) to.setUint16(at + soa.pointersAt[i]!, pointer);
  if (soa.isDynamic) to.setUint32(end - soa.serialFromEnd, soa.serialFloor + serial);
  return end;
}

function writeOpt(query: PlainQuery, udpSize: number, to: DataView, at: number): number {
  to.setUint8(at, 0);
  to.setUint16(at + 1, TYPE.OPT);
  to.setUint16(at + 3, udpSize);
  to.setUint16(at + 5, 0);
  to.setUint16(at + 7, query.dnssecOk ? 0x8000 : 0);
  to.setUint16(at + 9, 0);
  return at + OPT_LENGTH;
}
