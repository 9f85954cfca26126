// robustness.test.ts -- whatever comes in, a reply in order or none (hardening: one strict parser, no exceptions)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { formatRcode, RCODE } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import type { NameServer } from '../support/name-server.ts';
import { CORPUS_NAMES, damagedQuery, keptCrashes, openCorpusServer, soundQuery } from '../support/query-corpus.ts';
import { octets } from '../support/wire.ts';

const ROUNDS = 50_000;

class Malformed extends Error {}

function need(condition: boolean): void {
  if (!condition) throw new Malformed();
}

/** Is this a query in order? Said anew here, in the plainest way, so that the code under test is not its own judge. */
function isInOrder(query: Buffer, isStream: boolean): boolean {
  try {
    judge(query, isStream);
    return true;
  } catch (error) {
    if (error instanceof Malformed || error instanceof RangeError) return false;
    throw error;
  }
}

function judge(query: Buffer, isStream: boolean): void {
  const count = (index: number) => query.readUInt16BE(4 + index * 2);
  need(((query[2]! >> 3) & 15) === 0 && count(0) <= 1 && count(1) === 0);
  let at = 12;
  let type = 0;
  if (count(0) === 1) {
    at = nameEnd(query, at, false);
    type = query.readUInt16BE(at);
    query.readUInt16BE(at + 2);
    at += 4;
  }
  const options = new Map<number, number>();
  need(![41, 128, 250].includes(type));
  need(count(2) === 0 || (type === 251 && count(2) === 1));
  need(count(3) <= 8);
  let opts = 0;
  for (let i = 0; i < count(2) + count(3); i++) {
    const start = at;
    at = nameEnd(query, at, true);
    const recordType = query.readUInt16BE(at);
    const end = at + 10 + query.readUInt16BE(at + 8);
    need(end <= query.length);
    if (recordType === 250) {
      need(i === count(2) + count(3) - 1 && i >= count(2));
      judgeSignature(query.subarray(0, end), at + 2);
    }
    if (recordType === 41) {
      need(i >= count(2) && isRoot(query, start) && ++opts === 1);
      for (let option = at + 10; option < end; ) {
        need(option + 4 <= end);
        const code = query.readUInt16BE(option);
        if (!options.has(code)) options.set(code, query.readUInt16BE(option + 2));
        option += 4 + query.readUInt16BE(option + 2);
        need(option <= end);
      }
    }
    at = end;
  }
  need(at === query.length);
  const cookie = options.get(10);
  need(cookie === undefined ? count(0) === 1 : cookie === 8 || (cookie >= 16 && cookie <= 40));
  need(!isStream || (options.get(11) ?? 0) === 0);
}

/** A TSIG record from its class on, with which `query` ends. */
function judgeSignature(query: Buffer, at: number): void {
  need(query.readUInt16BE(at) === 255 && query.readUInt32BE(at + 2) === 0);
  const macAt = nameEnd(query, at + 8, false) + 8;
  const otherAt = macAt + 2 + query.readUInt16BE(macAt) + 4;
  need(otherAt + 2 + query.readUInt16BE(otherAt) === query.length);
}

/** Where the name that begins here ends; 255 octets at most, pointers only to something in front. */
function nameEnd(query: Buffer, start: number, pointers: boolean): number {
  let end = -1;
  let length = 1;
  let floor = start;
  for (let at = start; ; ) {
    const octet = query.readUInt8(at);
    if (octet === 0) return end < 0 ? at + 1 : end;
    if (octet >= 0xc0) {
      need(pointers);
      if (end < 0) end = at + 2;
      at = query.readUInt16BE(at) & 0x3fff;
      need(at < floor);
      floor = at;
      continue;
    }
    need(octet < 64);
    length += octet + 1;
    need(length <= 255);
    at += octet + 1;
  }
}

function isRoot(query: Buffer, start: number): boolean {
  let at = start;
  while (query.readUInt8(at) >= 0xc0) at = query.readUInt16BE(at) & 0x3fff;
  return query.readUInt8(at) === 0;
}

