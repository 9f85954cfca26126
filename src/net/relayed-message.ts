// relayed-message.ts -- an upstream's message, kept as it came, and passed on with what belongs to each client put in
//
// Records are neither understood nor rewritten, so that types nobody heard of survive, and signatures stay good. What is
// hop by hop is taken out: the id, the OPT record, and the case of the question. Only TTLs are ours to change.

import { EDNS_OPTION, RCODE, TYPE } from '../dns/codes.ts';
import { type EdnsOption, OPT_LENGTH, readOpt, writeOpt } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH, rcodeOf } from '../dns/header.ts';
import { decodeMessage, type Message } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import type { Request } from '../dns/request.ts';
import { MAX_TTL_SECONDS } from '../dns/rrset.ts';
import { WireError } from '../dns/wire-error.ts';
import { WireReader } from '../dns/wire-reader.ts';
import { WireWriter } from '../dns/wire-writer.ts';

/** A reply of an upstream, read once. */
export interface RelayedMessage {
  /** Up to the OPT record, which is not part of it; the header as it came. */
  readonly octets: Uint8Array;
  readonly rcode: number;
  readonly isTruncated: boolean;
  /** Where the TTL of each record is. */
  readonly ttlsAt: readonly number[];
  readonly answerCount: number;
  readonly authorityCount: number;
  readonly additionalCount: number;
  readonly additionalAt: number;
  /** How long it may be kept (RFC 2308 for what does not exist), in seconds, not capped; 0: not at all. */
  readonly ttlSeconds: number;
  readonly isNegative: boolean;
  /** Extended errors (RFC 8914) that the upstream told; they go along. */
  readonly extendedErrors: readonly EdnsOption[];
  /** Address records in the answer. */
  readonly addresses: readonly Uint8Array[];
}

interface Draft {
  readonly ttlsAt: number[];
  readonly addresses: Uint8Array[];
  minTtlSeconds: number;
  /** What RFC 2308 allows; undefined without a SOA record. */
  negativeTtlSeconds: number | undefined;
  hasWanted: boolean;
}

/** Limits to what upstreams have reason to send, so that nothing of theirs makes us hold more. */
const MAX_EXTENDED_ERRORS = 4;
const MAX_EXTENDED_ERROR_LENGTH = 256;
/** Code and length of an option. */
const OPTION_HEAD_LENGTH = 4;

/**
 * Take a reply apart whose question is already known to be the one asked. `isOwn` says which names are answered here:
 * from the first record of such an owner on, nothing of the message is kept. Undefined when it is malformed.
 */
export function readRelayed(
  message: Uint8Array,
  isOwn: (name: Name) => boolean = () => false,
): RelayedMessage | undefined {
  try {
    return read(message, isOwn);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return undefined;
  }
}

function read(message: Uint8Array, isOwn: (name: Name) => boolean): RelayedMessage {
  const reader = new WireReader(message, 6);
  const counts = [reader.u16(), reader.u16(), reader.u16()];
  reader.name();
  const type = reader.u16();
  reader.u16();
  const kept = [0, 0, 0];
  const draft: Draft = {
    ttlsAt: [],
    addresses: [],
    minTtlSeconds: MAX_TTL_SECONDS,
    negativeTtlSeconds: undefined,
    hasWanted: false,
  };
  let end = reader.offset;
  let additionalAt = -1;
  let isCut = false;
  let isOwnCut = false;
  let extendedRcode = 0;
  let extendedErrors: EdnsOption[] = [];
  for (let section = 0; section < 3; section++) {
    if (section === 2 && !isCut) additionalAt = reader.offset;
    for (let i = 0; i < counts[section]!; i++) {
      const name = reader.name();
      const recordType = reader.u16();
      if (recordType === TYPE.OPT) {
        const edns = readOpt(reader);
        extendedRcode = edns.extendedRcode;
        extendedErrors = edns.options.filter(isExtendedError).slice(0, MAX_EXTENDED_ERRORS);
        // What stands behind it may be pointed at by nothing before it, and is optional.
        isCut = true;
        continue;
      }
      if (!isCut && isOwn(name)) isCut = isOwnCut = true;
      const ttlAt = reader.offset + 2;
      readRecord(reader, section, recordType, type, isCut ? undefined : draft);
      if (isCut) continue;
      draft.ttlsAt.push(ttlAt);
      kept[section]!++;
      end = reader.offset;
    }
  }
  const flags = (message[2]! << 8) | message[3]!;
  const rcode = rcodeOf(flags) | (extendedRcode << 4);
  const isNegative = rcode === RCODE.NXDOMAIN || !draft.hasWanted;
  return {
    octets: message.slice(0, end),
    rcode,
    isTruncated: (flags & FLAG.TC) !== 0,
    ttlsAt: draft.ttlsAt,
    answerCount: kept[0]!,
    authorityCount: kept[1]!,
    additionalCount: kept[2]!,
    additionalAt: additionalAt < 0 ? end : additionalAt,
    ttlSeconds: isOwnCut ? 0 : ttlOf(draft, rcode, isNegative),
    isNegative,
    extendedErrors,
    addresses: draft.addresses,
  };
}

