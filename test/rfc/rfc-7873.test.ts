// rfc-7873.test.ts -- DNS cookies: what is malformed, what is answered, and what a reply says (RFC 7873 section 5.2)

import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { formatRcode } from '../../src/dns/codes.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { COOKIE_SECRET, cookieOf, cookieOption } from '../support/cookies.ts';
import { type AskOptions, expectReply, flagWords, NameServer } from '../support/name-server.ts';
import { bytes, octets } from '../support/wire.ts';

const CLIENT = '0102030405060708';
const OTHER = '1112131415161718';
const WEB = 'web.service.local. A';

async function open(more: object = {}): Promise<NameServer> {
  const server = await NameServer.open({ settings: { cookieSecrets: [COOKIE_SECRET], ...more } });
  await server.registerMany('web', 3);
  await server.registerMany('many', 200);
  await server.setPolicy('many', { maxAnswers: 200 });
  server.handler.setTime(server.clock);
  return server;
}

describe('RFC 7873', () => {
  let server: NameServer;
  before(async () => {
    server = await open();
  });
  const ask = (question: string, cookies: readonly string[], more: AskOptions = {}): Message =>
    server.ask(question, { ...more, edns: { options: cookies.map(cookieOption) } });
  const learn = (client = CLIENT, more: AskOptions = {}): string => cookieOf(ask(WEB, [client], more))!;

  it('answers a client cookie with it and a server cookie of 16 octets (5.2.3)', () => {
    const cookie = learn();
    assert.equal(cookie.length, 48);
    assert.ok(cookie.startsWith(CLIENT), cookie);
    assert.notEqual(learn(OTHER).slice(16), cookie.slice(16));
    assert.notEqual(learn(CLIENT, { client: '127.0.0.2' }), cookie, 'it is one address that it is for');
  });

  it('answers a good server cookie with the same one (5.2.5)', () => {
    const cookie = learn();
    assert.equal(cookieOf(ask(WEB, [cookie])), cookie);
    assert.equal(server.handler.hasGoodCookie, true);
  });

  it('answers a wrong server cookie as none, with a good one (5.2.4)', () => {
    const cookie = learn();
    const wrong = [
      `${cookie.slice(0, 46)}ff`,
      `${CLIENT}${'00'.repeat(8)}`,
      `${CLIENT}${'ab'.repeat(32)}`,
      `${OTHER}${cookie.slice(16)}`,
    ];
    for (const each of wrong) {
      const reply = ask(WEB, [each]);
      expectReply(reply, { rcode: 'NOERROR', flags: 'aa rd' });
      assert.equal(reply.answers.length, 3);
      assert.equal(server.handler.hasGoodCookie, false, each);
      const fresh = cookieOf(reply)!;
      assert.equal(fresh.slice(0, 16), each.slice(0, 16));
      ask(WEB, [fresh]);
      assert.equal(server.handler.hasGoodCookie, true, 'the new one is good');
    }
  });

  it('forgets a good cookie with the query that had it', () => {
    ask(WEB, [learn()]);
    assert.equal(server.handler.hasGoodCookie, true);
    server.ask(WEB);
    assert.equal(server.handler.hasGoodCookie, false);
    ask(WEB, [learn()]);
    server.ask(WEB, { edns: true });
    assert.equal(server.handler.hasGoodCookie, false);
  });

  it('answers any other length with FORMERR (5.2.2)', () => {
    for (let length = 0; length <= 60; length++) {
      const isFine = length === 8 || (length >= 16 && length <= 40);
      const reply = ask(WEB, ['0a'.repeat(length)]);
      assert.equal(formatRcode(reply.rcode), isFine ? 'NOERROR' : 'FORMERR', `${length} octets`);
      assert.equal(cookieOf(reply)?.length, isFine ? 48 : undefined, `${length} octets`);
      assert.equal(reply.answers.length, isFine ? 3 : 0);
    }
  });

  it('looks at the first of several only (5.2)', () => {
    assert.equal(cookieOf(ask(WEB, [CLIENT, OTHER, '00']))?.slice(0, 16), CLIENT);
    expectReply(ask(WEB, ['00', CLIENT]), { rcode: 'FORMERR' });
  });

  it('has a cookie in every kind of reply, if and only if there was one in the query', () => {
    const questions = [
      WEB,
      'web.service.local. SRV',
      'web.service.local. MX',
      'nobody.service.local. A',
      'out.side. A',
      'web.service.local. CH A',
      'service.local. AXFR',
      'web.service.local. OPT',
    ];
    for (const question of questions) {
      for (const transport of ['udp', 'tcp', 'tls', 'https'] as const) {
        const plain = server.ask(question, { edns: true, transport });
        const reply = ask(question, [CLIENT], { transport });
        assert.equal(cookieOf(plain), undefined, question);
        assert.equal(cookieOf(reply)?.slice(0, 16), CLIENT, `${question} by ${transport}`);
        assert.equal(formatRcode(reply.rcode), formatRcode(plain.rcode));
      }
    }
  });

  it('has one in replies that are cut, which stay within their limit', () => {
    for (const udpSize of [512, 700, 1232]) {
      const query = { udpSize, options: [cookieOption(CLIENT)] };
      const reply = server.ask('many.service.local. A', { edns: query });
      assert.deepEqual(flagWords(reply), ['qr', 'aa', 'tc', 'rd']);
      assert.equal(cookieOf(reply)?.length, 48);
    }
  });

  it('has none in BADVERS: what options of another version mean is not known', () => {
    const reply = server.ask(WEB, { edns: { version: 1, options: [cookieOption('00')] } });
    expectReply(reply, { rcode: 'BADVERS' });
    assert.deepEqual(reply.edns!.options, []);
  });

  describe('without a question (5.4)', () => {
    const askNothing = (options: string, count = 1): Message => {
      const data = bytes(options);
      const opt = count === 0 ? '' : octets('00 0029 04d0 00 00 0000', Uint8Array.of(0, data.length), data);
      return decodeMessage(server.respond(octets('1234 0100 0000 0000 0000', Uint8Array.of(0, count), opt))!);
    };

    it('a client cookie is answered with a server cookie, NOERROR and nothing else', () => {
      const reply = askNothing(`000a 0008 ${CLIENT}`);
      expectReply(reply, { rcode: 'NOERROR', flags: 'rd', answer: '', authority: '', additional: '' });
      assert.deepEqual(reply.questions, []);
      assert.equal(cookieOf(reply), learn());
    });

    it('a good server cookie is confirmed with NOERROR, a wrong one is BADCOOKIE with a good one', () => {
      const cookie = learn();
      const good = askNothing(`000a 0018 ${cookie}`);
      assert.deepEqual([formatRcode(good.rcode), cookieOf(good)], ['NOERROR', cookie]);
      const wrong = askNothing(`000a 0018 ${cookie.slice(0, 46)}${cookie.endsWith('00') ? '01' : '00'}`);
      assert.deepEqual([formatRcode(wrong.rcode), cookieOf(wrong)], ['BADCOOKIE', cookie]);
    });

    it('no cookie, or one of a wrong length, is FORMERR', () => {
      expectReply(askNothing('', 0), { rcode: 'FORMERR' });
      expectReply(askNothing(''), { rcode: 'FORMERR' });
      expectReply(askNothing('0003 0000'), { rcode: 'FORMERR' });
      expectReply(askNothing('000a 0007 01020304050607'), { rcode: 'FORMERR' });
    });
  });

  describe('switched off', () => {
    before(async () => {
      server = await open({ cookieSecrets: [] });
    });

    it('the option is one of those that are not known: nothing about it is looked at', () => {
      for (const cookie of [CLIENT, '00', `${CLIENT}${'00'.repeat(16)}`]) {
        const reply = ask(WEB, [cookie]);
        expectReply(reply, { rcode: 'NOERROR' });
        assert.deepEqual(reply.edns!.options, [], cookie);
        assert.equal(server.handler.hasGoodCookie, false);
      }
      const query = octets('1234 0100 0000 0000 0000 0001 00 0029 04d0 00 00 0000 000c 000a 0008', CLIENT);
      expectReply(decodeMessage(server.respond(query)!), { rcode: 'FORMERR' });
    });
  });

  describe('while replies are limited', () => {
    const STRANGER = '192.0.2.1';
    beforeEach(async () => {
      const rateLimit = { responsesPerSecond: 5, slip: 1, ipv4PrefixBits: 24, ipv6PrefixBits: 56, exempt: [] };
      server = await open({ rateLimit });
    });
    const rcodes = (cookie: string | undefined): string[] => {
      const cookies = cookie === undefined ? [] : [cookie];
      const replies = Array.from({ length: 30 }, () => ask(WEB, cookies, { client: STRANGER }));
      return [
        ...new Set(replies.map((each) => [formatRcode(each.rcode), ...flagWords(each).slice(1)].join(' '))),
      ].sort();
    };

    it('a good cookie is answered always; who has none of ours is sent one instead of an answer (5.2.3)', () => {
      const good = learn(CLIENT, { client: STRANGER });
      assert.deepEqual(rcodes(CLIENT), ['BADCOOKIE rd', 'NOERROR aa rd']);
      const cut = ask(WEB, [CLIENT], { client: STRANGER });
      assert.deepEqual([cut.answers.length, cookieOf(cut)], [0, good]);
      assert.deepEqual(rcodes(good), ['NOERROR aa rd']);
    });

    it('who does not speak of cookies is asked to come by TCP', () => {
      assert.deepEqual(rcodes(undefined), ['NOERROR aa rd', 'NOERROR aa tc rd']);
    });
  });
});
