// rfc-9471.test.ts -- referrals carry their glue, or say that they do not (RFC 9471 section 3)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FLAG } from '../../src/dns/header.ts';
import { expectReply, NameServer } from '../support/name-server.ts';

const SERVERS = Array.from({ length: 12 }, (_, i) => i);

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
small NS ns.small
      NS ns.sibling
      NS ns
      NS ns.elsewhere.org.
ns.small A 192.0.2.2
         AAAA 2001:db8::2
sibling NS ns.sibling
ns.sibling A 192.0.2.3
large NS ns0.large
${SERVERS.map((i) => ` NS ns${i}.large`).join('\n')}
${SERVERS.map((i) => `ns${i}.large A 192.0.2.${i + 10}\n AAAA 2001:db8::${i + 10}`).join('\n')}
alias CNAME x.small
`;

describe('RFC 9471', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE], domains: [] });
  });

  it('has addresses of every server below the cut, and of its siblings (3.1, 3.2)', () => {
    expectReply(server.ask('x.small.example.test. A'), {
      flags: 'rd',
      additional: `ns.small.example.test. 300 IN A 192.0.2.2
        ns.small.example.test. 300 IN AAAA 2001:db8::2
        ns.sibling.example.test. 300 IN A 192.0.2.3
        ns.example.test. 300 IN A 192.0.2.1`,
    });
  });

  it('has it behind an alias too', () => {
    assert.equal(server.ask('alias.example.test. A').additionals.length, 4);
  });

  it('sets TC when not all glue fits, and has all of it where there is room', () => {
    for (const options of [{}, { edns: 512 }] as const) {
      const cut = server.ask('x.large.example.test. A', options);
      assert.ok((cut.flags & FLAG.TC) !== 0);
      assert.ok(cut.additionals.length < 24);
    }
    for (const options of [{ edns: 1232 }, { transport: 'tcp' }] as const) {
      const whole = server.ask('x.large.example.test. A', options);
      assert.equal(whole.flags & FLAG.TC, 0);
      assert.equal(whole.authorities.length, 12);
      assert.equal(whole.additionals.length, 24);
    }
  });
});
