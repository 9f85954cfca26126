// message.test.ts -- whole messages, both ways

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { opcodeOf, rcodeOf } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, hasHeader, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { readRequest } from '../../src/dns/request.ts';
import { WireError } from '../../src/dns/wire-error.ts';
import { bytes, hexOf, octets, records } from '../support/wire.ts';

const QUESTION = { name: parseName('www.example.'), type: 1, class: 1 };
const EDNS = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
const WIRE_QUESTION = '03777777076578616d706c6500 0001 0001';

describe('encoding', () => {
  it('a query', () => {
    assert.equal(
      hexOf(encodeMessage(queryMessage(0xbeef, QUESTION))),
      'beef01000001000000000000 03777777076578616d706c65000001 0001'.replaceAll(' ', ''),
    );
    assert.equal(hexOf(encodeMessage(queryMessage(1, QUESTION, EDNS, false))).slice(0, 24), '000100000001000000000001');
  });

  it('a response, names compressed, in the case of the question', () => {
    const message: Message = {
      ...queryMessage(1, { ...QUESTION, name: parseName('WwW.example.') }),
      flags: 0x8580,
      answers: records('www.example. 60 IN CNAME cdn.example.\ncdn.example. 5 IN A 10.0.0.1'),
    };
    assert.equal(
      hexOf(encodeMessage(message)),
      '0001 8580 0001 0002 0000 0000 03577757076578616d706c6500 0001 0001 c00c 0005 0001 0000003c 0006 0363646ec010 c029 0001 0001 00000005 0004 0a000001'.replaceAll(
        ' ',
        '',
      ),
    );
  });

  it('puts opcode and rcode in their places, whatever the flags say', () => {
    const message: Message = { ...queryMessage(1, QUESTION, EDNS), flags: 0xffff, opcode: 5, rcode: 0xabc };
    const decoded = decodeMessage(encodeMessage(message));
    assert.deepEqual([decoded.opcode, decoded.rcode, decoded.edns!.extendedRcode], [5, 0xabc, 0xab]);
    assert.deepEqual([opcodeOf(decoded.flags), rcodeOf(decoded.flags), decoded.flags & 0x87f0], [5, 0xc, 0x87f0]);
  });

  it('refuses an rcode that needs EDNS without it', () => {
    assert.throws(() => encodeMessage({ ...queryMessage(1, QUESTION), rcode: 16 }), RangeError);
  });

  it('leaves a TSIG last, where it has to be', () => {
    const data = '00000000000001012C0002ABCD000100000000';
    const [tsig] = records(`key. 0 CLASS255 TYPE250 \\# 19 ${data}`);
    const wire = encodeMessage({ ...queryMessage(1, QUESTION, EDNS), additionals: [tsig!] });
    assert.equal(readRequest(wire)!.rcode, 0);
    assert.deepEqual(decodeMessage(wire).additionals.map(formatRecord), [`key. 0 ANY TSIG \\# 19 ${data}`]);
  });

  it('refuses more than 65,535 octets', () => {
    const big = records(`a. 0 IN TXT ${`"${'x'.repeat(255)}" `.repeat(100)}`)[0]!;
    const two = { ...queryMessage(1, QUESTION), answers: [big, big] };
    assert.ok(encodeMessage(two).length > 51_000);
    assert.throws(() => encodeMessage({ ...two, answers: [big, big, big] }), RangeError);
  });
});

describe('decoding', () => {
  it('what was encoded, every section', () => {
    const message: Message = {
      id: 65535,
      flags: 0x8183,
      opcode: 0,
      rcode: 0x13,
      questions: [QUESTION],
      answers: records('www.example. 60 IN A 1.2.3.4\nwww.example. 60 IN A 1.2.3.5'),
      authorities: records('example. 0 IN SOA ns.example. h.example. 1 2 3 4 5'),
      additionals: records('ns.example. 2147483647 IN AAAA ::1\nx. 1 CH TXT "v"'),
      edns: { ...EDNS, extendedRcode: 1, dnssecOk: true, options: [{ code: 10, data: bytes('0102') }] },
    };
    assert.deepEqual(decodeMessage(encodeMessage(message)), message);
  });

  it('a TTL with the top bit set is zero (RFC 2181 section 8)', () => {
    for (const [ttl, seconds] of [
      ['7fffffff', 2147483647],
      ['80000000', 0],
      ['ffffffff', 0],
    ] as const) {
      const wire = octets('0001 8000 0000 0001 0000 0000 00 0001 0001', ttl, '0004 01020304');
      assert.equal(decodeMessage(wire).answers[0]!.ttlSeconds, seconds);
    }
  });

  it('expands names in RDATA', () => {
    const wire = octets('0001 8000 0001 0001 0000 0000', WIRE_QUESTION, 'c00c 0005 0001 00000000 0005 02 6162 c010');
    assert.equal(formatRecord(decodeMessage(wire).answers[0]!), 'www.example. 0 IN CNAME ab.example.');
    assert.equal(formatName(decodeMessage(wire).questions[0]!.name), 'www.example.');
  });

  const bad: readonly [what: string, wire: Uint8Array][] = [
    ['nothing', bytes('')],
    ['half a header', bytes('0001 8000 0000 0000 0000 00')],
    ['a question that is not there', bytes('0001 8000 0001 0000 0000 0000')],
    ['two questions (RFC 9619)', octets('0001 8000 0002 0000 0000 0000', WIRE_QUESTION, WIRE_QUESTION)],
    ['an answer that is not there', octets('0001 8000 0001 0001 0000 0000', WIRE_QUESTION)],
    ['counts of 65,535', octets('0001 8000 0001 ffff ffff ffff', WIRE_QUESTION)],
    ['octets behind', octets('0001 8000 0001 0000 0000 0000', WIRE_QUESTION, '00')],
    ['RDATA past the end', octets('0001 8000 0000 0001 0000 0000 00 000a 0001 00000000 0001')],
    ['RDATA shorter than its names', octets('0001 8000 0000 0001 0000 0000 00 0002 0001 00000000 0001 0161 00')],
    ['OPT among the answers', octets('0001 8000 0000 0001 0000 0000 00 0029 04d0 00000000 0000')],
    ['OPT among the authorities', octets('0001 8000 0000 0000 0001 0000 00 0029 04d0 00000000 0000')],
    ['OPT twice', octets('0001 8000 0000 0000 0000 0002', '00 0029 04d0 00000000 0000', '00 0029 04d0 00000000 0000')],
    ['OPT not at the root', octets('0001 8000 0000 0000 0000 0001 0161 00 0029 04d0 00000000 0000')],
  ];
  for (const [what, wire] of bad) {
    it(`${what} is FORMERR`, () => {
      assert.throws(
        () => decodeMessage(wire),
        (thrown) => thrown instanceof WireError && thrown.rcode === 1,
      );
    });
  }

  it('knows a whole header', () => {
    assert.deepEqual([hasHeader(new Uint8Array(11)), hasHeader(new Uint8Array(12))], [false, true]);
  });
});
