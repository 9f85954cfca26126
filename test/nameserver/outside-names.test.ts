// outside-names.test.ts -- special names are answered here, others forwarded for those who may ask

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { CLASS, parseType } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import { type AskOptions, expectReply, NameServer } from '../support/name-server.ts';

const RULES = {
  allow: [...parseNetwork('loopback')!, ...parseNetwork('10.0.0.0/8')!],
  passSpecial: [parseName('home.arpa.')],
};
const server = await NameServer.open({ settings: { forward: RULES }, claimLocal: true });

/** What answering comes to: the length of a reply, or a verdict. */
function verdictOf(
  question: string,
  { client = '127.0.0.1', flags = FLAG.RD, edns = false }: Omit<AskOptions, 'edns'> & { edns?: boolean } = {},
): number {
  const [name, type] = question.split(' ') as [string, string];
  const opt = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: true, options: [] };
  const asked = { name: parseName(name), type: parseType(type)!, class: CLASS.IN };
  const query = encodeMessage({ ...queryMessage(1, asked, edns ? opt : undefined), flags });
  return server.handler.respond(query, 'udp', new Uint8Array(65_535), new AddressClient(client));
}

describe('a name outside every zone', () => {
  for (const question of [
    'www.example.com. A',
    '. NS',
    'com. DS',
    'www.example.com. TYPE65280',
    'www.example.com. ANY',
    'invalid.example.com. A',
    '8.8.8.8.in-addr.arpa. PTR',
    '1.15.172.in-addr.arpa. PTR',
    '1.32.172.in-addr.arpa. PTR',
    'printer.home.arpa. A',
    'ipv4only.arpa. AAAA',
    // A stub that counts on its own `localdomain`.
    'localhost.example.com. A',
  ]) {
    it(`is forwarded: ${question}`, () => assert.equal(verdictOf(question), FORWARD));
  }

  it('is refused to strangers', () => {
    const reply = server.ask('www.example.com. IN A', { client: '203.0.113.9', edns: true });
    expectReply(reply, { rcode: 'REFUSED' });
    assert.equal(verdictOf('www.example.com. A', { client: '203.0.113.9' }) > 0, true);
    assert.equal(verdictOf('www.example.com. A', { client: '10.9.9.9' }), FORWARD);
    assert.equal(verdictOf('www.example.com. A', { client: '2001:db8::1' }) > 0, true);
    // The same with special names.
    expectReply(server.ask('localhost. IN A', { client: '203.0.113.9' }), { rcode: 'REFUSED' });
  });

  it('is refused to who does not ask for recursion, and in meta types and other classes', () => {
    expectReply(server.ask('www.example.com. IN A', { flags: 0 }), { rcode: 'REFUSED' });
    for (const type of ['AXFR', 'IXFR', 'TKEY', 'MAILB', 'TYPE0']) {
      expectReply(server.ask(`www.example.com. IN ${type}`), { rcode: 'REFUSED' });
    }
    expectReply(server.ask('www.example.com. CH A'), { rcode: 'REFUSED' });
  });

  it('does not touch names of ours', () => {
    expectReply(server.ask('nobody.service.local. IN A'), { rcode: 'NXDOMAIN' });
    expectReply(server.ask('local. IN SOA'), { rcode: 'NOERROR' });
  });
});

describe('a special name', () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ['localhost. A', 'NOERROR', ['localhost. 10800 IN A 127.0.0.1']],
    ['a.LocalHost. A', 'NOERROR', ['a.LocalHost. 10800 IN A 127.0.0.1']],
    ['localhost. AAAA', 'NOERROR', ['localhost. 10800 IN AAAA ::1']],
    ['localhost. MX', 'NOERROR', []],
    ['1.0.0.127.in-addr.arpa. PTR', 'NOERROR', ['1.0.0.127.in-addr.arpa. 10800 IN PTR localhost.']],
    ['2.0.0.127.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['0.127.in-addr.arpa. PTR', 'NOERROR', []],
    ['invalid. A', 'NXDOMAIN', []],
    ['a.b.test. A', 'NXDOMAIN', []],
    ['printer.local. A', 'NXDOMAIN', []],
    ['abc.onion. A', 'NXDOMAIN', []],
    ['a.alt. A', 'NXDOMAIN', []],
    ['_dns.resolver.arpa. SVCB', 'NOERROR', []],
    ['1.0.0.10.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['10.in-addr.arpa. NS', 'NOERROR', ['10.in-addr.arpa. 10800 IN NS 10.in-addr.arpa.']],
    ['10.in-addr.arpa. A', 'NOERROR', []],
    ['5.16.172.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['5.31.172.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['1.168.192.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['1.64.100.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['1.127.100.in-addr.arpa. PTR', 'NXDOMAIN', []],
    ['0.d.f.ip6.arpa. PTR', 'NXDOMAIN', []],
    ['0.8.e.f.ip6.arpa. PTR', 'NXDOMAIN', []],
    [`1.${'0.'.repeat(31)}ip6.arpa. PTR`, 'NOERROR', [`1.${'0.'.repeat(31)}ip6.arpa. 10800 IN PTR localhost.`]],
  ];
  for (const [question, rcode, answer] of cases) {
    it(`is answered here: ${question}`, () => {
      const reply = server.ask(question.replace(' ', ' IN '));
      expectReply(reply, { rcode, answer: answer.join('\n') });
      if (answer.length === 0) assert.equal(reply.authorities.length, 1, 'with a SOA record');
    });
  }

  it('home.arpa is proven to be unsigned by its real servers only', async () => {
    const plain = await NameServer.open({ settings: { forward: { ...RULES, passSpecial: [] } } });
    expectReply(plain.ask('a.home.arpa. IN A'), { rcode: 'NXDOMAIN' });
    expectReply(plain.ask('home.arpa. IN DS'), { rcode: 'NOERROR' });
  });

  it('is refused as ever while nothing is forwarded', async () => {
    const plain = await NameServer.open();
    expectReply(plain.ask('localhost. IN A'), { rcode: 'REFUSED' });
  });
});
