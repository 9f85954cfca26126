// hot-writer.ts -- writes kept answers: draws an order, copies records, puts in what depends on the query

import { TYPE } from '../dns/codes.ts';
import { OPT_LENGTH } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH } from '../dns/header.ts';
import type { HotAnswers } from './hot-answers.ts';
import { COUNT, GLUE, LONGEST, piecesOf, RCODE, recordLength, SET, SOA, STRIDE, TAKEN, TURN } from './hot-block.ts';
import { apexPointer, COPY_UNIT, type NegativeSoa, RECORD_HEAD_LENGTH } from './hot-entry.ts';
import type { PlainQuery } from './plain-query.ts';
import { drawOrder, ORDER } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';

/** Priority, weight and port, in front of an SRV target. */
const SRV_HEAD_LENGTH = 6;
const MAX_POINTER = 0x3fff;

/** What an answer depends on beside the question and what is kept. */
export interface HotContext {
  readonly draw: QueryDraw;
  /** The most octets that the answer may have. */
  limit: number;
  /** What the server says in OPT of itself. */
  serverUdpSize: number;
  /** What the serial of zones with dynamic names stands at, above that of the file. */
  serialOffset: number;
  /** The option for a query with a cookie, filled in before; undefined: cookies are not spoken. */
  cookie: Uint8Array | undefined;
}

/** One for each thread: it remembers the buffer it wrote to last. */
export class HotWriter {
  #out: DataView = new DataView(new ArrayBuffer(0));
  /** Where the targets of the SRV records of this answer begin. */
  readonly #targets = new Uint16Array(ORDER.length);
  /** How many of them had their address appended. */
  #glued = 0;

  /**
   * Write the answer in the block at `block` into `out`; returns its length, 0 when it may not fit and the general path
   * must decide what to leave out. No turn of the rotation is taken then.
   */
  write(
    hot: HotAnswers,
    block: number,
    query: PlainQuery,
    bytes: Uint8Array,
    context: HotContext,
    out: Uint8Array,
  ): number {
    const { words } = hot;
    const cookie = query.cookieLength > 0 ? context.cookie : undefined;
    const optLength = query.hasEdns ? OPT_LENGTH + (cookie === undefined ? 0 : cookie.length) : 0;
    const room = Math.min(context.limit, out.length - COPY_UNIT);
    const longest = query.end + words[block + LONGEST]!;
    const hasGlue = words[block + GLUE]! > 0;
    // Further in, pointers cannot lead to the targets of SRV records (RFC 1035 section 4.1.4).
    if (longest + optLength > room || (hasGlue && longest > MAX_POINTER)) return 0;
    // Slots of a batch share one buffer: making a view for each of them would be the dearest part of an answer.
    if (out.buffer !== this.#out.buffer) this.#out = new DataView(out.buffer);
    const to = this.#out;
    const start = out.byteOffset;
    for (let i = HEADER_LENGTH; i < query.end; i++) out[i] = bytes[i]!;
    const answers =
      words[block + SET]! < 0 ? rotate(hot, block) : drawOrder(hot.sets[words[block + SET]!]!, context.draw);
    let at = this.#appendRecords(words, block, query, answers, to, start);
    let additionals = query.hasEdns ? 1 : 0;
    if (hasGlue) {
      at = this.#appendGlue(words, block, query, answers, to, at, start + room - optLength);
      additionals += this.#glued;
    }
    const soa = words[block + SOA]!;
    if (soa >= 0) at = appendSoa(hot.soas[soa]!, query, context.serialOffset, to, at);
    if (query.hasEdns) at = writeOpt(query, context.serverUdpSize, cookie, to, at);
    out[0] = bytes[0]!;
    out[1] = bytes[1]!;
    out[2] = ((FLAG.QR | FLAG.AA) >>> 8) | (bytes[2]! & (FLAG.RD >>> 8));
    out[3] = words[block + RCODE]!;
    to.setUint16(start + 4, 1);
    to.setUint16(start + 6, answers);
    to.setUint16(start + 8, soa < 0 ? 0 : 1);
    to.setUint16(start + 10, additionals);
    return at - start;
  }

  #appendRecords(
    words: Int32Array,
    block: number,
    query: PlainQuery,
    count: number,
    to: DataView,
    start: number,
  ): number {
    const pieces = piecesOf(block, query.nameLength);
    const stride = words[block + STRIDE]!;
    let at = start + query.end;
    for (let i = 0; i < count; i++) {
      this.#targets[i] = at - start + RECORD_HEAD_LENGTH + SRV_HEAD_LENGTH;
      at = append(words, pieces + ORDER[i]! * stride, to, at);
    }
    return at;
  }

