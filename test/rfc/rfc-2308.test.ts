// rfc-2308.test.ts -- negative answers and how long they may be kept (RFC 2308 sections 2, 3, 5)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatType, TYPE } from '../../src/dns/codes.ts';
import { soaMinimum } from '../../src/dns/rdata/basic.ts';
import { expectReply, NameServer } from '../support/name-server.ts';

function zone(soaTtlSeconds: number, minimumSeconds: number): string {
  return `$ORIGIN service.local.
@ ${soaTtlSeconds} SOA ns host 1 3600 600 86400 ${minimumSeconds}
  60 NS ns
ns 60 A 192.0.2.1
toward 60 CNAME nobody
`;
}

describe('RFC 2308', () => {
  // The SOA's own TTL, its MINIMUM, the configured negative TTL.
  const rows = [
    [300, 60, 5],
    [300, 4, 5],
    [3, 60, 5],
    [0, 60, 5],
    [300, 0, 5],
    [300, 60, 0],
    [300, 60, 600],
  ] as const;
  const denials = [
    ['nobody.service.local. A', 'NXDOMAIN'],
    ['a.b.nobody.service.local. MX', 'NXDOMAIN'],
    ['toward.service.local. A', 'NXDOMAIN'],
    ['ns.service.local. AAAA', 'NOERROR'],
    ['service.local. A', 'NOERROR'],
    ['web.service.local. AAAA', 'NOERROR'],
    ['_tcp.service.local. A', 'NOERROR'],
    ['down.service.local. A', 'NOERROR'],
  ] as const;
  for (const [soaTtlSeconds, minimumSeconds, negativeTtlSeconds] of rows) {
    const least = Math.min(soaTtlSeconds, minimumSeconds, negativeTtlSeconds);
    it(`lets denials be kept ${least} s of ${soaTtlSeconds}, ${minimumSeconds}, ${negativeTtlSeconds}`, async () => {
      const server = await NameServer.open({
        zones: [zone(soaTtlSeconds, minimumSeconds)],
        domains: [{ name: 'service.local', negativeTtlSeconds }],
      });
      await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
      await server.register('down', 'down-1', { address: '10.0.0.2', port: 80, checks: [{ type: 'heartbeat' }] });
      for (const [question, rcode] of denials) {
        const reply = server.ask(question);
        expectReply(reply, { rcode, flags: 'aa rd', additional: '' });
        assert.ok(reply.answers.every(({ type }) => type === TYPE.CNAME));
        assert.deepEqual(
          reply.authorities.map(({ type }) => formatType(type)),
          ['SOA'],
        );
        const [soa] = reply.authorities;
        assert.equal(soa!.ttlSeconds, least);
        assert.equal(soaMinimum(soa!.rdata), minimumSeconds, 'the record itself is as it is');
      }
      assert.equal(server.ask('service.local. SOA').answers[0]!.ttlSeconds, soaTtlSeconds);
    });
  }

  it('sends no SOA with answers and referrals (2.2)', async () => {
    const server = await NameServer.open({ zones: [`${zone(60, 60)}cut 60 NS ns.elsewhere.test.\n`] });
    expectReply(server.ask('ns.service.local. A'), { authority: '' });
    expectReply(server.ask('x.cut.service.local. A'), { authority: 'cut.service.local. 60 IN NS ns.elsewhere.test.' });
  });
});