function readRecord(reader: WireReader, section: number, type: number, wanted: number, draft: Draft | undefined): void {
  reader.u16();
  const stated = reader.u32();
  const length = reader.u16();
  const rdataAt = reader.offset;
  reader.skip(length);
  if (draft === undefined) return;
  // A TTL with the top bit set counts as zero (RFC 2181 section 8).
  const ttlSeconds = stated > MAX_TTL_SECONDS ? 0 : stated;
  draft.minTtlSeconds = Math.min(draft.minTtlSeconds, ttlSeconds);
  if (section === 0 && (type === wanted || wanted === TYPE.ANY)) draft.hasWanted = true;
  if (section === 0 && (type === TYPE.A || type === TYPE.AAAA)) {
    draft.addresses.push(reader.bytes.slice(rdataAt, rdataAt + length));
  }
  if (section !== 1 || type !== TYPE.SOA || length < 4) return;
  const end = reader.offset;
  reader.offset = end - 4;
  draft.negativeTtlSeconds = Math.min(ttlSeconds, reader.u32());
}

/** What does not exist is only remembered when a SOA record says for how long (RFC 2308 section 5). */
function ttlOf({ minTtlSeconds, negativeTtlSeconds, ttlsAt }: Draft, rcode: number, isNegative: boolean): number {
  if ((rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) || ttlsAt.length === 0) return 0;
  return isNegative ? Math.min(minTtlSeconds, negativeTtlSeconds ?? 0) : minTtlSeconds;
}

function isExtendedError({ code, data }: EdnsOption): boolean {
  return code === EDNS_OPTION.EXTENDED_ERROR && data.length >= 2 && data.length <= MAX_EXTENDED_ERROR_LENGTH;
}

/** How a message is passed on. */
export interface Passing {
  /** Seconds that it has been kept. */
  readonly ageSeconds: number;
  /** The most that any TTL may be. */
  readonly maxTtlSeconds: number;
  /** Our own options, and for which the query asks; extended errors of the upstream come behind them. */
  readonly options: readonly EdnsOption[];
  /** The reply is to have a multiple of so many octets, where there is room; 0: as many as it has. */
  readonly padBlock: number;
  /** Octets that the client takes. */
  readonly limit: number;
  /** What is said of our own size in OPT. */
  readonly maxUdpSize: number;
}

/**
 * The reply to `query`, which `request` was read from: additional records give way when it is too large, and what is
 * too large still is truncated to the question (RFC 2181 section 9).
 */
