// request.test.ts -- which queries are answered, which are refused with what, and which get no reply (RFC 8906, 9619)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatName } from '../../src/dns/name.ts';
import { type Request, readRequest } from '../../src/dns/request.ts';
import { bytes, octets } from '../support/wire.ts';

const NAME = '0377777707657861 6d706c6500';
const QUESTION = `${NAME} 0001 0001`;
const OPT = '00 0029 04d0 00 00 0000 0000';
const OPT_DO = '00 0029 04d0 00 00 8000 0000';
const TSIG = '0161 00 00fa 00ff 00000000 0013 00 000000000001 012c 0002 abcd beef 0000 0000';
const OTHER = '0161 00 000a 0001 00000000 0003 000000';
const [FORMERR, NOTIMP] = [1, 4];

/** Counts as four 16-bit numbers. */
function query(flags: number, counts: readonly number[], ...body: string[]): Uint8Array {
  const words = [0xbeef, flags, ...counts].flatMap((word) => [word >> 8, word & 255]);
  return octets(Uint8Array.from(words), ...body);
}

const plain = query(0x0100, [1, 0, 0, 0], QUESTION);

function read(message: Uint8Array): Request {
  const request = readRequest(message);
  assert.ok(request !== undefined);
  assert.equal(request.id, 0xbeef, 'the id is kept whatever else is wrong');
  return request;
}

describe('a query in order', () => {
  it('is taken apart', () => {
    const { question, ...rest } = read(plain);
    assert.deepEqual(rest, {
      id: 0xbeef,
      flags: 0x0100,
      opcode: 0,
      questionEnd: plain.length,
      edns: undefined,
      tsig: undefined,
      rcode: 0,
    });
    assert.deepEqual([formatName(question!.name), question!.type, question!.class], ['www.example.', 1, 1]);
  });

  it('keeps the case of its question (RFC 4343, 0x20)', () => {
    const message = query(0, [1, 0, 0, 0], NAME.replace('777777', '577757'), '0001 0001');
    assert.equal(formatName(read(message).question!.name), 'WwW.example.');
  });

  const rows: readonly [what: string, message: Uint8Array][] = [
    ['the root', query(0, [1, 0, 0, 0], '00 0006 0001')],
    ['any type and class', query(0, [1, 0, 0, 0], NAME, 'fffe fffd')],
    ['EDNS', query(0, [1, 0, 0, 1], QUESTION, OPT)],
    ['EDNS and DO', query(0, [1, 0, 0, 1], QUESTION, OPT_DO)],
    ['EDNS behind another record', query(0, [1, 0, 0, 2], QUESTION, OTHER, OPT)],
    ['EDNS in front of another record', query(0, [1, 0, 0, 2], QUESTION, OPT, OTHER)],
    ['TSIG', query(0, [1, 0, 0, 1], QUESTION, TSIG)],
    ['EDNS, then TSIG', query(0, [1, 0, 0, 2], QUESTION, OPT, TSIG)],
    [
      'an EDNS version we do not speak: the caller answers BADVERS',
      query(0, [1, 0, 0, 1], QUESTION, '00 0029 04d0 00 01 0000 0000'),
    ],
    [
      'an additional owner that points to the question',
      query(0, [1, 0, 0, 1], QUESTION, 'c00c 0001 0001 00000000 0000'),
    ],
    ['IXFR with the SOA of the client', query(0, [1, 0, 1, 0], NAME, '00fb 0001', 'c00c 0006 0001 00000000 0002 0000')],
    ['IXFR without', query(0, [1, 0, 0, 0], NAME, '00fb 0001')],
    [
      '255 octets of name',
      query(0, [1, 0, 0, 0], ...[63, 63, 63, 61].map((n) => n.toString(16) + '61'.repeat(n)), '00 0001 0001'),
    ],
  ];
  for (const [what, message] of rows) {
    it(what, () => {
      const request = read(message);
      assert.equal(request.rcode, 0);
      assert.ok(request.question !== undefined);
      assert.equal(request.edns !== undefined, what.includes('EDNS'));
    });
  }

  it('has any header bits a query may have', () => {
    for (const flag of [0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x07f0]) {
      assert.equal(read(query(flag, [1, 0, 0, 0], QUESTION)).rcode, 0, flag.toString(16));
    }
    for (let rcode = 1; rcode < 16; rcode++) assert.equal(read(query(rcode, [1, 0, 0, 0], QUESTION)).rcode, 0);
  });

  it('says where its question ends', () => {
    const { questionEnd, edns } = read(query(0, [1, 0, 0, 1], QUESTION, OPT_DO));
    assert.equal(questionEnd, 12 + bytes(QUESTION).length);
    assert.equal(edns!.dnssecOk, true);
  });
});

