// rfc-1035.test.ts -- messages and limits (RFC 1035 sections 2.3.4, 4.1, 4.2)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';
import { bytes, octets } from '../support/wire.ts';

const LABEL_63 = 'a'.repeat(63);
// 3 x 64 + 49 + 14 = 255 octets: as long as a name may be.
const LONGEST = `${LABEL_63}.${LABEL_63}.${LABEL_63}.${'b'.repeat(48)}.example.test.`;

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
${LABEL_63} A 192.0.2.2
${LONGEST} A 192.0.2.3
many TXT ${Array.from({ length: 10 }, (_, i) => `"${String(i).repeat(100)}"`).join(' ')}
`;

const QUESTION = '02 6e73 07 6578616d706c65 04 74657374 00 0001 0001'; // ns.example.test. A
const WITH_QUESTION = octets('1234 0100 0001 0000 0000 0000', QUESTION);

describe('RFC 1035', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE], domains: [] });
  });

  it('takes labels of 63 octets and names of 255 (2.3.4)', () => {
    expectReply(server.ask(`${LABEL_63}.example.test. A`), { answer: `${LABEL_63}.example.test. 300 IN A 192.0.2.2` });
    expectReply(server.ask(`${LONGEST} A`), { answer: `${LONGEST} 300 IN A 192.0.2.3` });
  });

  const tooLong = [63, 63, 63, 62].map((length) => octets(length, 'aa'.repeat(length)));
  const formErrors: readonly (readonly [what: string, question: Uint8Array])[] = [
    ['a name of 257 octets', octets(...tooLong, '00 0001 0001')],
    ['a label of 64 octets', octets(64, 'aa'.repeat(64), '00 0001 0001')],
    ['label type 10', octets(0x80, 0, '00 0001 0001')],
    ['a pointer in the question', bytes('c00c 0001 0001')],
    ['a pointer to itself behind a label', bytes('0161 c00e 0001 0001')],
    ['a pointer past the end', bytes('c0ff 0001 0001')],
    ['a name without end', bytes('03 616263')],
    ['no question', new Uint8Array(0)],
    ['a question without class', bytes('0161 00 0001')],
    ['a question without type', bytes('0161 00')],
    ['octets behind the message', bytes(`${QUESTION} 00`)],
  ];
  for (const [what, question] of formErrors) {
    it(`answers FORMERR with the id to ${what}`, () => {
      const reply = decodeMessage(server.respond(octets('beef 0100 0001 0000 0000 0000', question))!);
      expectReply(reply, { rcode: 'FORMERR', flags: 'rd', answer: '', authority: '', additional: '' });
      assert.equal(reply.id, 0xbeef);
    });
  }

  it('says nothing to what is shorter than a header', () => {
    for (let length = 0; length < 12; length++)
      assert.equal(server.respond(WITH_QUESTION.subarray(0, length)), undefined);
    assert.ok(server.respond(WITH_QUESTION.subarray(0, 12)));
  });

  it('says nothing to a response, whatever else is in it', () => {
    for (const flags of ['8100', '8180', '8583', 'a000', 'f800', 'ffff']) {
      assert.equal(server.respond(octets('1234', flags, '0001 0000 0000 0000', QUESTION)), undefined, flags);
      assert.equal(server.respond(octets('1234', flags, '0000 0000 0000 0000')), undefined, flags);
    }
  });

  it('keeps to 512 octets over UDP, marks what was cut, and is whole over TCP (4.2.1, 4.2.2)', () => {
    const query = encodeMessage(queryMessage(1, parseQuestion('many.example.test. TXT')));
    const udp = server.respond(query, 'udp')!;
    assert.ok(udp.length <= 512, `${udp.length}`);
    expectReply(decodeMessage(udp), { rcode: 'NOERROR', flags: 'aa tc rd' });
    const tcp = server.respond(query, 'tcp')!;
    assert.ok(tcp.length > 1000);
    expectReply(decodeMessage(tcp), { rcode: 'NOERROR', flags: 'aa rd' });
    assert.equal(decodeMessage(tcp).answers.length, 1);
  });

  it('compresses names in answers (4.1.4)', () => {
    const reply = server.respond(WITH_QUESTION)!;
    assert.equal(reply.length, WITH_QUESTION.length + 16, 'the owner is a pointer');
  });

  it('answers opcodes that it does not know with NOTIMP, the opcode kept', () => {
    for (let opcode = 1; opcode < 16; opcode++) {
      const flags = Uint8Array.of((opcode << 3) | 1, 0);
      const reply = decodeMessage(server.respond(octets('1234', flags, '0001 0000 0000 0000', QUESTION))!);
      assert.equal(reply.opcode, opcode);
      expectReply(reply, { rcode: 'NOTIMP', flags: 'rd', answer: '', authority: '' });
    }
  });

  it('refuses classes that it has nothing for', () => {
    for (const other of ['CH', 'HS', 'NONE', 'ANY', 'CLASS77']) {
      expectReply(server.ask(`ns.example.test. ${other} A`), { rcode: 'REFUSED', flags: 'rd', answer: '' });
    }
  });
});