export function passOn(relayed: RelayedMessage, query: Uint8Array, request: Request, passing: Passing): Uint8Array {
  const { edns, questionEnd } = request;
  const options = edns === undefined ? [] : [...passing.options, ...relayed.extendedErrors];
  const bareLength = edns === undefined ? 0 : OPT_LENGTH + sizeOf(options);
  const fits = (length: number): boolean => length + bareLength <= passing.limit;
  const isWhole = fits(relayed.octets.length);
  const isEnough = isWhole || fits(relayed.additionalAt);
  const length = isWhole ? relayed.octets.length : isEnough ? relayed.additionalAt : questionEnd;
  const padding = edns === undefined ? undefined : paddingOf(length + bareLength, passing);
  if (padding !== undefined) options.push(padding);
  const out = new Uint8Array(length + (edns === undefined ? 0 : OPT_LENGTH + sizeOf(options)));
  out.set(relayed.octets.subarray(0, length));
  age(out.subarray(0, length), relayed.ttlsAt, passing);
  // The question goes back as it came, and with it the owners that point to it.
  out.set(query.subarray(HEADER_LENGTH, questionEnd), HEADER_LENGTH);
  const writer = new WireWriter(out);
  writer.u16(request.id);
  writer.u16(flagsOf(relayed, request, !isEnough || relayed.isTruncated));
  writer.u16(1);
  writer.u16(isEnough ? relayed.answerCount : 0);
  writer.u16(isEnough ? relayed.authorityCount : 0);
  writer.u16((isWhole ? relayed.additionalCount : 0) + (edns === undefined ? 0 : 1));
  if (edns === undefined) return out;
  writer.offset = length;
  const extendedRcode = relayed.rcode >> 4;
  writeOpt(writer, { udpSize: passing.maxUdpSize, extendedRcode, version: 0, dnssecOk: edns.dnssecOk, options });
  return out;
}

function sizeOf(options: readonly EdnsOption[]): number {
  return options.reduce((sum, { data }) => sum + OPTION_HEAD_LENGTH + data.length, 0);
}

/** RFC 8467 section 4.1. */
function paddingOf(length: number, { padBlock, limit }: Passing): EdnsOption | undefined {
  const bare = length + OPTION_HEAD_LENGTH;
  if (padBlock === 0 || bare > limit) return undefined;
  const padded = Math.min(Math.ceil(bare / padBlock) * padBlock, limit);
  return { code: EDNS_OPTION.PADDING, data: new Uint8Array(padded - bare) };
}

/**
 * The records of a message, with `name` for its question, aged: for replies that have more than them. Undefined when
 * records of known types are malformed.
 */
export function recordsIn(
  relayed: RelayedMessage,
  name: Name,
  passing: Pick<Passing, 'ageSeconds' | 'maxTtlSeconds'>,
): Pick<Message, 'answers' | 'authorities'> | undefined {
  const octets = relayed.octets.slice();
  age(octets, relayed.ttlsAt, passing);
  octets.set(name, HEADER_LENGTH);
  const writer = new WireWriter(octets, 6);
  for (const count of [relayed.answerCount, relayed.authorityCount, relayed.additionalCount]) writer.u16(count);
  try {
    return decodeMessage(octets);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return undefined;
  }
}

function age(
  message: Uint8Array,
  ttlsAt: readonly number[],
  { ageSeconds, maxTtlSeconds }: Pick<Passing, 'ageSeconds' | 'maxTtlSeconds'>,
): void {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  for (const at of ttlsAt) {
    if (at + 4 > message.length) return;
    const stated = view.getUint32(at);
    const leftSeconds = Math.max(0, (stated > MAX_TTL_SECONDS ? 0 : stated) - ageSeconds);
    view.setUint32(at, Math.min(leftSeconds, maxTtlSeconds));
  }
}

/**
 * AD only for those who said that they understand it (RFC 6840 section 5.8), CD as it was asked (RFC 4035 section
 * 3.2.2); AA never: we are no authority for it.
 */
function flagsOf({ octets, rcode }: RelayedMessage, { flags, edns }: Request, isTruncated: boolean): number {
  const wantsAd = edns?.dnssecOk === true || (flags & FLAG.AD) !== 0;
  const isAuthentic = wantsAd && (octets[3]! & FLAG.AD) !== 0;
  return (
    FLAG.QR |
    FLAG.RA |
    (flags & (FLAG.RD | FLAG.CD)) |
    (isTruncated ? FLAG.TC : 0) |
    (isAuthentic ? FLAG.AD : 0) |
    (rcode & 0xf)
  );
}

/** The same message for clients that have to wait no longer: every TTL is what `maxTtlSeconds` says (RFC 8767 section 5). */
export function freshened(relayed: RelayedMessage, ttlSeconds: number): RelayedMessage {
  const octets = relayed.octets.slice();
  const view = new DataView(octets.buffer);
  for (const at of relayed.ttlsAt) view.setUint32(at, ttlSeconds);
  return { ...relayed, octets };
}
