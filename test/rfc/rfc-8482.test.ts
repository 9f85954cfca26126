// rfc-8482.test.ts -- ANY gets little (RFC 8482 section 4)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
  TXT ${Array.from({ length: 10 }, () => `"${'x'.repeat(200)}"`).join(' ')}
  MX 1 ns
ns A 192.0.2.1
alias CNAME ns
a.empty A 192.0.2.2
child NS ns.child
ns.child A 192.0.2.3
${Array.from({ length: 9 }, (_, i) => `many NS server-number-${i}.many\nserver-number-${i}.many A 192.0.2.1${i}`).join('\n')}
`;

describe('RFC 8482', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE] });
    await server.registerMany('web', 20, { meta: { k: 'v'.repeat(200) } });
  });

  for (const name of ['example.test.', 'ns.example.test.', 'web.service.local.', '_web._tcp.service.local.']) {
    it(`${name}: one HINFO record that says so (4.2)`, () => {
      expectReply(server.ask(`${name} ANY`), {
        rcode: 'NOERROR',
        flags: 'aa rd',
        answer: `${name} 3600 IN HINFO "RFC8482" ""`,
        authority: '',
        additional: '',
      });
    });
  }

  it('an alias is answered as it is (4.2), denials and referrals are what they are', () => {
    expectReply(server.ask('alias.example.test. ANY'), { answer: 'alias.example.test. 300 IN CNAME ns.example.test.' });
    expectReply(server.ask('nobody.example.test. ANY'), { rcode: 'NXDOMAIN', answer: '' });
    expectReply(server.ask('empty.example.test. ANY'), { rcode: 'NOERROR', flags: 'aa rd', answer: '' });
    expectReply(server.ask('_tcp.service.local. ANY'), { rcode: 'NOERROR', flags: 'aa rd', answer: '' });
    expectReply(server.ask('child.example.test. ANY'), {
      flags: 'rd',
      authority: 'child.example.test. 300 IN NS ns.child.example.test.',
    });
  });

  it('a long referral is cut over UDP, and whole over TCP (4.4)', () => {
    for (const edns of [false, 1232]) {
      expectReply(server.ask('x.many.example.test. ANY', { edns }), { flags: 'tc rd', answer: '', authority: '' });
    }
    const whole = server.ask('x.many.example.test. ANY', { transport: 'tcp' });
    assert.equal(whole.authorities.length, 9);
    assert.equal(server.ask('x.many.example.test. A', { edns: 1232 }).authorities.length, 9);
  });

  it('is no larger than four times the question, and the same over TCP', () => {
    for (const name of ['example.test.', 'web.service.local.']) {
      const query = encodeMessage(queryMessage(1, parseQuestion(`${name} ANY`)));
      for (const transport of ['udp', 'tcp'] as const) {
        assert.ok(server.respond(query, transport)!.length <= 4 * query.length);
      }
    }
  });
});