  /** The addresses of the targets just written, up to the first that does not fit: these may be left out. */
  #appendGlue(
    words: Int32Array,
    block: number,
    query: PlainQuery,
    count: number,
    to: DataView,
    from: number,
    end: number,
  ): number {
    const glue = piecesOf(block, query.nameLength) + words[block + GLUE]!;
    const stride = words[block + STRIDE]!;
    let at = from;
    let i = 0;
    for (; i < count; i++) {
      const record = glue + ORDER[i]! * stride;
      if (at + recordLength(words, record) > end) break;
      const next = append(words, record, to, at);
      to.setUint16(at, 0xc000 | this.#targets[i]!);
      at = next;
    }
    this.#glued = i;
    return at;
  }
}

/** Into ORDER the pieces one after the other, from that whose turn it is; returns how many the answer takes. */
function rotate(hot: HotAnswers, block: number): number {
  const { words } = hot;
  const taken = words[block + TAKEN]!;
  const turn = words[block + TURN]!;
  if (turn < 0) return inOrder(taken);
  const count = words[block + COUNT]!;
  let next = (Atomics.add(hot.turns, turn, 1) >>> 0) % count;
  for (let i = 0; i < taken; i++) {
    ORDER[i] = next;
    next = next + 1 === count ? 0 : next + 1;
  }
  return taken;
}

function inOrder(count: number): number {
  for (let i = 0; i < count; i++) ORDER[i] = i;
  return count;
}

/** For the few dozen octets of a record, a loop over words beats TypedArray.set, and one over octets three times. */
function append(words: Int32Array, from: number, to: DataView, at: number): number {
  const end = at + recordLength(words, from);
  for (let place = at, word = from; place < end; place += COPY_UNIT, word++) to.setInt32(place, words[word]!, true);
  return end;
}

function appendSoa(soa: NegativeSoa, query: PlainQuery, serial: number, to: DataView, at: number): number {
  const { octets, starts } = soa.record;
  const length = starts[1]!;
  for (let i = 0; i < length; i += COPY_UNIT) to.setUint32(at + i, octets.getUint32(i));
  const end = at + length;
  const pointer = apexPointer(query.nameLength, soa.apexLength);
  for (let i = 0; i < soa.pointersAt.length; i++) to.setUint16(at + soa.pointersAt[i]!, pointer);
  if (soa.isDynamic) to.setUint32(end - soa.serialFromEnd, soa.serialFloor + serial);
  return end;
}

function writeOpt(
  query: PlainQuery,
  udpSize: number,
  cookie: Uint8Array | undefined,
  to: DataView,
  at: number,
): number {
  to.setUint8(at, 0);
  to.setUint16(at + 1, TYPE.OPT);
  to.setUint16(at + 3, udpSize);
  to.setUint16(at + 5, 0);
  to.setUint16(at + 7, query.dnssecOk ? 0x8000 : 0);
  const end = at + OPT_LENGTH;
  if (cookie === undefined) {
    to.setUint16(at + 9, 0);
    return end;
  }
  to.setUint16(at + 9, cookie.length);
  for (let i = 0; i < cookie.length; i++) to.setUint8(end + i, cookie[i]!);
  return end + cookie.length;
}
