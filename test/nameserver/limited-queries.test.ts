// limited-queries.test.ts -- rate limits as a client meets them

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import type { RateLimitSettings } from '../../src/nameserver/rate-limit.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';

const LIMIT: RateLimitSettings = {
  responsesPerSecond: 3,
  slip: 2,
  ipv4PrefixBits: 24,
  ipv6PrefixBits: 56,
  exempt: parseNetwork('loopback')!,
};
const STRANGER = '192.0.2.1';
const WILD = `
$ORIGIN wild.test.
@ 60 SOA ns host 1 1 1 1 1
@ 60 NS ns.elsewhere.
* 60 A 192.0.2.1
`;

describe('a server that limits replies', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ settings: { rateLimit: LIMIT }, zones: [WILD] });
    await server.register('web', 'i1', { address: '10.0.0.1', port: 80 });
    await server.register('other', 'i2', { address: '10.0.0.2', port: 80 });
  });

  it('cuts every second reply too many, and gives no other', () => {
    const replies = flood(server, 'web.service.local. A', STRANGER, 7);
    assert.deepEqual(replies.map(kindOf), ['whole', 'whole', 'whole', 'none', 'cut', 'none', 'cut']);
    const { id, flags, questions, answers, authorities } = replies[4]!;
    assert.deepEqual({ id, answers, authorities }, { id: 4, answers: [], authorities: [] });
    // QR, AA, TC and RD.
    assert.equal(flags, 0x8700);
    assert.equal(questions.length, 1);
  });
  it('speaks EDNS in what it cuts, when the query did', () => {
    const replies = flood(server, 'other.service.local. A', STRANGER, 5, { udpSize: 1232 });
    assert.deepEqual(replies.map(kindOf), ['whole', 'whole', 'whole', 'none', 'cut']);
    assert.equal(replies[4]!.edns?.udpSize, 1232);
  });
  it('counts what it holds back', () => {
    assert.deepEqual([server.counters.droppedCount('limited'), server.counters.cuts], [3, 3]);
  });
  it('answers other networks, exempt ones, and TCP', () => {
    for (const client of ['192.0.3.1', '127.0.0.1']) {
      const replies = flood(server, 'web.service.local. A', client, 3);
      assert.deepEqual(replies.map(kindOf), ['whole', 'whole', 'whole'], client);
    }
    for (let i = 0; i < 10; i++) {
      expectReply(server.ask('web.service.local. A', { client: STRANGER, transport: 'tcp' }), { rcode: 'NOERROR' });
    }
  });
  it('takes names that do not exist for one', () => {
    const kinds = Array.from({ length: 5 }, (_, i) =>
      kindOf(flood(server, `n${i}.service.local. A`, '192.0.5.1', 1)[0]),
    );
    assert.deepEqual(kinds, ['whole', 'whole', 'whole', 'none', 'cut']);
  });
  it('takes what wildcards answer for one, too', () => {
    const kinds = Array.from({ length: 5 }, (_, i) => kindOf(flood(server, `n${i}.wild.test. A`, '192.0.7.1', 1)[0]));
    assert.deepEqual(kinds, ['whole', 'whole', 'whole', 'none', 'cut']);
  });
  it('limits errors and refusals as well', () => {
    const refused = flood(server, 'example.org. A', '192.0.6.1', 5);
    assert.deepEqual(refused.map(kindOf), ['whole', 'whole', 'whole', 'none', 'cut']);
    assert.equal(refused[4]!.flags & 0xf, 5);
  });
  it('begins anew with the next second', async () => {
    await server.clock.advance(1000);
    server.handler.setTime(server.clock);
    assert.deepEqual(flood(server, 'web.service.local. A', STRANGER, 4).map(kindOf), [
      'whole',
      'whole',
      'whole',
      'none',
    ]);
  });
  it('stops when a reload says so', () => {
    const { view } = server.handler;
    server.handler.setView(view, { maxUdpSize: 1232 });
    assert.deepEqual(flood(server, 'web.service.local. A', STRANGER, 20).map(kindOf), new Array(20).fill('whole'));
  });
});

/** The replies to so many equal questions, id 0 and up; undefined where there was none. */
function flood(
  server: NameServer,
  question: string,
  client: string,
  count: number,
  edns?: { udpSize: number },
): (Message | undefined)[] {
  return Array.from({ length: count }, (_, id) => {
    const opt = edns && { ...edns, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
    const query = encodeMessage(queryMessage(id, parseQuestion(question), opt));
    const octets = server.respond(query, 'udp', client);
    return octets && decodeMessage(octets);
  });
}

function kindOf(reply: Message | undefined): 'none' | 'cut' | 'whole' {
  if (reply === undefined) return 'none';
  return (reply.flags & 0x0200) !== 0 ? 'cut' : 'whole';
}