describe('no reply at all', () => {
  it('when the header is not whole', () => {
    for (let length = 0; length < 12; length++) assert.equal(readRequest(plain.subarray(0, length)), undefined);
  });

  it('to a reply, whatever it holds: two servers would answer each other for ever (CVE-2024-2169)', () => {
    for (const flags of [0x8000, 0x8180, 0x8001, 0xa800, 0xffff]) {
      assert.equal(readRequest(query(flags, [1, 0, 0, 0], QUESTION)), undefined);
      assert.equal(readRequest(query(flags, [65535, 65535, 65535, 65535])), undefined);
    }
  });
});

describe('FORMERR', () => {
  const rows: readonly [what: string, message: Uint8Array, hasQuestion: boolean][] = [
    ['a header alone', query(0, [1, 0, 0, 0]), false],
    ['no question', query(0, [0, 0, 0, 0]), false],
    ['no question, but octets of one', query(0, [0, 0, 0, 0], QUESTION), false],
    ['two questions (RFC 9619)', query(0, [2, 0, 0, 0], QUESTION, QUESTION), false],
    ['65,535 questions', query(0, [65535, 0, 0, 0], QUESTION), false],
    ['a question cut in its name', query(0, [1, 0, 0, 0], '0377'), false],
    ['a question cut behind its name', query(0, [1, 0, 0, 0], NAME), false],
    ['a question cut in its class', query(0, [1, 0, 0, 0], NAME, '0001 00'), false],
    ['a question that is a pointer to the header', query(0, [1, 0, 0, 0], 'c000 0001 0001'), false],
    ['a question that points at itself', query(0, [1, 0, 0, 0], 'c00c 0001 0001'), false],
    ['a question that ends in a pointer', query(0, [1, 0, 0, 0], '0161 c004 0001 0001'), false],
    ['label type 01', query(0, [1, 0, 0, 0], '4161 00 0001 0001'), false],
    ['label type 10', query(0, [1, 0, 0, 0], '8161 00 0001 0001'), false],
    [
      'a name of 256 octets',
      query(0, [1, 0, 0, 0], ...[63, 63, 63, 62].map((n) => n.toString(16) + '61'.repeat(n)), '00 0001 0001'),
      false,
    ],
    ['an answer', query(0, [1, 1, 0, 0], QUESTION, OTHER), true],
    ['an answer that is not there', query(0, [1, 1, 0, 0], QUESTION), true],
    ['an authority', query(0, [1, 0, 1, 0], QUESTION, OTHER), true],
    ['two authorities in an IXFR', query(0, [1, 0, 2, 0], NAME, '00fb 0001', OTHER, OTHER), true],
    ['an authority in an AXFR', query(0, [1, 0, 1, 0], NAME, '00fc 0001', OTHER), true],
    ['OPT as the authority of an IXFR', query(0, [1, 0, 1, 0], NAME, '00fb 0001', OPT), true],
    ['TSIG as the authority of an IXFR', query(0, [1, 0, 1, 0], NAME, '00fb 0001', TSIG), true],
    ['an additional that is not there', query(0, [1, 0, 0, 1], QUESTION), true],
    ['an additional cut short', query(0, [1, 0, 0, 1], QUESTION, '00 0001 0001 00000000 0004 0a0000'), true],
    ['more additionals than counted', query(0, [1, 0, 0, 1], QUESTION, OPT, OTHER), true],
    ['fewer additionals than counted', query(0, [1, 0, 0, 3], QUESTION, OPT, OTHER), true],
    ['65,535 additionals', query(0, [1, 0, 0, 65535], QUESTION, OTHER), true],
    ['9 additionals', query(0, [1, 0, 0, 9], QUESTION, ...Array(9).fill(OTHER)), true],
    ['OPT twice', query(0, [1, 0, 0, 2], QUESTION, OPT, OPT), true],
    ['OPT not at the root', query(0, [1, 0, 0, 1], QUESTION, `0161${OPT}`), true],
    ['OPT at a pointer to a name', query(0, [1, 0, 0, 1], QUESTION, `c00c${OPT.slice(2)}`), true],
    ['OPT longer than the message', query(0, [1, 0, 0, 1], QUESTION, '00 0029 04d0 00 00 0000 0001'), true],
    [
      'an option longer than the OPT',
      query(0, [1, 0, 0, 1], QUESTION, '00 0029 04d0 00 00 0000 0005 000a0002 00'),
      true,
    ],
    ['TSIG not last', query(0, [1, 0, 0, 2], QUESTION, TSIG, OPT), true],
    ['TSIG twice', query(0, [1, 0, 0, 2], QUESTION, TSIG, TSIG), true],
    ['TSIG of class IN', query(0, [1, 0, 0, 1], QUESTION, TSIG.replace('00ff', '0001')), true],
    ['TSIG with a TTL', query(0, [1, 0, 0, 1], QUESTION, TSIG.replace('00000000', '00000001')), true],
    ['TSIG shorter than its fields', query(0, [1, 0, 0, 1], QUESTION, '0161 00 00fa 00ff 00000000 0002 abcd'), true],
    ['TSIG longer than its fields', query(0, [1, 0, 0, 1], QUESTION, `${TSIG.replace('0013', '0014')}00`), true],
    ['TSIG whose MAC leads out', query(0, [1, 0, 0, 1], QUESTION, TSIG.replace('0002 abcd', 'ffff abcd')), true],
    ['TSIG with a compressed algorithm', query(0, [1, 0, 0, 1], QUESTION, TSIG.replace('0013 00', '0014 c00c')), true],
    ['octets behind the message', query(0, [1, 0, 0, 0], QUESTION, '00'), true],
    ['octets behind the OPT', query(0, [1, 0, 0, 1], QUESTION, OPT, '00'), true],
    ['a pointer forwards in an additional', query(0, [1, 0, 0, 1], QUESTION, 'c0ff 0001 0001 00000000 0000'), true],
  ];
  for (const [what, message, hasQuestion] of rows) {
    it(what, () => {
      const request = read(message);
      assert.equal(request.rcode, FORMERR);
      assert.equal(request.question !== undefined, hasQuestion);
      if (!hasQuestion) assert.equal(request.questionEnd, 12);
    });
  }

  it('every way of cutting a whole query short', () => {
    const whole = query(0x0110, [1, 0, 0, 2], QUESTION, OPT_DO, TSIG);
    assert.equal(read(whole).rcode, 0);
    for (let length = 12; length < whole.length; length++) {
      assert.equal(read(whole.subarray(0, length)).rcode, FORMERR, `${length} octets`);
    }
  });
});

describe('NOTIMP', () => {
  for (let opcode = 1; opcode < 16; opcode++) {
    it(`opcode ${opcode}, with the question when there is one`, () => {
      const request = read(query(opcode << 11, [1, 0, 0, 0], QUESTION));
      assert.deepEqual([request.rcode, request.opcode], [NOTIMP, opcode]);
      assert.equal(formatName(request.question!.name), 'www.example.');
      // UPDATE and others give the sections another meaning.
      assert.equal(read(query(opcode << 11, [1, 2, 3, 4], QUESTION, OTHER)).rcode, NOTIMP);
      const none = read(query(opcode << 11, [0, 0, 0, 0]));
      assert.deepEqual([none.rcode, none.question], [NOTIMP, undefined]);
      assert.equal(read(query(opcode << 11, [65535, 65535, 65535, 65535])).rcode, NOTIMP);
      assert.equal(read(query(opcode << 11, [1, 0, 0, 0], 'c00c 0001 0001')).rcode, FORMERR);
    });
  }
});
