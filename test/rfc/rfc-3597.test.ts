// rfc-3597.test.ts -- unknown types are opaque (RFC 3597 sections 3, 4, 5)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { expectReply, NameServer, parseQuestion } from '../support/name-server.ts';
import { hexOf } from '../support/wire.ts';

// RDATA that looks like a name, and one that looks like a pointer.
const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
odd TYPE65280 \\# 14 076578616D706C65 0474657374 00
    TYPE65281 \\# 2 C00C
    TYPE65282 \\# 0
a   CLASS1 TYPE1 \\# 4 C0000207
srv SRV 1 2 3 ns
`;

describe('RFC 3597', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE] });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
  });

  const respond = (question: string) => server.respond(encodeMessage(queryMessage(1, parseQuestion(question))))!;

  it('answers an unknown type at an existing name with NODATA, at others with NXDOMAIN', () => {
    for (const type of ['TYPE65280', 'TYPE1000', 'TYPE0', 'TYPE54', 'TYPE65535']) {
      expectReply(server.ask(`ns.example.test. ${type}`), { rcode: 'NOERROR', flags: 'aa rd', answer: '' });
      expectReply(server.ask(`web.service.local. ${type}`), { rcode: 'NOERROR', flags: 'aa rd', answer: '' });
      expectReply(server.ask(`nobody.example.test. ${type}`), { rcode: 'NXDOMAIN' });
    }
  });

  it('sends unknown RDATA octet for octet: neither compressed nor expanded (4)', () => {
    assert.ok(hexOf(respond('odd.example.test. TYPE65280')).endsWith('000e076578616d706c65047465737400'));
    assert.ok(hexOf(respond('odd.example.test. TYPE65281')).endsWith('0002c00c'));
    assert.ok(hexOf(respond('odd.example.test. TYPE65282')).endsWith('0000'));
  });

  it('does not compress names in types that came after RFC 1035 (4)', () => {
    assert.ok(hexOf(respond('srv.example.test. SRV')).includes('000100020003026e73076578616d706c65047465737400'));
  });

  it('reads and writes \\# (5), and a known type so written is that type', () => {
    expectReply(server.ask('odd.example.test. TYPE65280'), {
      answer: 'odd.example.test. 300 IN TYPE65280 \\# 14 076578616D706C65047465737400',
    });
    expectReply(server.ask('a.example.test. A'), { answer: 'a.example.test. 300 IN A 192.0.2.7' });
  });
});
