// rfc-4035.test.ts -- what a server without signatures owes to those who look for them (RFC 4035 section 3.1)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FLAG } from '../../src/dns/header.ts';
import { expectReply, NameServer } from '../support/name-server.ts';

const PARENT = `
$ORIGIN test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
signed NS ns.elsewhere.
       DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
plain  NS ns.elsewhere.
child  NS ns.child
       DS 60486 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns.child A 192.0.2.2
`;
const CHILD = `
$ORIGIN child.test.
$TTL 300
@ SOA ns host 2 3600 600 86400 60
  NS ns
ns A 192.0.2.2
`;
const UNDELEGATED = `
$ORIGIN apart.test.
$TTL 300
@ SOA ns host 3 3600 600 86400 60
  NS ns
ns A 192.0.2.3
`;

describe('RFC 4035', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [PARENT, CHILD, UNDELEGATED], domains: [] });
  });

  it('answers DS from the parent side of a cut, with authority (3.1.4.1)', () => {
    expectReply(server.ask('signed.test. DS'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'signed.test. 300 IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    });
    expectReply(server.ask('plain.test. DS'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: '',
      authority: 'test. 5 IN SOA ns.test. host.test. 1 3600 600 86400 60',
    });
  });

  it('does so when it serves the child as well', () => {
    expectReply(server.ask('child.test. DS'), {
      flags: 'aa rd',
      answer: 'child.test. 300 IN DS 60486 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    });
    expectReply(server.ask('child.test. NS'), { flags: 'aa rd', answer: 'child.test. 300 IN NS ns.child.test.' });
  });

  it('answers DS from the zone itself where nothing above it is ours, or nothing there delegates it', () => {
    expectReply(server.ask('test. DS'), {
      rcode: 'NOERROR',
      answer: '',
      authority: 'test. 5 IN SOA ns.test. host.test. 1 3600 600 86400 60',
    });
    expectReply(server.ask('apart.test. DS'), {
      rcode: 'NOERROR',
      answer: '',
      authority: 'apart.test. 5 IN SOA ns.apart.test. host.apart.test. 3 3600 600 86400 60',
    });
  });

  it('refers DS below a cut', () => {
    expectReply(server.ask('x.signed.test. DS'), { flags: 'rd', authority: 'signed.test. 300 IN NS ns.elsewhere.' });
  });

  it('clears CD, and never sets AD (3.1.6)', () => {
    for (const question of ['ns.test. A', 'nobody.test. A', 'x.plain.test. A', 'elsewhere. A']) {
      for (const flags of [FLAG.CD, FLAG.AD, FLAG.CD | FLAG.AD | FLAG.RD]) {
        const reply = server.ask(question, { flags, edns: { dnssecOk: true } });
        assert.equal(reply.flags & (FLAG.CD | FLAG.AD), 0);
      }
    }
  });

  it('copies DO and invents neither signatures nor proofs (3.1, RFC 3225)', () => {
    const reply = server.ask('nobody.test. A', { edns: { dnssecOk: true } });
    assert.equal(reply.edns!.dnssecOk, true);
    expectReply(reply, { authority: 'test. 5 IN SOA ns.test. host.test. 1 3600 600 86400 60', additional: '' });
  });
});
