// fuzz.test.ts -- 200,000 mutated messages, mutated texts, and every message that once went wrong
//
// Seeded, so that a failure repeats: its message is printed as hexadecimal, to be kept as a file in crashes/. Such a
// file says on a line of its own what is expected: `; request=<rcode or none> decode=<ok or refused>`.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts';
import { type Name, nameKey } from '../../src/dns/name.ts';
import { formatRecord, parseRecord } from '../../src/dns/presentation.ts';
import { type Request, readRequest } from '../../src/dns/request.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import { PresentationError } from '../../src/dns/token-cursor.ts';
import { WireError } from '../../src/dns/wire-error.ts';
import { SAMPLE_RDATA, sampleMessages } from '../support/sample-messages.ts';
import { bytes, hexOf } from '../support/wire.ts';

const MESSAGES = 200_000;
const TEXTS = 40_000;
const CORPUS = sampleMessages();

/** Octets that mean something to a parser: lengths, label types, pointers, the first types. */
const TELLING = [0, 1, 2, 12, 29, 41, 63, 64, 127, 128, 191, 192, 193, 250, 255];

function mutate(message: Uint8Array, random: Random): Uint8Array {
  let mutated = message;
  for (let left = 1 + random.below(4); left > 0; left--) mutated = mutateOnce(mutated, random);
  return mutated;
}

function mutateOnce(message: Uint8Array, random: Random): Uint8Array {
  const at = random.below(message.length + 1);
  const length = random.below(24);
  const cut = (from: number, to: number, ...between: Uint8Array[]): Uint8Array =>
    Uint8Array.from([...message.subarray(0, from), ...between.flatMap((each) => [...each]), ...message.subarray(to)]);
  switch (random.below(9)) {
    case 0:
      return cut(at, at + 1, Uint8Array.of((message[at] ?? 0) ^ (1 << random.below(8))));
    case 1:
      return cut(at, at + 1, Uint8Array.of(TELLING[random.below(TELLING.length)]!));
    case 2:
      return cut(at, at + 1, Uint8Array.of(random.below(256)));
    case 3:
      return message.slice(0, at);
    case 4:
      return cut(at, at + length);
    case 5:
      return cut(at, at, message.subarray(at, at + length));
    case 6: {
      const other = CORPUS[random.below(CORPUS.length)]!;
      const from = random.below(other.length);
      return cut(at, at, other.subarray(from, from + length));
    }
    case 7:
      return cut(at, at + 2, Uint8Array.of(0xc0 | (random.below(64) === 0 ? 1 : 0), random.below(256)));
    default: {
      // A count in the header, as counts lie more often than anything else.
      const count = 4 + 2 * random.below(4);
      return cut(count, count + 2, Uint8Array.of(0, random.below(4)));
    }
  }
}

/** Both readers, and everything that follows from reading; throws at the first thing that is not as it should be. */
function exercise(message: Uint8Array): { request: Request | undefined; decoded: Message | undefined } {
  const request = readRequest(message);
  if (request !== undefined) {
    assert.ok(request.questionEnd <= message.length && request.questionEnd >= 12);
    assert.ok(request.rcode === 0 || request.rcode === 1 || request.rcode === 4);
    assert.ok(request.rcode !== 0 || request.question !== undefined);
  }
  let decoded: Message | undefined;
  try {
    decoded = decodeMessage(message);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    assert.equal(thrown.rcode, 1);
  }
  if (decoded !== undefined) checkDecoded(decoded);
  return { request, decoded };
}

function checkDecoded(decoded: Message): void {
  const wire = encodeMessage(decoded);
  const again = decodeMessage(wire);
  assert.deepEqual(folded(again), folded(decoded));
  assert.equal(hexOf(encodeMessage(again)), hexOf(wire));
  for (const record of [...decoded.answers, ...decoded.authorities, ...decoded.additionals]) checkText(record);
}

/** A pointer takes the case of what it points to: that much may change when a message is written again. */
function folded(message: Message): unknown {
  const fold = (record: ResourceRecord): unknown => ({
    ...record,
    name: nameKey(record.name),
    rdata: COMPRESSED.has(record.type) ? nameKey(record.rdata as Name) : hexOf(record.rdata),
  });
  return {
    ...message,
    questions: message.questions.map((question) => ({ ...question, name: nameKey(question.name) })),
    answers: message.answers.map(fold),
    authorities: message.authorities.map(fold),
    additionals: message.additionals.map(fold),
  };
}

