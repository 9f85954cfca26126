// oracle.test.ts -- messages go both ways between us and two codecs that others wrote: dns-packet and dns2

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import packet from 'dns-packet';
import { Packet } from 'dns2';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord, parseRecord } from '../../src/dns/presentation.ts';
import { hexOf } from '../support/wire.ts';

const QUESTION = { name: parseName('x.y.'), type: 1, class: 1 };

function response(answers: Message['answers'], edns?: Message['edns']): Message {
  return { ...queryMessage(7, QUESTION, edns), flags: 0x8580, answers };
}

const hash = Buffer.from('174eb2409fe28bcb4887a1836f957f0a8425e27b', 'hex');

/** Our text, and what dns-packet makes of it. */
const ROWS: readonly (readonly [text: string, data: unknown])[] = [
  ['A 1.2.3.4', '1.2.3.4'],
  ['AAAA 2001:db8::1', '2001:db8::1'],
  ['NS a.x.y.', 'a.x.y'],
  ['CNAME a.b.', 'a.b'],
  ['PTR x.y.', 'x.y'],
  ['MX 5 x.y.', { preference: 5, exchange: 'x.y' }],
  [
    'SOA a.b. c.a.b. 4294967295 2 3 4 5',
    { mname: 'a.b', rname: 'c.a.b', serial: 4294967295, refresh: 2, retry: 3, expire: 4, minimum: 5 },
  ],
  ['TXT "a b" "" "\\255"', [Buffer.from('a b'), Buffer.alloc(0), Buffer.of(255)]],
  [`TXT "${'x'.repeat(255)}"`, [Buffer.alloc(255, 'x')]],
  ['SRV 1 2 65535 x.y.', { priority: 1, weight: 2, port: 65535, target: 'x.y' }],
  ['HINFO "x" "y"', { cpu: 'x', os: 'y' }],
  ['CAA 128 issue "x y"', { flags: 128, tag: 'issue', value: 'x y', issuerCritical: true }],
  [
    'NAPTR 1 2 "u" "E2U" "!x!y!" x.y.',
    { order: 1, preference: 2, flags: 'u', services: 'E2U', regexp: '!x!y!', replacement: 'x.y' },
  ],
  ['DS 1 8 2 ABCD', { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.from('abcd', 'hex') }],
  ['DNSKEY 257 3 8 AQIDBA==', { flags: 257, algorithm: 8, key: Buffer.of(1, 2, 3, 4) }],
  [
    'RRSIG A 8 2 300 20260101000000 20250101000000 77 a.b. AQID',
    {
      typeCovered: 'A',
      algorithm: 8,
      labels: 2,
      originalTTL: 300,
      expiration: Date.UTC(2026, 0) / 1000,
      inception: Date.UTC(2025, 0) / 1000,
      keyTag: 77,
      signersName: 'a.b',
      signature: Buffer.of(1, 2, 3),
    },
  ],
  ['NSEC a.b. A TXT RRSIG NSEC CAA', { nextDomain: 'a.b', rrtypes: ['A', 'TXT', 'RRSIG', 'NSEC', 'CAA'] }],
  [
    'NSEC3 1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG',
    {
      algorithm: 1,
      flags: 1,
      iterations: 12,
      salt: Buffer.from('aabbccdd', 'hex'),
      nextDomain: hash,
      rrtypes: ['A', 'RRSIG'],
    },
  ],
  [
    'SSHFP 1 1 00112233445566778899AABBCCDDEEFF00112233',
    {
      algorithm: 1,
      hash: 1,
      fingerprint: '00112233445566778899AABBCCDDEEFF00112233',
    },
  ],
  ['TLSA 3 1 1 ABCD', { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from('abcd', 'hex') }],
  ['RP a.x.y. x.y.', { mbox: 'a.x.y', txt: 'x.y' }],
  ['SVCB 1 . port=53', Buffer.from('000100000300020035', 'hex')],
  ['URI 1 2 "x"', Buffer.from('0001000278', 'hex')],
  ['TYPE1234 \\# 2 C00C', Buffer.from('c00c', 'hex')],
];

/** dns-packet's types by name; its names for those it does not know are its own. */
const isKnown = (text: string): boolean => !/^(?:SVCB|URI|TYPE)/.test(text);

