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

/** Of those of RFC 6761 and RFC 6303, see there. */
describe('a special name', () => {
  const cases: readonly [question: string, rcode: string][] = [
    ['printer.local. A', 'NXDOMAIN'],
    ['abc.onion. A', 'NXDOMAIN'],
    ['a.alt. A', 'NXDOMAIN'],
    ['_dns.resolver.arpa. SVCB', 'NOERROR'],
    ['1.64.100.in-addr.arpa. PTR', 'NXDOMAIN'],
    ['1.127.100.in-addr.arpa. PTR', 'NXDOMAIN'],
  ];
  for (const [question, rcode] of cases) {
    it(`is answered here: ${question}`, () => {
      const reply = server.ask(question.replace(' ', ' IN '));
      expectReply(reply, { rcode, answer: '' });
      assert.equal(reply.authorities.length, 1, 'with a SOA record');
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