/** Checks the reply to one query; its rcode, or why there is none. */
function check(server: NameServer, query: Uint8Array): string {
  const transport = query.length % 3 === 0 ? 'tcp' : 'udp';
  const reply = server.respond(query, transport);
  const isDropped = query.length < 12 || (query[2]! & 0x80) !== 0;
  assert.equal(reply === undefined, isDropped, 'dropped exactly when short or a response');
  if (reply === undefined) return 'dropped';
  const message = decodeMessage(reply);
  assert.equal(message.id, (query[0]! << 8) | query[1]!);
  assert.equal(message.flags >> 15, 1);
  assert.equal(message.opcode, (query[2]! >> 3) & 15);
  if (transport === 'udp') assert.ok(reply.length <= 1232);
  const rcode = formatRcode(message.rcode);
  const inOrder = isInOrder(Buffer.from(query), transport === 'tcp');
  if (['NOERROR', 'NXDOMAIN', 'REFUSED'].includes(rcode)) assert.ok(inOrder, `${rcode} for what is not in order`);
  if (message.opcode !== 0) assert.ok(['NOTIMP', 'FORMERR', 'BADVERS'].includes(rcode), rcode);
  if (rcode === 'FORMERR') assert.ok(!inOrder || message.opcode !== 0, 'FORMERR for a query in order');
  assert.notEqual(rcode, 'SERVFAIL');
  return rcode;
}

describe('the one door', () => {
  it(`takes ${ROUNDS} damaged queries`, async () => {
    const server = await openCorpusServer();
    const random = seededRandom(8906);
    const seen = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const query = damagedQuery(random);
      try {
        const rcode = check(server, query);
        seen.set(rcode, (seen.get(rcode) ?? 0) + 1);
      } catch (error) {
        throw new Error(`round ${round}: ${Buffer.from(query).toString('hex')}`, { cause: error });
      }
    }
    assert.deepEqual(server.failures, []);
    for (const kind of ['dropped', 'NOERROR', 'NXDOMAIN', 'REFUSED', 'FORMERR', 'NOTIMP', 'BADVERS', 'NOTAUTH']) {
      assert.ok((seen.get(kind) ?? 0) > 100, `${kind}: ${seen.get(kind)}`);
    }
  });

  it('takes what once went wrong', async () => {
    const server = await openCorpusServer();
    for (const [file, message] of keptCrashes()) {
      const query = new Uint8Array(message);
      if (query.length > 2) query[2] = query[2]! & 0x7f;
      for (const each of [message, query]) {
        assert.doesNotThrow(() => check(server, each), file);
      }
    }
    assert.deepEqual(server.failures, []);
  });

  it('takes any first octets and any length', async () => {
    const server = await openCorpusServer();
    const random = seededRandom(1);
    for (let length = 0; length <= 600; length++) {
      for (const fill of [0, 0xff, 0xc0, 0x3f, undefined]) {
        check(
          server,
          Uint8Array.from({ length }, () => fill ?? random.below(256)),
        );
      }
    }
    const long = octets('1234 0100 0001 0000 0000 ffff', CORPUS_NAMES[1], '0001 0001', new Uint8Array(65_000));
    for (const query of [new Uint8Array(65_535), long, long.subarray(0, 4096)]) {
      assert.equal(server.respond(query, 'udp'), undefined, 'no query over UDP is as long as that');
      assert.equal(server.respond(query, 'tcp')![3]! & 0xf, RCODE.FORMERR);
    }
    assert.ok(server.respond(long.subarray(0, 4095), 'udp'));
    assert.deepEqual(server.failures, []);
  });

  it('judges its samples right: none of them is damaged', () => {
    const random = seededRandom(2);
    for (let i = 0; i < 500; i++) {
      const query = soundQuery(random);
      const isTypeOpt = Buffer.from(query).includes('00290001', 'hex');
      if (!isTypeOpt) assert.ok(isInOrder(Buffer.from(query), true), Buffer.from(query).toString('hex'));
    }
  });

  it('turns a failure inside into SERVFAIL with the id, and says so', async () => {
    const server = await openCorpusServer();
    const broken = new Error('broken');
    server.handler.view.zoneOf = () => {
      throw broken;
    };
    const reply = decodeMessage(server.respond(octets('abcd 0100 0001 0000 0000 0000', CORPUS_NAMES[1], '0001 0001'))!);
    assert.deepEqual([reply.id, formatRcode(reply.rcode), reply.flags & 0x100], [0xabcd, 'SERVFAIL', 0x100]);
    assert.deepEqual(server.failures, [broken]);
  });
});
