// request.ts -- what a server needs of a query: header, question, EDNS, and the rcode when it is not in order
//
// The checks are those an authoritative server owes (RFC 8906, RFC 9619): nothing here throws, and a query that is
// wrong still yields what is needed to answer it.

import { EDNS_OPTION, OPCODE, RCODE, TYPE } from './codes.ts';
import { type Edns, readOpt } from './edns.ts';
import { FLAG, HEADER_LENGTH, opcodeOf } from './header.ts';
import type { Question } from './message.ts';
import { readTsig, type Tsig } from './tsig.ts';
import { WireError } from './wire-error.ts';
import { formErr, WireReader } from './wire-reader.ts';

/** A query taken apart. */
export interface Request {
  readonly id: number;
  readonly flags: number;
  readonly opcode: number;
  /** Undefined in a query that is in order: it has a cookie, and asks for nothing else (RFC 7873 section 5.4). */
  readonly question: Question | undefined;
  /** Where the question ends, so that a reply may copy it as it came. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
  readonly tsig: Tsig | undefined;
  /**
   * NOERROR when the query may be answered, as far as its form goes; otherwise what to answer instead. Whether the EDNS
   * version is one we speak (BADVERS) is left to the caller.
   */
  readonly rcode: number;
}

/** More additional records than any query has reason to carry: OPT, TSIG, and room for what comes. */
const MAX_ADDITIONAL = 8;

/** Read a query; undefined when it deserves no reply at all (no whole header, or a response). */
export function readRequest(bytes: Uint8Array): Request | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const flags = (bytes[2]! << 8) | bytes[3]!;
  // Never answer an answer: two servers would keep each other busy for ever (CVE-2024-2169).
  if ((flags & FLAG.QR) !== 0) return undefined;
  const request = {
    id: (bytes[0]! << 8) | bytes[1]!,
    flags,
    opcode: opcodeOf(flags),
    question: undefined as Question | undefined,
    questionEnd: HEADER_LENGTH,
    edns: undefined as Edns | undefined,
    tsig: undefined as Tsig | undefined,
    rcode: RCODE.NOERROR as number,
  };
  try {
    readBody(new WireReader(bytes, HEADER_LENGTH), request);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    request.rcode = thrown.rcode;
  }
  return request;
}

type Draft = { -readonly [Key in keyof Request]: Request[Key] };

function readBody(reader: WireReader, request: Draft): void {
  const { bytes } = reader;
  const count = (index: number): number => (bytes[4 + index * 2]! << 8) | bytes[5 + index * 2]!;
  if (request.opcode !== OPCODE.QUERY) {
    // The sections of other opcodes have other meanings; only the question is echoed, when there is one, and EDNS.
    if (count(0) === 1) takeQuestion(reader, request);
    if (count(0) <= 1) findEdns(reader, request, count(1) + count(2), count(3));
    throw new WireError(RCODE.NOTIMP, 'opcode is not implemented');
  }
  // RFC 9619: exactly one question, or none for who asks for a cookie only.
  if (count(0) > 1) throw formErr('QDCOUNT is above 1');
  if (count(0) === 1) takeQuestion(reader, request);
  if (count(1) !== 0) throw formErr('a query has no answers');
  // IXFR states what the client has in the authority section (RFC 1995 section 3).
  const authorities = count(2);
  if (authorities > (request.question?.type === TYPE.IXFR ? 1 : 0)) throw formErr('a query has no authorities');
  if (count(3) > MAX_ADDITIONAL) throw formErr('too many additional records');
  skipRecords(reader, authorities, undefined);
  skipRecords(reader, count(3), request);
  if (reader.remaining > 0) throw formErr('octets behind the message');
  if (request.question === undefined && !hasCookie(request)) throw formErr('no question');
}

/** RFC 7873 section 5.4. What the options of another version mean is not known, but that is said with BADVERS. */
function hasCookie({ edns }: Draft): boolean {
  return edns?.options.some(({ code }) => code === EDNS_OPTION.COOKIE) ?? false;
}

function takeQuestion(reader: WireReader, request: Draft): void {
  // There is nothing in front of the question that a pointer could lead to but the header.
  const name = reader.name(false);
  request.question = { name, type: reader.u16(), class: reader.u16() };
  request.questionEnd = reader.offset;
}

/** Whoever sent an OPT record gets one (RFC 6891 section 6.1.1), as far as the records can be read at all. */
function findEdns(reader: WireReader, request: Draft, before: number, additionals: number): void {
  try {
    skipRecords(reader, before, undefined);
    skipRecords(reader, additionals, request);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
  }
}

function skipRecords(reader: WireReader, count: number, request: Draft | undefined): void {
  for (let i = 0; i < count; i++) {
    const name = reader.name();
    const type = reader.u16();
    if (type === TYPE.OPT) {
      if (request === undefined || request.edns !== undefined || name.length !== 1)
        throw formErr('second or misplaced OPT record');
      request.edns = readOpt(reader);
      continue;
    }
    // A transaction signature must be the last record (RFC 8945 section 5.1).
    if (type === TYPE.TSIG) {
      if (request === undefined || i !== count - 1) throw formErr('misplaced TSIG record');
      request.tsig = readTsig(reader, name);
      continue;
    }
    reader.u16();
    reader.u32();
    reader.octets(reader.u16());
  }
}
