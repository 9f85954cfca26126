// rfc-6303.test.ts -- reverse zones that are served empty, so that nobody outside is asked for them (RFC 6303)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import { expectReply, NameServer, parseQuestion, texts } from '../support/name-server.ts';

const FORWARDING = { allow: parseNetwork('loopback')!, passSpecial: [] };
const LOOPBACK_6 = `1.${'0.'.repeat(31)}ip6.arpa.`;
const server = await NameServer.open({ settings: { forward: FORWARDING } });

function isForwarded(of: NameServer, question: string): boolean {
  const query = encodeMessage(queryMessage(1, parseQuestion(question)));
  return of.handler.respond(query, 'udp', new Uint8Array(65_535), new AddressClient('127.0.0.1')) === FORWARD;
}

describe('RFC 6303', () => {
  const zones: readonly string[] = [
    // 4.1
    '10.in-addr.arpa.',
    ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa.`),
    '168.192.in-addr.arpa.',
    // 4.2
    '0.in-addr.arpa.',
    '127.in-addr.arpa.',
    '254.169.in-addr.arpa.',
    '2.0.192.in-addr.arpa.',
    '100.51.198.in-addr.arpa.',
    '113.0.203.in-addr.arpa.',
    '255.255.255.255.in-addr.arpa.',
    // 4.3
    `0.${'0.'.repeat(31)}ip6.arpa.`,
    LOOPBACK_6,
    // 4.4 to 4.6
    'd.f.ip6.arpa.',
    ...['8', '9', 'a', 'b'].map((digit) => `${digit}.e.f.ip6.arpa.`),
    '8.b.d.0.1.0.0.2.ip6.arpa.',
  ];
  for (const zone of zones) {
    it(`${zone} is a zone of its own: SOA, NS, and nothing below (3)`, () => {
      const [soa] = server.ask(`${zone} SOA`).answers;
      assert.deepEqual(soa?.name, parseName(zone));
      assert.equal(server.ask(`${zone} NS`).answers.length, 1);
      if (zone.startsWith('127.') || zone === LOOPBACK_6) return;
      const below = server.ask(`7.${zone} PTR`);
      expectReply(below, { rcode: 'NXDOMAIN', answer: '' });
      assert.deepEqual(below.authorities[0]?.name, parseName(zone));
    });
  }

  it('the addresses of localhost have its name, others of the kind have none', () => {
    for (const name of ['1.0.0.127.in-addr.arpa.', LOOPBACK_6]) {
      assert.deepEqual(texts(server.ask(`${name} PTR`).answers), [`${name} 10800 IN PTR localhost.`]);
    }
    expectReply(server.ask('2.0.0.127.in-addr.arpa. PTR'), { rcode: 'NXDOMAIN' });
    expectReply(server.ask('0.127.in-addr.arpa. PTR'), { rcode: 'NOERROR', answer: '' });
  });

  it('their neighbours are forwarded', () => {
    for (const name of ['9', '11', '15.172', '32.172', '167.192', '169.192', '1.0.192', '126', '253.169']) {
      assert.ok(isForwarded(server, `1.${name}.in-addr.arpa. PTR`), name);
    }
    for (const name of ['7.e.f', 'c.e.f', '7.b.d.0.1.0.0.2']) {
      assert.ok(isForwarded(server, `1.${name}.ip6.arpa. PTR`), name);
    }
  });

  it('may be switched off one by one, where somebody has real data (3)', async () => {
    const some = await NameServer.open({
      settings: { forward: { ...FORWARDING, passSpecial: [parseName('10.in-addr.arpa.')] } },
    });
    assert.ok(isForwarded(some, '1.0.0.10.in-addr.arpa. PTR'), '10.in-addr.arpa');
    expectReply(some.ask('1.1.168.192.in-addr.arpa. PTR'), { rcode: 'NXDOMAIN' });
  });

  it('give way to zones of ours: an instance has its name (3)', async () => {
    const own = await NameServer.open({ settings: { forward: FORWARDING }, reverse: ['10.1.0.0/16'] });
    await own.register('web', 'web-1', { address: '10.1.2.3', port: 80 });
    const reply = own.ask('3.2.1.10.in-addr.arpa. PTR');
    assert.deepEqual(texts(reply.answers), ['3.2.1.10.in-addr.arpa. 5 IN PTR web.service.local.']);
    expectReply(own.ask('3.2.2.10.in-addr.arpa. PTR'), { rcode: 'NXDOMAIN' });
  });
});
