// rfc-4592.test.ts -- wildcards, with the zone and the questions of its section 2.2.1 (RFC 4592)

import { before, describe, it } from 'node:test';
import { expectReply, NameServer } from '../support/name-server.ts';

const ZONE = `
$ORIGIN example.
$TTL 3600
@                 SOA ns.example.com. host.example.com. 1 3600 600 86400 60
                  NS  ns.example.com.
                  NS  ns.example.net.
*                 TXT "this is a wildcard"
                  MX  10 host1
sub.*             TXT "this is not a wildcard"
host1             A   192.0.2.1
_ssh._tcp.host1   SRV 0 0 22 host1
_ssh._tcp.host2   SRV 0 0 22 host1
subdel            NS  ns.example.com.
                  NS  ns.example.net.
*.alias           CNAME host1
*.chain           CNAME x.alias
`;

const SOA = 'example. 5 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 60';

describe('RFC 4592', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE], domains: [] });
  });

  const synthesised: readonly (readonly [question: string, answer: string])[] = [
    ['host3.example. MX', 'host3.example. 3600 IN MX 10 host1.example.'],
    ['foo.bar.example. TXT', 'foo.bar.example. 3600 IN TXT "this is a wildcard"'],
    ['*.example. TXT', '*.example. 3600 IN TXT "this is a wildcard"'],
    ['a.*.b.example. TXT', 'a.*.b.example. 3600 IN TXT "this is a wildcard"'],
  ];
  for (const [question, answer] of synthesised) {
    it(`synthesises ${question}, with the name that was asked as owner`, () => {
      expectReply(server.ask(question), { rcode: 'NOERROR', flags: 'aa rd', answer, authority: '' });
    });
  }

  const nodata = [
    'host3.example. A',
    'foo.bar.example. A',
    '_tcp.host2.example. A',
    'host2.example. TXT',
    'host1.example. MX',
  ];
  for (const question of nodata) {
    it(`${question} is NODATA`, () => {
      expectReply(server.ask(question), { rcode: 'NOERROR', flags: 'aa rd', answer: '', authority: SOA });
    });
  }

  const blocked = [
    '_telnet._tcp.host1.example. SRV',
    'ghost.*.example. MX',
    'x.sub.*.example. TXT',
    'x.host2.example. TXT',
  ];
  for (const question of blocked) {
    it(`${question} does not exist: a name nearer than the wildcard is in the way`, () => {
      expectReply(server.ask(question), { rcode: 'NXDOMAIN', flags: 'aa rd', answer: '', authority: SOA });
    });
  }

  it('takes no wildcard across a zone cut', () => {
    expectReply(server.ask('host.subdel.example. A'), {
      flags: 'rd',
      answer: '',
      authority: 'subdel.example. 3600 IN NS ns.example.com.\nsubdel.example. 3600 IN NS ns.example.net.',
    });
  });

  it('asked literally, `*` and what is below it are names like others', () => {
    expectReply(server.ask('sub.*.example. TXT'), { answer: 'sub.*.example. 3600 IN TXT "this is not a wildcard"' });
  });

  it('synthesises aliases and goes on from them (section 4.4)', () => {
    expectReply(server.ask('y.chain.example. A'), {
      rcode: 'NOERROR',
      inOrder: true,
      answer: `y.chain.example. 3600 IN CNAME x.alias.example.
        x.alias.example. 3600 IN CNAME host1.example.
        host1.example. 3600 IN A 192.0.2.1`,
    });
  });
});
