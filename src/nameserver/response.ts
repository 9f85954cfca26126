// response.ts -- an Answer into the octets of a reply: flags, EDNS, and what gives way when room is short

import { EDNS_OPTION, RCODE } from '../dns/codes.ts';
import { type EdnsOption, extendedErrorOption, OPT_LENGTH, writeOpt } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH } from '../dns/header.ts';
import { writeRecord } from '../dns/message.ts';
import type { Request } from '../dns/request.ts';
import { type RRset, recordsOf } from '../dns/rrset.ts';
import { writeUnknownKey } from '../dns/tsig.ts';
import { WireWriter } from '../dns/wire-writer.ts';
import type { Answer, ExtendedError } from './answer.ts';
import type { ReplyOptions } from './reply-options.ts';

/** The largest message over UDP without EDNS (RFC 1035 section 2.3.4). */
export const PLAIN_UDP_SIZE = 512;
export const MAX_MESSAGE_SIZE = 65535;
/** The EDNS version spoken here. */
const EDNS_VERSION = 0;
/** Code and length of an option. */
const OPTION_HEAD_LENGTH = 4;
/** An extended error without text. */
const ERROR_LENGTH = OPTION_HEAD_LENGTH + 2;

/** How large a reply may be. */
export function replyLimit(request: Request, isUdp: boolean, maxUdpSize: number): number {
  if (!isUdp) return MAX_MESSAGE_SIZE;
  if (request.edns === undefined) return PLAIN_UDP_SIZE;
  return ednsLimit(request.edns.udpSize, maxUdpSize);
}

/** How large a UDP reply may be for a client that states its size: sizes below 512 mean 512 (RFC 6891 section 6.2.3). */
export function ednsLimit(udpSize: number, maxUdpSize: number): number {
  return Math.min(Math.max(udpSize, PLAIN_UDP_SIZE), Math.max(maxUdpSize, PLAIN_UDP_SIZE));
}

/** What a reply has to keep to, beside its answer. */
export interface ReplyShape {
  /** The most octets it may have. */
  readonly limit: number;
  /** What is said of our own size in OPT. */
  readonly maxUdpSize: number;
  /** What the options of the query ask for. */
  readonly asked: Pick<ReplyOptions, 'options' | 'padBlock'>;
}

/**
 * Write the reply into `out` (at least `limit` octets); returns its length. Additional records give way first; as soon
 * as an answer, authority or needed glue record does not fit, the reply is truncated (TC). An extended error takes what
 * room is left, its text before its code: it never costs a record (RFC 8914 section 3).
 */
export function writeResponse(
  request: Request,
  bytes: Uint8Array,
  answer: Answer,
  { limit, maxUdpSize, asked }: ReplyShape,
  out: Uint8Array,
): number {
  const { edns } = request;
  const options = answer.clientSubnet === undefined ? [...asked.options] : [...asked.options, answer.clientSubnet];
  const optLength = edns === undefined ? 0 : OPT_LENGTH + sizeOf(options);
  const writer = new WireWriter(out, 0, limit - optLength);
  writer.offset = HEADER_LENGTH;
  copyQuestion(writer, request, bytes);
  const counts = [0, 0, 0];
  let truncated = answer.isCut || !writeSets(writer, answer.answer, counts, 0);
  truncated ||= !writeSets(writer, answer.authority, counts, 1);
  truncated ||= !writeSets(writer, answer.additional.slice(0, answer.glueCount), counts, 2);
  if (edns !== undefined && answer.extendedError !== undefined) writer.limit -= ERROR_LENGTH;
  if (!truncated) writeWholeSets(writer, answer.additional.slice(answer.glueCount), counts, 2);
  if (edns !== undefined) {
    writer.limit = limit;
    addError(options, answer.extendedError, limit - writer.offset);
    if (request.tsig === undefined) addPadding(options, asked.padBlock, writer.offset, limit);
    const extendedRcode = answer.rcode >> 4;
    writeOpt(writer, { udpSize: maxUdpSize, extendedRcode, version: EDNS_VERSION, dnssecOk: edns.dnssecOk, options });
    counts[2]!++;
  }
  if (answer.rcode === RCODE.NOTAUTH && request.tsig !== undefined) {
    const mark = writer.offset;
    writeUnknownKey(writer, request.tsig);
    truncated ||= writer.overflowed;
    if (writer.overflowed) writer.rewind(mark);
    else counts[2]!++;
  }
  writeHeader(writer, request, answer, truncated, counts);
  return writer.offset;
}

