// message.ts -- whole messages, for everything that is not the answer path: clients, transfers, tests
//
// Reading is strict: every count must be met, every record must fit, nothing may follow.

import { TYPE } from './codes.ts';
import { type Edns, readOpt, writeOpt } from './edns.ts';
import { FLAG, HEADER_LENGTH, opcodeOf, rcodeOf } from './header.ts';
import type { Name } from './name.ts';
import { readRdata, writeRdata } from './rdata/rdata.ts';
import { MAX_TTL_SECONDS, type ResourceRecord } from './rrset.ts';
import { formErr, WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** An entry of the question section. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** A message taken apart. The OPT record is in `edns` only, and its upper rcode bits are part of `rcode`. */
export interface Message {
  readonly id: number;
  /** The flags word; opcode and rcode in it are those of the fields below. */
  readonly flags: number;
  readonly opcode: number;
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

/** Read a message. Throws WireError(FORMERR). */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new WireReader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  // RFC 9619 section 3; no other opcode has use for more either.
  if (counts[0] > 1) throw formErr('QDCOUNT is above 1');
  const questions: Question[] = [];
  for (let i = 0; i < counts[0]; i++) questions.push(readQuestion(reader));
  const answers = readRecords(reader, counts[1]);
  const authorities = readRecords(reader, counts[2]);
  const found: { edns?: Edns } = {};
  const additionals = readRecords(reader, counts[3], found);
  if (reader.remaining > 0) throw formErr(`${reader.remaining} octets behind the message`);
  const rcode = rcodeOf(flags) | ((found.edns?.extendedRcode ?? 0) << 4);
  return { id, flags, opcode: opcodeOf(flags), rcode, questions, answers, authorities, additionals, edns: found.edns };
}

/** Read one question. Throws WireError. */
function readQuestion(reader: WireReader): Question {
  return { name: reader.name(), type: reader.u16(), class: reader.u16() };
}

function readRecords(reader: WireReader, count: number, found?: { edns?: Edns }): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i++) {
    const name = reader.name();
    const type = reader.u16();
    if (type !== TYPE.OPT) {
      records.push(readRecordTail(reader, name, type));
      continue;
    }
    if (found === undefined || found.edns !== undefined || name.length !== 1) throw formErr('misplaced OPT record');
    found.edns = readOpt(reader);
  }
  return records;
}

function readRecordTail(reader: WireReader, name: Name, type: number): ResourceRecord {
  const recordClass = reader.u16();
  const ttl = reader.u32();
  const rdata = readRdata(reader, type, reader.u16());
  // A TTL with the top bit set counts as zero (RFC 2181 section 8).
  return { name, type, class: recordClass, ttlSeconds: ttl > MAX_TTL_SECONDS ? 0 : ttl, rdata };
}

/** Write a message. Throws a RangeError above 65,535 octets, and for an rcode above 15 without EDNS to carry it. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new WireWriter(new Uint8Array(65535));
  const { questions, answers, authorities, additionals, edns } = message;
  if (edns === undefined && message.rcode > 15) throw new RangeError(`rcode ${message.rcode} needs EDNS`);
  writer.u16(message.id);
  writer.u16((message.flags & ~0x780f) | (message.opcode << 11) | (message.rcode & 0xf));
  writer.u16(questions.length);
  writer.u16(answers.length);
  writer.u16(authorities.length);
  writer.u16(additionals.length + (edns === undefined ? 0 : 1));
  for (const question of questions) {
    writer.name(question.name, true);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  for (const record of [...answers, ...authorities]) writeRecord(writer, record);
  // In front of the others: a TSIG must be the last record (RFC 8945 section 5.1).
  if (edns !== undefined) writeOpt(writer, { ...edns, extendedRcode: message.rcode >> 4 });
  for (const record of additionals) writeRecord(writer, record);
  if (writer.overflowed) throw new RangeError('message of more than 65,535 octets');
  return writer.written().slice();
}

/** Write one record; check `writer.overflowed` afterwards. */
export function writeRecord(writer: WireWriter, record: ResourceRecord): void {
  writer.name(record.name, true);
  writer.u16(record.type);
  writer.u16(record.class);
  writer.u32(record.ttlSeconds);
  writeRdata(writer, record.type, record.rdata);
}

/** A query for one question, as a client sends it. */
export function queryMessage(id: number, question: Question, edns?: Edns, recursionDesired = true): Message {
  return {
    id,
    flags: recursionDesired ? FLAG.RD : 0,
    opcode: 0,
    rcode: 0,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
    edns,
  };
}

/** Is there a whole header? */
export function hasHeader(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_LENGTH;
}