describe('dns-packet', () => {
  for (const [text, data] of ROWS) {
    const record = parseRecord(`x.y. 60 IN ${text}`);
    const type = text.split(' ')[0]!;

    it(`reads our ${type}`, () => {
      // Twice, so that the second has something to point to.
      const decoded = packet.decode(Buffer.from(encodeMessage(response([record, record]))));
      for (const answer of decoded.answers! as packet.StringAnswer[]) {
        assert.deepEqual([answer.name, answer.ttl, answer.class], ['x.y', 60, 'IN']);
        if (isKnown(text)) assert.equal(answer.type, type);
        assert.deepEqual(answer.data, data);
      }
      assert.equal(decoded.answers!.length, 2);
    });

    if (isKnown(text)) {
      it(`writes ${type} that we read`, () => {
        const answer = { type, name: 'x.y', ttl: 60, class: 'IN', data } as packet.Answer;
        const wire = packet.encode({
          type: 'response',
          id: 7,
          flags: packet.AUTHORITATIVE_ANSWER,
          questions: [{ type: 'A', name: 'x.y' }],
          answers: [answer, answer],
        });
        const decoded = decodeMessage(wire);
        assert.deepEqual([decoded.id, decoded.flags], [7, 0x8400]);
        assert.deepEqual(decoded.questions, [QUESTION]);
        assert.deepEqual(decoded.answers.map(formatRecord), [`x.y. 60 IN ${text}`, `x.y. 60 IN ${text}`]);
      });
    }
  }

  it('reads our header and OPT', () => {
    for (const [flags, name] of [
      [0x0400, 'flag_aa'],
      [0x0200, 'flag_tc'],
      [0x0100, 'flag_rd'],
      [0x0080, 'flag_ra'],
      [0x0020, 'flag_ad'],
      [0x0010, 'flag_cd'],
    ] as const) {
      const decoded = packet.decode(Buffer.from(encodeMessage({ ...response([]), flags: 0x8000 | flags })));
      assert.equal(decoded[name], true);
      assert.equal(decoded.type, 'response');
      assert.equal(
        [decoded.flag_aa, decoded.flag_tc, decoded.flag_rd, decoded.flag_ra, decoded.flag_ad, decoded.flag_cd].filter(
          Boolean,
        ).length,
        1,
      );
    }
    const edns = {
      udpSize: 4000,
      extendedRcode: 0,
      version: 0,
      dnssecOk: true,
      options: [{ code: 12, data: new Uint8Array(3) }],
    };
    const [opt] = packet.decode(Buffer.from(encodeMessage({ ...response([], edns), rcode: 23 }))).additionals!;
    assert.ok(opt?.type === 'OPT');
    assert.deepEqual([opt.udpPayloadSize, opt.extendedRcode, opt.ednsVersion, opt.flag_do], [4000, 1, 0, true]);
    assert.deepEqual([opt.options[0]!.code, opt.options[0]!.data], [12, Buffer.alloc(3)]);
  });

  it('writes an OPT that we read', () => {
    const wire = packet.encode({
      type: 'query',
      id: 9,
      flags: packet.RECURSION_DESIRED,
      questions: [{ type: 'SRV', name: '_a._tcp.x.y' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 1400,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: packet.DNSSEC_OK,
          flag_do: true,
          options: [{ code: 12, length: 5 }],
        },
      ],
    });
    const { edns, questions, flags } = decodeMessage(wire);
    assert.deepEqual([edns!.udpSize, edns!.version, edns!.dnssecOk, flags], [1400, 0, true, 0x0100]);
    assert.deepEqual(
      edns!.options.map(({ code, data }) => [code, data.length]),
      [[12, 5]],
    );
    assert.deepEqual([formatName(questions[0]!.name), questions[0]!.type], ['_a._tcp.x.y.', 33]);
  });

  it('reads whatever names we compress', () => {
    const labels = fc.array(fc.constantFrom('a', 'b', 'cart', 'service', 'x'.repeat(63)), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(labels, labels), { maxLength: 20 }), (pairs) => {
        const answers = pairs.map(([owner, target]) =>
          parseRecord(`${owner.join('.')}. 1 IN MX 0 ${target.join('.')}.`),
        );
        const decoded = packet.decode(Buffer.from(encodeMessage(response(answers))));
        assert.deepEqual(
          (decoded.answers as packet.MxAnswer[]).map(({ name, data }) => [name, data.exchange]),
          pairs.map(([owner, target]) => [owner.join('.'), target.join('.')]),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('dns2', () => {
  /** Our text, and dns2's fields. */
  const rows: readonly [text: string, fields: Readonly<Record<string, unknown>>][] = [
    ['A 1.2.3.4', { type: Packet.TYPE.A, address: '1.2.3.4' }],
    ['AAAA 2001:db8::7', { type: Packet.TYPE.AAAA, address: '2001:db8::7' }],
    ['NS a.x.y.', { type: Packet.TYPE.NS, ns: 'a.x.y' }],
    ['CNAME b.x.y.', { type: Packet.TYPE.CNAME, domain: 'b.x.y' }],
    ['MX 5 x.y.', { type: Packet.TYPE.MX, priority: 5, exchange: 'x.y' }],
    ['SRV 1 2 3 x.y.', { type: Packet.TYPE.SRV, priority: 1, weight: 2, port: 3, target: 'x.y' }],
    ['TXT "hello"', { type: Packet.TYPE.TXT, data: ['hello'] }],
  ];
  for (const [text, fields] of rows) {
    it(`reads our ${text.split(' ')[0]}`, () => {
      const parsed = Packet.parse(Buffer.from(encodeMessage(response([parseRecord(`x.y. 60 IN ${text}`)]))));
      assert.deepEqual(
        [parsed.header.id, parsed.header.qr, parsed.header.aa, parsed.questions[0]!.name],
        [7, 1, 1, 'x.y'],
      );
      const answer = parsed.answers[0]! as unknown as Record<string, unknown>;
      for (const [key, value] of Object.entries({ name: 'x.y', ttl: 60, ...fields })) {
        assert.deepEqual(answer[key], value, key);
      }
    });

    it(`writes ${text.split(' ')[0]} that we read`, () => {
      const reply = new Packet();
      Object.assign(reply.header, { id: 7, qr: 1, aa: 1 });
      reply.questions = [new Packet.Question('x.y', Packet.TYPE.A, Packet.CLASS.IN)];
      reply.answers = [{ name: 'x.y', class: Packet.CLASS.IN, ttl: 60, ...fields } as never];
      const decoded = decodeMessage(reply.toBuffer());
      assert.deepEqual([decoded.id, decoded.flags, decoded.questions], [7, 0x8400, [QUESTION]]);
      assert.deepEqual(decoded.answers.map(formatRecord), [`x.y. 60 IN ${text}`]);
    });
  }
});

it('our octets are the same whoever asks', () => {
  const question = { type: 'A' as const, name: 'x.y' };
  const theirs = packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions: [question] });
  assert.equal(hexOf(encodeMessage(queryMessage(7, QUESTION))), hexOf(theirs));
});
