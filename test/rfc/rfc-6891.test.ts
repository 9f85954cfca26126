// rfc-6891.test.ts -- EDNS(0): who gets it, versions, flags, options, sizes (RFC 6891 section 6)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { decodeMessage } from '../../src/dns/message.ts';
import { COOKIE_SECRET, cookieOption } from '../support/cookies.ts';
import { clientSubnetOption, expectReply, flagWords, NameServer } from '../support/name-server.ts';
import { bytes, octets } from '../support/wire.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
big TXT ${Array.from({ length: 16 }, (_, i) => `"${String.fromCharCode(97 + i).repeat(250)}"`).join(' ')}
${Array.from({ length: 60 }, (_, i) => `many A 192.0.2.${i + 1}`).join('\n')}
`;

const QUESTION = '02 6e73 07 6578616d706c65 04 74657374 00 0001 0001'; // ns.example.test. A

/** A query for ns.example.test. A with these additional records. */
function query(additional: string, count = 1, flags = '0100'): Uint8Array {
  return octets('1234', flags, '0001 0000 0000', Uint8Array.of(0, count), QUESTION, bytes(additional));
}

describe('RFC 6891', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE] });
  });
  const ask = (octetsOfQuery: Uint8Array) => decodeMessage(server.respond(octetsOfQuery)!);

  it('has an OPT record in the reply exactly when there is one in the query (6.1.1, 7)', () => {
    const questions = [
      'ns.example.test. A',
      'nobody.example.test. A',
      'ns.example.test. MX',
      'out.side. A',
      'ns.example.test. CH A',
      'example.test. AXFR',
      'ns.example.test. OPT',
      'many.example.test. A',
    ];
    for (const question of questions) {
      assert.equal(server.ask(question).edns, undefined, question);
      assert.equal(server.ask(question, { edns: true }).edns?.version, 0, question);
    }
  });

  it('has one in replies to opcodes and forms that it does not take, when it can be read', () => {
    const opt = '00 0029 04d0 00 00 8000 0000';
    for (const flags of ['0800', '1000', '2000', '2800', '3000', '7800']) {
      assert.equal(ask(query(opt, 1, flags)).edns?.dnssecOk, true, flags);
      assert.equal(ask(query('', 0, flags)).edns, undefined);
    }
    assert.ok(ask(query(`${opt} ff`)).edns, 'octets behind the message');
  });

  it('answers a version above 0 with BADVERS and its own version (6.1.3)', () => {
    for (const version of [1, 2, 100, 255]) {
      const reply = server.ask('ns.example.test. A', { edns: { version, dnssecOk: true } });
      expectReply(reply, { rcode: 'BADVERS', flags: 'rd', answer: '', authority: '', additional: '' });
      assert.deepEqual([reply.edns!.version, reply.edns!.dnssecOk, reply.edns!.options.length], [0, true, 0]);
    }
    expectReply(server.ask('out.side. A', { edns: { version: 1 } }), { rcode: 'BADVERS' });
  });

  it('ignores options that it does not know (6.1.2)', () => {
    const options = [
      { code: 65001, data: bytes('abcdef') },
      { code: 100, data: new Uint8Array(0) },
      { code: 100, data: new Uint8Array(300) },
      { code: 3, data: new Uint8Array(0) },
    ];
    const reply = server.ask('ns.example.test. A', { edns: { options } });
    expectReply(reply, { rcode: 'NOERROR', answer: 'ns.example.test. 300 IN A 192.0.2.1' });
    assert.deepEqual(reply.edns!.options, []);
  });

  it('takes options in any order and number: each has its reply, or none', async () => {
    const other = await NameServer.open({
      zones: [ZONE],
      settings: { cookieSecrets: [COOKIE_SECRET], nsid: 'ns1' },
      clientSubnetFrom: ['127.0.0.1'],
    });
    const known = [
      { code: 3, data: new Uint8Array(0) },
      clientSubnetOption('10.1.0.0/24'),
      cookieOption('0102030405060708'),
      { code: 11, data: new Uint8Array(0) },
      { code: 12, data: new Uint8Array(7) },
    ];
    const unknown = Array.from({ length: 100 }, (_, i) => ({ code: 65001 + i, data: new Uint8Array(i % 5) }));
    for (let turn = 0; turn < known.length; turn++) {
      const options = [...known.slice(turn), ...unknown, ...known.slice(0, turn)];
      const reply = other.ask('ns.example.test. A', { edns: { options } });
      expectReply(reply, { rcode: 'NOERROR', answer: 'ns.example.test. 300 IN A 192.0.2.1' });
      assert.deepEqual(
        reply.edns!.options.map(({ code }) => code).sort((a, b) => a - b),
        [3, 8, 10],
      );
    }
    const many = (count: number) => Array.from({ length: count }, () => ({ code: 65001, data: new Uint8Array(0) }));
    expectReply(other.ask('ns.example.test. A', { edns: { options: many(128) } }), { rcode: 'NOERROR' });
    expectReply(other.ask('ns.example.test. A', { edns: { options: many(129) } }), { rcode: 'FORMERR' });
  });

  it('copies DO and clears the other flags (6.1.4, RFC 3225)', () => {
    for (const [sent, back] of [
      ['ffff', '8000'],
      ['7fff', '0000'],
      ['8000', '8000'],
      ['4000', '0000'],
    ]) {
      const reply = Buffer.from(server.respond(query(`00 0029 04d0 00 00 ${sent} 0000`))!);
      assert.equal(reply.subarray(-4, -2).toString('hex'), back);
    }
  });

  it('takes an extended rcode in a query for nothing', () => {
    expectReply(ask(query('00 0029 04d0 ff 00 0000 0000')), { rcode: 'NOERROR', flags: 'aa rd' });
  });

  const malformed: readonly (readonly [what: string, additional: string, count: number])[] = [
    ['two OPT records', '00 0029 04d0 00 00 0000 0000  00 0029 04d0 00 00 0000 0000', 2],
    ['an owner that is not the root', '0161 00 0029 04d0 00 00 0000 0000', 1],
    ['RDATA that runs past the end', '00 0029 04d0 00 00 0000 0001', 1],
    ['an option that runs past the RDATA', '00 0029 04d0 00 00 0000 0005 0064 0002 00', 1],
    ['an option without length', '00 0029 04d0 00 00 0000 0002 0064', 1],
    ['a record that is cut short', '00 0029 04d0 00', 1],
  ];
  for (const [what, additional, count] of malformed) {
    it(`answers ${what} with FORMERR`, () => {
      expectReply(ask(query(additional, count)), { rcode: 'FORMERR', flags: 'rd', answer: '', authority: '' });
    });
  }

  it('answers OPT in the answer or authority section with FORMERR', () => {
    const opt = '00 0029 04d0 00 00 0000 0000';
    for (const counts of ['0001 0001 0000 0000', '0001 0000 0001 0000']) {
      expectReply(ask(octets('1234 0100', counts, QUESTION, opt)), { rcode: 'FORMERR' });
    }
  });

  it('takes sizes below 512 for 512, and never goes above its own (6.2.3 to 6.2.5)', () => {
    const reply = (size: number | false) =>
      server.respond(
        size === false
          ? bytes('1234 0100 0001 0000 0000 0000 04 6d616e79 07 6578616d706c65 04 74657374 00 0001 0001')
          : octets(
              '1234 0100 0001 0000 0000 0001 04 6d616e79 07 6578616d706c65 04 74657374 00 0001 0001 00 0029',
              Uint8Array.of(size >> 8, size & 255),
              '00 00 0000 0000',
            ),
      )!;
    const plain = reply(false).length;
    assert.ok(plain <= 512);
    for (const size of [0, 1, 100, 511, 512]) {
      const { length } = reply(size);
      assert.ok(length <= 512 && length > 480, `${size}: ${length}`);
    }
    assert.ok(reply(700).length <= 700 && reply(700).length > 660);
    for (const size of [1232, 4096, 65535]) {
      assert.ok(reply(size).length <= 1232);
      assert.equal(decodeMessage(reply(size)).answers.length, 60);
    }
    assert.equal(server.ask('ns.example.test. A', { edns: 4096 }).edns!.udpSize, 1232, 'its own size is stated');
    const big = server.ask('big.example.test. TXT', { edns: 65535 });
    assert.deepEqual(flagWords(big), ['qr', 'aa', 'tc', 'rd']);
  });

  it('has no limit but that of messages over TCP, whatever the size says', () => {
    assert.equal(server.ask('big.example.test. TXT', { edns: 512, transport: 'tcp' }).answers.length, 1);
  });

  it('keeps OPT when a reply is cut', () => {
    const reply = server.ask('many.example.test. A', { edns: 512 });
    assert.deepEqual(flagWords(reply), ['qr', 'aa', 'tc', 'rd']);
    assert.ok(reply.edns);
  });
});
