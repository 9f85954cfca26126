// rfc-1034.test.ts -- concepts: authority, names, aliases, referrals (RFC 1034 sections 3.6, 4.2, 4.3)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FLAG } from '../../src/dns/header.ts';
import { formatName } from '../../src/dns/name.ts';
import { expectReply, NameServer } from '../support/name-server.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@     SOA ns host 1 3600 600 86400 60
      NS  ns
ns    A   192.0.2.1
www   A   192.0.2.2
      MX  10 mail
mail  A   192.0.2.3
one   CNAME two
two   CNAME three
three A   192.0.2.4
away  CNAME www.elsewhere.test.
loop  CNAME pool
pool  CNAME loop
self  CNAME self
lost  CNAME nobody
child NS  ns.child
      NS  ns.elsewhere.test.
ns.child A 192.0.2.5
`;

describe('RFC 1034', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE], domains: ['service.local'] });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
  });

  for (const question of [
    'www.example.test. A',
    'nobody.example.test. A',
    'www.example.test. TXT',
    'web.service.local. A',
  ]) {
    it(`answers ${question} with authority (4.3.1)`, () => {
      const reply = server.ask(question);
      assert.ok((reply.flags & FLAG.AA) !== 0);
      assert.equal(reply.flags & FLAG.RA, 0, 'recursion is not offered');
    });
  }

  it('copies id, question and RD (4.1.1 of RFC 1035), and says nothing of its own in them', () => {
    for (const [id, flags] of [
      [0, 0],
      [0xffff, FLAG.RD],
      [0x1234, FLAG.RD],
    ] as const) {
      const reply = server.ask('www.example.test. MX', { id, flags });
      assert.equal(reply.id, id);
      assert.equal(reply.flags & FLAG.RD, flags);
      const [question] = reply.questions;
      assert.deepEqual([formatName(question!.name), question!.type, question!.class], ['www.example.test.', 15, 1]);
    }
  });

  it('follows aliases within the zone and answers all of the way (3.6.2)', () => {
    expectReply(server.ask('one.example.test. A'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      inOrder: true,
      answer: `one.example.test. 300 IN CNAME two.example.test.
        two.example.test. 300 IN CNAME three.example.test.
        three.example.test. 300 IN A 192.0.2.4`,
      authority: '',
    });
  });

  it('does not follow an alias when the alias is what was asked for', () => {
    expectReply(server.ask('one.example.test. CNAME'), {
      answer: 'one.example.test. 300 IN CNAME two.example.test.',
      authority: '',
    });
  });

  it('leaves an alias out of its zones to the client', () => {
    expectReply(server.ask('away.example.test. A'), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'away.example.test. 300 IN CNAME www.elsewhere.test.',
      authority: '',
    });
  });

  it('ends alias loops, with each alias once', () => {
    expectReply(server.ask('loop.example.test. A'), {
      rcode: 'NOERROR',
      answer: `loop.example.test. 300 IN CNAME pool.example.test.
        pool.example.test. 300 IN CNAME loop.example.test.`,
    });
    expectReply(server.ask('self.example.test. A'), {
      rcode: 'NOERROR',
      answer: 'self.example.test. 300 IN CNAME self.example.test.',
    });
  });

  it('bounds a chain of aliases', async () => {
    const chain = Array.from({ length: 100 }, (_, i) => `c${i} CNAME c${i + 1}`).join('\n');
    const long = await NameServer.open({ zones: [`${ZONE}${chain}\nc100 A 192.0.2.9\n`], domains: [] });
    const { answers } = long.ask('c0.example.test. A', { transport: 'tcp' });
    assert.ok(answers.length > 8 && answers.length < 100, `${answers.length}`);
    expectReply(long.ask('c95.example.test. A'), { rcode: 'NOERROR' });
    assert.equal(long.ask('c95.example.test. A').answers.length, 6);
  });

  for (const question of ['child.example.test. A', 'a.b.child.example.test. MX', 'ns.child.example.test. A']) {
    it(`refers ${question}, without AA, with NS of the cut and glue (4.3.2 step 3b)`, () => {
      expectReply(server.ask(question), {
        rcode: 'NOERROR',
        flags: 'rd',
        answer: '',
        authority: `child.example.test. 300 IN NS ns.child.example.test.
          child.example.test. 300 IN NS ns.elsewhere.test.`,
        additional: 'ns.child.example.test. 300 IN A 192.0.2.5',
      });
    });
  }

  it('adds addresses of names that NS and MX point to (4.3.2 step 6)', () => {
    expectReply(server.ask('www.example.test. MX'), {
      answer: 'www.example.test. 300 IN MX 10 mail.example.test.',
      additional: 'mail.example.test. 300 IN A 192.0.2.3',
    });
    expectReply(server.ask('example.test. NS'), { additional: 'ns.example.test. 300 IN A 192.0.2.1' });
  });

  for (const question of [
    'example.org. A',
    'test. SOA',
    '. NS',
    'xexample.test. A',
    'example.test.org. A',
    'local. SOA',
  ]) {
    it(`refuses ${question}: no zone of ours, and no upward referral`, () => {
      expectReply(server.ask(question), { rcode: 'REFUSED', flags: 'rd', answer: '', authority: '', additional: '' });
    });
  }
});