/** As much of an extended error as `room` octets hold beside the other options. */
function addError(options: EdnsOption[], error: ExtendedError | undefined, room: number): void {
  if (error === undefined) return;
  for (const text of [error.text, '']) {
    const option = extendedErrorOption(EDNS_OPTION.EXTENDED_ERROR, error.code, text);
    if (OPT_LENGTH + sizeOf([...options, option]) > room) continue;
    options.push(option);
    return;
  }
}

/** Fill up to the next multiple of `block`, or to the limit when that is less (RFC 8467 section 4.1). */
function addPadding(options: EdnsOption[], block: number, offset: number, limit: number): void {
  if (block === 0) return;
  const bare = offset + OPT_LENGTH + sizeOf(options) + OPTION_HEAD_LENGTH;
  if (bare > limit) return;
  const length = Math.min(Math.ceil(bare / block) * block, limit);
  options.push({ code: EDNS_OPTION.PADDING, data: new Uint8Array(length - bare) });
}

function writeHeader(
  writer: WireWriter,
  request: Request,
  answer: Answer,
  truncated: boolean,
  counts: readonly number[],
): void {
  let flags = FLAG.QR | (request.opcode << 11) | (request.flags & FLAG.RD) | (answer.rcode & 0xf);
  if (answer.authoritative) flags |= FLAG.AA;
  if (truncated) flags |= FLAG.TC;
  const hasQuestion = request.question !== undefined ? 1 : 0;
  for (const [index, value] of [request.id, flags, hasQuestion, ...counts].entries()) {
    writer.patchU16(index * 2, value);
  }
}

/** The question goes back as it came, letter case included (draft-vixie-dnsext-dns0x20). */
function copyQuestion(writer: WireWriter, request: Request, bytes: Uint8Array): void {
  if (request.question === undefined) return;
  writer.name(request.question.name, true);
  writer.octets(bytes.subarray(request.questionEnd - 4, request.questionEnd));
}

/** Records one by one; false at the first that does not fit. */
function writeSets(writer: WireWriter, sets: readonly RRset[], counts: number[], section: number): boolean {
  for (const set of sets) {
    // Not all at once: most of a long set may not fit.
    for (const rdata of set.rdatas) {
      const mark = writer.offset;
      writeRecord(writer, { name: set.name, type: set.type, class: set.class, ttlSeconds: set.ttlSeconds, rdata });
      if (writer.overflowed) {
        writer.rewind(mark);
        return false;
      }
      counts[section]!++;
    }
  }
  return true;
}

/** Sets whole or not at all, up to the first that does not fit: leaving these out is no truncation (RFC 2181 section 9). */
function writeWholeSets(writer: WireWriter, sets: readonly RRset[], counts: number[], section: number): void {
  for (const set of sets) {
    const mark = writer.offset;
    for (const record of recordsOf(set)) writeRecord(writer, record);
    if (writer.overflowed) {
      writer.rewind(mark);
      return;
    }
    counts[section]! += set.rdatas.length;
  }
}

function sizeOf(options: readonly EdnsOption[]): number {
  return options.reduce((sum, option) => sum + OPTION_HEAD_LENGTH + option.data.length, 0);
}

/**
 * The shortest possible reply, for when even writing the real one failed: the header, and the question if it is known
 * where that ends (else 0): some stubs take no reply without it for theirs.
 */
export function writeServerFailure(bytes: Uint8Array, questionEnd: number, out: Uint8Array): number {
  out.fill(0, 0, HEADER_LENGTH);
  out.set(bytes.subarray(0, 2));
  const flags = FLAG.QR | (((bytes[2]! << 8) | bytes[3]!) & (0x7800 | FLAG.RD)) | RCODE.SERVFAIL;
  out[2] = flags >>> 8;
  out[3] = flags & 0xff;
  if (questionEnd === 0) return HEADER_LENGTH;
  out[5] = 1;
  out.set(bytes.subarray(HEADER_LENGTH, questionEnd), HEADER_LENGTH);
  return questionEnd;
}
