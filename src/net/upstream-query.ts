// upstream-query.ts -- a question as it goes to an upstream, and whether a message is the reply to it
//
// What an attacker who cannot see the query would have to guess: the id, the port (upstream-udp.ts), and the case of
// every letter of the name (draft-vixie-dnsext-dns0x20).

import { randomBytes, randomInt } from 'node:crypto';
import { EDNS_OPTION } from '../dns/codes.ts';
import { type EdnsOption, OPT_LENGTH, writeOpt } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH, opcodeOf } from '../dns/header.ts';
import { foldOctet, type Name, nameKey } from '../dns/name.ts';
import type { Request } from '../dns/request.ts';
import { WireWriter } from '../dns/wire-writer.ts';

/** What is asked for, and all that a reply depends on. */
export interface ForwardedQuestion {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** DNSSEC OK (RFC 3225). */
  readonly dnssecOk: boolean;
  /** Checking disabled (RFC 4035 section 3.2.2). */
  readonly checkingDisabled: boolean;
}

/** A query as it is sent. */
export interface UpstreamQuery {
  readonly id: number;
  readonly octets: Uint8Array;
  /** Where the question in it ends. */
  readonly questionEnd: number;
}

/** The size that is not fragmented on any usual path (DNS Flag Day 2020). */
const UDP_SIZE = 1232;
/** RFC 8467 section 4.1. */
const PADDING_BLOCK = 128;
const OPTION_HEAD_LENGTH = 4;
const MAX_QUERY_LENGTH = 512;

/** The question of a query, or the same about `target`. */
export function questionOf({ question, edns, flags }: Request, target: Name | undefined): ForwardedQuestion {
  const { name: own, type, class: questionClass } = question!;
  const name = target ?? own;
  const checkingDisabled = (flags & FLAG.CD) !== 0;
  return { name, type, class: questionClass, dnssecOk: edns?.dnssecOk === true, checkingDisabled };
}

/** Equal for questions that have the same reply. */
export function keyOf({ name, type, class: questionClass, dnssecOk, checkingDisabled }: ForwardedQuestion): string {
  const bits = (dnssecOk ? 1 : 0) | (checkingDisabled ? 2 : 0);
  return `${nameKey(name)} ${type} ${questionClass} ${bits}`;
}

/** A query with an id of its own; over TLS it is padded. AD is set: we understand the bit (RFC 6840 section 5.7). */
export function makeUpstreamQuery(question: ForwardedQuestion, padded = false, id = randomInt(0x10000)): UpstreamQuery {
  const writer = new WireWriter(new Uint8Array(MAX_QUERY_LENGTH));
  writer.u16(id);
  writer.u16(FLAG.RD | FLAG.AD | (question.checkingDisabled ? FLAG.CD : 0));
  for (const count of [1, 0, 0, 1]) writer.u16(count);
  writer.octets(mixCase(question.name));
  writer.u16(question.type);
  writer.u16(question.class);
  const questionEnd = writer.offset;
  const options: EdnsOption[] = [];
  if (padded) {
    const rest = (questionEnd + OPT_LENGTH + OPTION_HEAD_LENGTH) % PADDING_BLOCK;
    const data = new Uint8Array((PADDING_BLOCK - rest) % PADDING_BLOCK);
    options.push({ code: EDNS_OPTION.PADDING, data });
  }
  writeOpt(writer, { udpSize: UDP_SIZE, extendedRcode: 0, version: 0, dnssecOk: question.dnssecOk, options });
  return { id, octets: writer.written(), questionEnd };
}

/** The name with every letter in either case, by chance. Lengths of labels are no letters. */
function mixCase(name: Name): Uint8Array {
  const mixed = Uint8Array.from(name);
  const bits = randomBytes(Math.ceil(mixed.length / 8));
  for (let i = 0; i < mixed.length; i++) {
    const folded = foldOctet(mixed[i]!);
    if (folded < 0x61 || folded > 0x7a) continue;
    mixed[i] = (bits[i >> 3]! >> (i & 7)) & 1 ? folded - 0x20 : folded;
  }
  return mixed;
}

/** Equal for a query and itself when it comes back to us: id and question, letter by letter. */
export function markOf(octets: Uint8Array, questionEnd: number): string {
  const latin1 = Buffer.from(octets.buffer, octets.byteOffset, questionEnd).toString('latin1');
  return latin1.slice(0, 2) + latin1.slice(HEADER_LENGTH);
}

/** How a message compares to a query: its reply, the same but for the case of letters, or something else. */
export type Match = 'same' | 'other case' | 'wrong';

export function matchReply(query: UpstreamQuery, message: Uint8Array): Match {
  const { octets, questionEnd, id } = query;
  if (message.length < questionEnd || ((message[0]! << 8) | message[1]!) !== id) return 'wrong';
  const flags = (message[2]! << 8) | message[3]!;
  if ((flags & FLAG.QR) === 0 || opcodeOf(flags) !== 0 || message[4] !== 0 || message[5] !== 1) return 'wrong';
  let match: Match = 'same';
  for (let i = HEADER_LENGTH; i < questionEnd; i++) {
    if (octets[i] === message[i]) continue;
    // Type and class are the last four octets; there is no case in numbers.
    if (i >= questionEnd - 4 || foldOctet(octets[i]!) !== foldOctet(message[i]!)) return 'wrong';
    match = 'other case';
  }
  return match;
}