const COMPRESSED: ReadonlySet<number> = new Set([TYPE.NS, TYPE.CNAME, TYPE.PTR, TYPE.SOA, TYPE.MX]);

function checkText(record: ResourceRecord): void {
  const text = formatRecord(record);
  assert.match(text, /^[\x20-\x7e]+$/);
  // Behind an owner, ANY is a type.
  if (record.class === 255) return;
  try {
    assert.deepEqual(parseRecord(text), record);
  } catch (thrown) {
    // Parameters that contradict each other: to be refused in a zone file, to be ignored by a client.
    if (!(thrown instanceof PresentationError && /mandatory|no-default-alpn/.test(thrown.message))) throw thrown;
  }
}

describe('mutated messages', () => {
  it(`${MESSAGES} of them end in a request, a message or a WireError`, { timeout: 120_000 }, () => {
    const random = seededRandom(20260101);
    const seen = { noReply: 0, answerable: 0, refused: 0, decoded: 0 };
    for (let i = 0; i < MESSAGES; i++) {
      const message = mutate(CORPUS[i % CORPUS.length]!, random);
      try {
        const { request, decoded } = exercise(message);
        if (request === undefined) seen.noReply++;
        else if (request.rcode === 0) seen.answerable++;
        else seen.refused++;
        if (decoded !== undefined) seen.decoded++;
      } catch (thrown) {
        throw new Error(`message ${i}, ${hexOf(message)}: ${(thrown as Error).stack}`);
      }
    }
    // Mutation that only ever gave garbage would have tested nothing behind the first check.
    for (const [outcome, count] of Object.entries(seen)) assert.ok(count > MESSAGES / 100, `${outcome}: ${count}`);
  });

  it('random octets behind a sound header do too', () => {
    const random = seededRandom(7);
    for (let i = 0; i < 20_000; i++) {
      const message = Uint8Array.from({ length: 12 + random.below(80) }, () =>
        random.below(2) === 0 ? TELLING[random.below(TELLING.length)]! : random.below(256),
      );
      message.set([0, 1, random.below(2) * 0x80, 0, 0, random.below(2), 0, random.below(3), 0, 0, 0, random.below(3)]);
      exercise(message);
    }
  });
});

describe('mutated texts', () => {
  it(`${TEXTS} of them end in a record or a PresentationError`, { timeout: 120_000 }, () => {
    const random = seededRandom(20260102);
    const telling = [
      ...'\\"();=@.,-$#\t \r\n0129azAZ',
      '\u00a0',
      '\f',
      '\0',
      'é',
      '\ud834',
      '\\#',
      '\\000',
      '65536',
      '::',
    ];
    let taken = 0;
    for (let i = 0; i < TEXTS; i++) {
      let text = `a.service.local. 5 IN ${SAMPLE_RDATA[i % SAMPLE_RDATA.length]!}`;
      for (let left = 1 + random.below(3); left > 0; left--) {
        const at = random.below(text.length + 1);
        const piece = random.below(4) === 0 ? '' : telling[random.below(telling.length)]!;
        text = text.slice(0, at) + piece + text.slice(at + random.below(3));
      }
      try {
        checkText(parseRecord(text));
        taken++;
      } catch (thrown) {
        if (!(thrown instanceof PresentationError))
          throw new Error(`${JSON.stringify(text)}: ${(thrown as Error).stack}`);
        assert.ok(thrown.line >= 1 && thrown.column >= 1);
        assert.match(thrown.message, /^[\x20-\x7e]+$/);
      }
    }
    assert.ok(taken > TEXTS / 20 && taken < TEXTS * 0.9, `${taken} taken`);
  });
});

describe('what once went wrong, here or elsewhere', () => {
  const folder = new URL('crashes/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.hex'));
  it('is kept', () => assert.ok(files.length >= 20));
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    it(file, () => {
      const expected = /^; request=(\S+) decode=(\S+)$/m.exec(text);
      assert.ok(expected !== null, 'says what is expected');
      const { request, decoded } = exercise(bytes(text));
      assert.deepEqual([String(request?.rcode ?? 'none'), decoded === undefined ? 'refused' : 'ok'], expected.slice(1));
    });
  }
});
