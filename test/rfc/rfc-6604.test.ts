// rfc-6604.test.ts -- rcode and AA of answers that begin with aliases (RFC 6604, RFC 2308 section 2.1)

import { before, describe, it } from 'node:test';
import { expectReply, NameServer } from '../support/name-server.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
nowhere CNAME nobody
far     CNAME nowhere
nothing CNAME ns
across  CNAME x.child
outside CNAME www.elsewhere.org.
other   CNAME www.other.test.
gone    CNAME nobody.other.test.
service CNAME web.service.local.
late    CNAME nobody.service.local.
child   NS ns.elsewhere.org.
`;
const OTHER = `
$ORIGIN other.test.
$TTL 300
@ SOA ns host 2 3600 600 86400 60
  NS ns
ns  A 192.0.2.2
www A 192.0.2.3
`;
const SOA = 'example.test. 5 IN SOA ns.example.test. host.example.test. 1 3600 600 86400 60';

describe('RFC 6604', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE, OTHER] });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
    await server.register('pay', 'pay-1', { address: 'nobody.example.test', port: 80 });
  });

  it('the rcode is that of the end: an alias of a name that does not exist is NXDOMAIN (3)', () => {
    expectReply(server.ask('nowhere.example.test. A'), {
      rcode: 'NXDOMAIN',
      flags: 'aa rd',
      answer: 'nowhere.example.test. 300 IN CNAME nobody.example.test.',
      authority: SOA,
    });
    expectReply(server.ask('far.example.test. MX'), {
      rcode: 'NXDOMAIN',
      flags: 'aa rd',
      answer: `far.example.test. 300 IN CNAME nowhere.example.test.
        nowhere.example.test. 300 IN CNAME nobody.example.test.`,
      authority: SOA,
    });
  });

  it('a service that is an alias is no exception', () => {
    expectReply(server.ask('pay.service.local. A'), {
      rcode: 'NXDOMAIN',
      answer: 'pay.service.local. 5 IN CNAME nobody.example.test.',
      authority: SOA,
    });
  });

  it('an alias of a name without such records is NODATA', () => {
    expectReply(server.ask('nothing.example.test. MX'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'nothing.example.test. 300 IN CNAME ns.example.test.',
      authority: SOA,
    });
  });

  it('AA is about the first owner: it stays when the way ends in a referral or outside (2.1)', () => {
    expectReply(server.ask('across.example.test. A'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'across.example.test. 300 IN CNAME x.child.example.test.',
      authority: 'child.example.test. 300 IN NS ns.elsewhere.org.',
    });
    expectReply(server.ask('outside.example.test. A'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'outside.example.test. 300 IN CNAME www.elsewhere.org.',
      authority: '',
    });
  });

  it('goes on in another zone of ours, and ends with its SOA', () => {
    expectReply(server.ask('other.example.test. A'), {
      rcode: 'NOERROR',
      answer: `other.example.test. 300 IN CNAME www.other.test.
        www.other.test. 300 IN A 192.0.2.3`,
    });
    expectReply(server.ask('gone.example.test. A'), {
      rcode: 'NXDOMAIN',
      authority: 'other.test. 5 IN SOA ns.other.test. host.other.test. 2 3600 600 86400 60',
    });
    expectReply(server.ask('service.example.test. A'), {
      rcode: 'NOERROR',
      answer: `service.example.test. 300 IN CNAME web.service.local.
        web.service.local. 5 IN A 10.0.0.1`,
    });
    expectReply(server.ask('late.example.test. A'), { rcode: 'NXDOMAIN' });
  });
});
