// rfc-6761.test.ts -- special names are answered here and never forwarded (RFC 6761 section 6)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';

const ZONE = `
$ORIGIN shop.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
`;
const server = await NameServer.open({
  settings: { forward: { allow: parseNetwork('loopback')!, passSpecial: [] } },
  zones: [ZONE],
});

const CASES: readonly (readonly [question: string, rcode: string, answer?: string])[] = [
  // 6.1: private addresses
  ['1.0.0.10.in-addr.arpa. PTR', 'NXDOMAIN'],
  ['5.16.172.in-addr.arpa. PTR', 'NXDOMAIN'],
  ['5.31.172.in-addr.arpa. PTR', 'NXDOMAIN'],
  ['1.168.192.in-addr.arpa. PTR', 'NXDOMAIN'],
  // 6.2: test
  ['test. A', 'NXDOMAIN'],
  ['a.b.test. A', 'NXDOMAIN'],
  // 6.3: localhost
  ['localhost. A', 'NOERROR', 'localhost. 10800 IN A 127.0.0.1'],
  ['a.LocalHost. A', 'NOERROR', 'a.LocalHost. 10800 IN A 127.0.0.1'],
  ['localhost. AAAA', 'NOERROR', 'localhost. 10800 IN AAAA ::1'],
  ['localhost. MX', 'NOERROR'],
  // 6.4: invalid
  ['invalid. A', 'NXDOMAIN'],
  ['x.invalid. TXT', 'NXDOMAIN'],
];

describe('RFC 6761', () => {
  for (const [question, rcode, answer = ''] of CASES) {
    it(`${question}: ${rcode}`, () => {
      const reply = server.ask(question);
      expectReply(reply, { rcode, answer });
      if (answer === '') assert.equal(reply.authorities.length, 1, 'with a SOA record, to be remembered');
    });
  }

  for (const question of ['www.example.com. A', 'example. NS', 'localhost.example.com. A', 'invalid.example.net. A']) {
    it(`${question} is like any other: forwarded (6.5)`, () => {
      const query = encodeMessage(queryMessage(1, parseQuestion(question)));
      const out = new Uint8Array(65_535);
      assert.equal(server.handler.respond(query, 'udp', out, new AddressClient('127.0.0.1')), FORWARD);
    });
  }

  it('whoever has a zone there serves it (6.2)', () => {
    expectReply(server.ask('ns.shop.test. A'), { answer: 'ns.shop.test. 300 IN A 192.0.2.1' });
  });

  it('while nothing is forwarded they are refused, as all names outside the zones are', async () => {
    const plain = await NameServer.open();
    expectReply(plain.ask('localhost. A'), { rcode: 'REFUSED' });
  });
});
