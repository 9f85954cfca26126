// transfer.ts -- a zone as the messages of a transfer (AXFR, RFC 5936)

import { CLASS } from '../dns/codes.ts';
import { OPT_LENGTH, writeOpt } from '../dns/edns.ts';
import { FLAG, HEADER_LENGTH } from '../dns/header.ts';
import type { Name } from '../dns/name.ts';
import type { Request } from '../dns/request.ts';
import type { RRset } from '../dns/rrset.ts';
import { WireWriter } from '../dns/wire-writer.ts';

/** A message is sent when it has so many octets: some hundred records, and no more work at once than that. */
const ENOUGH_OCTETS = 16_384;
const MAX_MESSAGE_OCTETS = 65_535;
/** To the apex, which is in the question of every message. */
const APEX_POINTER = 0xc000 | HEADER_LENGTH;

/**
 * The messages that answer `request` with a zone: its SOA, the `contents`, and its SOA again (section 2.2). Each may be
 * used until the next is asked for; undefined stands for a pause, in which others should go on.
 */
export function* transferMessages(
  request: Request,
  query: Uint8Array,
  soa: RRset,
  contents: Iterable<RRset | undefined>,
  udpSize: number,
): Generator<Uint8Array | undefined, void> {
  const message = new TransferMessage(request, query);
  message.begin(request.edns === undefined ? 0 : OPT_LENGTH);
  message.add(soa, soa.rdatas[0]!);
  for (const set of contents) {
    if (set === undefined) {
      yield undefined;
      continue;
    }
    for (const rdata of set.rdatas) {
      if (message.hasRoomFor(set, rdata)) message.add(set, rdata);
      else {
        yield message.finish(udpSize);
        message.begin(0);
        message.add(set, rdata);
      }
    }
  }
  if (!message.hasRoomFor(soa, soa.rdatas[0]!)) {
    yield message.finish(udpSize);
    message.begin(0);
  }
  message.add(soa, soa.rdatas[0]!);
  yield message.finish(udpSize);
}

/** One message after the other in one buffer. */
class TransferMessage {
  readonly #request: Request;
  readonly #question: Uint8Array;
  readonly #apex: Name;
  readonly #writer = new WireWriter(new Uint8Array(MAX_MESSAGE_OCTETS));
  #optLength = 0;
  #answers = 0;

  constructor(request: Request, query: Uint8Array) {
    this.#request = request;
    this.#apex = request.question!.name;
    this.#question = query.slice(HEADER_LENGTH, request.questionEnd);
  }

  /** `optLength`: what is to be kept free for an OPT record; the first message has it (section 2.2.5). */
  begin(optLength: number): void {
    this.#optLength = optLength;
    this.#answers = 0;
    const writer = this.#writer;
    writer.offset = HEADER_LENGTH;
    writer.octets(this.#question);
  }

  hasRoomFor(set: RRset, rdata: Uint8Array): boolean {
    if (this.#answers === 0) return true;
    const length = set.name.length + 10 + rdata.length;
    const { offset } = this.#writer;
    return offset < ENOUGH_OCTETS && offset + length + this.#optLength <= MAX_MESSAGE_OCTETS;
  }

  add(set: RRset, rdata: Uint8Array): void {
    const writer = this.#writer;
    // Compressed only as far as the apex goes: looking for more would cost more than it saves.
    const own = set.name.length - this.#apex.length;
    writer.octets(set.name.subarray(0, own));
    writer.u16(APEX_POINTER);
    writer.u16(set.type);
    writer.u16(CLASS.IN);
    writer.u32(set.ttlSeconds);
    writer.u16(rdata.length);
    writer.octets(rdata);
    this.#answers++;
  }

  finish(udpSize: number): Uint8Array {
    const writer = this.#writer;
    const { id, edns, flags } = this.#request;
    if (this.#optLength > 0) {
      writeOpt(writer, { udpSize, extendedRcode: 0, version: 0, dnssecOk: edns!.dnssecOk, options: [] });
    }
    const words = [id, FLAG.QR | FLAG.AA | (flags & FLAG.RD), 1, this.#answers, 0, this.#optLength > 0 ? 1 : 0];
    for (const [i, word] of words.entries()) writer.patchU16(i * 2, word);
    return writer.bytes.subarray(0, writer.offset);
  }
}
