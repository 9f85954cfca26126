// rfc-8467.test.ts -- padding of replies: only where it hides something, to blocks of 468 octets (RFC 7830, RFC 8467)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { EDNS_OPTION } from '../../src/dns/codes.ts';
import type { EdnsOption } from '../../src/dns/edns.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import type { Transport } from '../../src/nameserver/query-counters.ts';
import { COOKIE_SECRET, cookieOption } from '../support/cookies.ts';
import { clientSubnetOption, NameServer, parseQuestion } from '../support/name-server.ts';

const PADDING = { code: EDNS_OPTION.PADDING, data: new Uint8Array(100) };
const NSID = { code: EDNS_OPTION.NSID, data: new Uint8Array(0) };
const STRINGS = Array.from({ length: 256 }, () => `"${'x'.repeat(254)}"`).join(' ');

/** A text of almost as many octets as a message can have; `short` octets less. */
const zone = (short: number): string => `
$ORIGIN big.test.
@ 300 SOA ns host 1 3600 600 86400 60
@ 300 NS ns
ns 300 A 192.0.2.1
most 300 TXT ${STRINGS} "${'y'.repeat(200 - short)}"
`;

describe('RFC 7830 and RFC 8467', () => {
  let server: NameServer;
  before(async () => {
    const settings = { cookieSecrets: [COOKIE_SECRET], nsid: 'a' };
    server = await NameServer.open({ settings, clientSubnetFrom: ['127.0.0.1'], zones: [zone(0)] });
    await server.registerMany('web', 90);
    await server.setPolicy('web', { maxAnswers: 90 });
  });

  function reply(question: string, transport: Transport, options: readonly EdnsOption[], from = server): Uint8Array {
    const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options };
    return from.respond(encodeMessage(queryMessage(7, parseQuestion(question), edns)), transport)!;
  }
  const QUESTIONS = ['web.service.local. A', 'web.service.local. SRV', 'nobody.service.local. A', 'out.side. A'];

  it('fills encrypted replies up to a multiple of 468 octets with zeros, the padding being the last option', () => {
    for (const transport of ['tls', 'https'] as const) {
      for (const question of QUESTIONS) {
        const octets = reply(question, transport, [PADDING, cookieOption('0102030405060708'), NSID]);
        assert.equal(octets.length % 468, 0, `${question}: ${octets.length}`);
        const codes = decodeMessage(octets).edns!.options.map(({ code }) => code);
        assert.equal(codes.at(-1), EDNS_OPTION.PADDING);
        assert.ok(codes.includes(EDNS_OPTION.COOKIE) && codes.includes(EDNS_OPTION.NSID), `${codes}`);
        assert.ok(
          decodeMessage(octets)
            .edns!.options.at(-1)!
            .data.every((each) => each === 0),
          'zeros',
        );
      }
    }
  });

  it('no more than it takes: one option of any length up to the block (RFC 8467 section 4.1)', () => {
    const seen = new Set<number>();
    for (let i = 1; i <= 468; i++) {
      const name = [...'x'.repeat(Math.min(i, 180))]
        .map((x, at) => (at % 60 === 59 ? '.' : x))
        .join('')
        .replace(/\.$/, '');
      const options = [PADDING, ...(i > 180 ? [NSID] : [])];
      const octets = reply(`${name}.service.local. A`, 'tls', options);
      const bare = reply(`${name}.service.local. A`, 'tls', options.slice(1)).length;
      assert.equal(octets.length, Math.ceil((bare + 4) / 468) * 468);
      seen.add(octets.length);
    }
    assert.deepEqual([...seen], [468]);
  });

  it('does so only when the query has the option (RFC 7830 section 4)', () => {
    for (const question of QUESTIONS) {
      const octets = reply(question, 'tls', [NSID]);
      assert.notEqual(octets.length % 468, 0);
      assert.ok(!decodeMessage(octets).edns!.options.some(({ code }) => code === EDNS_OPTION.PADDING));
    }
  });

  it('does not over UDP and TCP, where everybody can read along', () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const octets = reply(QUESTIONS[0]!, transport, [PADDING]);
      assert.equal(octets.length, reply(QUESTIONS[0]!, transport, []).length);
      assert.deepEqual(decodeMessage(octets).edns!.options, []);
    }
  });

  it('never costs a record: near the largest message it fills what is left, or nothing', async () => {
    const seen = new Set<number>();
    for (const short of [0, 1, 2, 3, 4, 10, 18, 19, 30, 200]) {
      const other = await NameServer.open({ zones: [zone(short)] });
      const bare = reply('most.big.test. TXT', 'tls', [], other);
      const octets = reply('most.big.test. TXT', 'tls', [PADDING], other);
      const padded = Math.min(Math.ceil((bare.length + 4) / 468) * 468, 65535);
      assert.equal(octets.length, bare.length + 4 > 65535 ? bare.length : padded, `${bare.length} octets`);
      seen.add(octets.length);
      assert.deepEqual(decodeMessage(octets).answers, decodeMessage(bare).answers);
      assert.equal(decodeMessage(octets).answers.length, 1);
    }
    assert.ok(seen.has(65520) && seen.has(65535) && seen.size > 2, `${[...seen]}`);
  });

  it('goes together with cookies and a client subnet', () => {
    const subnet = clientSubnetOption('10.1.0.0/24');
    const octets = reply(QUESTIONS[0]!, 'tls', [subnet, PADDING, cookieOption('0102030405060708'), NSID]);
    assert.equal(octets.length % 468, 0);
    const codes = decodeMessage(octets).edns!.options.map(({ code }) => code);
    assert.deepEqual(codes, [EDNS_OPTION.COOKIE, EDNS_OPTION.NSID, EDNS_OPTION.CLIENT_SUBNET, EDNS_OPTION.PADDING]);
  });
});
