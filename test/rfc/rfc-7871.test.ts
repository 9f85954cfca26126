// rfc-7871.test.ts -- EDNS client subnet: whom it is believed of, what is malformed, and what a reply says of it

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { formatRcode } from '../../src/dns/codes.ts';
import { COOKIE_SECRET, cookieOption } from '../support/cookies.ts';
import { clientSubnet, NameServer, texts } from '../support/name-server.ts';
import { bytes } from '../support/wire.ts';

const RESOLVER = '127.0.0.1';
const STRANGER = '192.0.2.1';
const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
cut NS ns.elsewhere.test.
`;

describe('RFC 7871', () => {
  let server: NameServer;
  before(async () => {
    server = await NameServer.open({ zones: [ZONE], clientSubnetFrom: ['127.0.0.0/8', '::1'] });
    for (const n of [1, 2]) {
      await server.register('near', `near-${n}`, { address: `10.${n}.0.1`, port: 80 });
      await server.register('plain', `plain-${n}`, { address: `10.9.0.${n}`, port: 80 });
    }
    await server.setPolicy('near', { affinity: { by: 'subnet', mode: 'pin' } });
  });
  const addresses = (name: string, subnet: string, client = RESOLVER) =>
    texts(server.ask(`${name}.service.local. A`, { subnet, client }).answers).map((text) => text.split(' ').at(-1));
  const askWith = (data: string, name = 'near.service.local. A', client = RESOLVER) =>
    server.ask(name, { edns: { options: [{ code: 8, data: bytes(data) }] }, client });

  it('the subnet stands for the client', () => {
    assert.deepEqual(addresses('near', '10.1.0.0/24'), ['10.1.0.1']);
    assert.deepEqual(addresses('near', '10.2.0.77/32'), ['10.2.0.1']);
    assert.deepEqual(addresses('near', '10.3.0.0/24'), []);
    assert.deepEqual(addresses('near', '10.1.0.0/24', STRANGER), [], 'from others it is ignored');
  });

  it('the reply has the option as it was sent, with the scope of what it depends on (7.2.1)', () => {
    const rows = [
      ['near.service.local. A', '10.1.0.0/24', '10.1.0.0/24/24'],
      ['near.service.local. A', '10.1.0.1/32', '10.1.0.1/32/32'],
      ['near.service.local. A', '10.7.0.0/16', '10.7.0.0/16/16'],
      ['near.service.local. A', '2001:db8::/56', '2001:db8::/56/56'],
      ['near.service.local. SRV', '10.1.0.0/24', '10.1.0.0/24/24'],
      ['near.service.local. MX', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['plain.service.local. A', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['plain.service.local. AAAA', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['nobody.service.local. A', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['ns.example.test. A', '2001:db8::/56', '2001:db8::/56/0'],
      ['x.cut.example.test. A', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['out.side. A', '10.1.0.0/24', '10.1.0.0/24/0'],
      ['near.service.local. CH A', '10.1.0.0/24', '10.1.0.0/24/0'],
    ];
    for (const [question, subnet, expected] of rows) {
      const reply = server.ask(question!, { subnet: subnet!, client: RESOLVER });
      assert.equal(clientSubnet(reply), expected, question);
    }
  });

  it('the reply does not have it when the sender is not believed, nor without one', () => {
    for (const client of [STRANGER, '2001:db8::1', '128.0.0.1']) {
      assert.equal(clientSubnet(server.ask('near.service.local. A', { subnet: '10.1.0.0/24', client })), undefined);
      assert.equal(formatRcode(askWith('0001 20 00 0a', undefined, client).rcode), 'NOERROR', 'not even looked at');
    }
    assert.equal(clientSubnet(server.ask('near.service.local. A', { edns: true, client: RESOLVER })), undefined);
    const other = server.ask('near.service.local. A', { subnet: '10.1.0.0/24', client: '::1' });
    assert.equal(clientSubnet(other), '10.1.0.0/24/24');
  });

  it('a source prefix of 0 says nothing of the client, and is answered with scope 0 (7.1.2)', () => {
    for (const data of ['0001 00 00', '0002 00 00', '0000 00 00']) {
      const reply = askWith(data);
      assert.equal(formatRcode(reply.rcode), 'NOERROR');
      assert.equal(Buffer.from(reply.edns!.options[0]!.data).toString('hex'), data.replaceAll(' ', ''));
    }
  });

  it('what is malformed is FORMERR, without the option (6)', () => {
    const rows: readonly (readonly [what: string, data: string])[] = [
      ['empty', ''],
      ['cut short', '0001 18'],
      ['too few octets', '0001 18 00 0a01'],
      ['too many octets', '0001 18 00 0a010000'],
      ['octets without a prefix', '0001 00 00 0a'],
      ['bits behind the prefix', '0001 17 00 0a0101'],
      ['bits behind a prefix of one', '0001 01 00 c0'],
      ['a scope', '0001 18 18 0a0100'],
      ['33 bits of IPv4', '0001 21 00 0a01000000'],
      ['129 bits of IPv6', `0002 81 00 ${'20'.repeat(17)}`],
      ['an unknown family', '0003 08 00 0a'],
      ['no family, and an address', '0000 08 00 0a'],
    ];
    for (const [what, data] of rows) {
      const reply = askWith(data);
      assert.equal(formatRcode(reply.rcode), 'FORMERR', what);
      assert.deepEqual(reply.edns?.options, [], what);
    }
    const twice = [1, 2].map(() => ({ code: 8, data: bytes('0001 18 00 0a0100') }));
    const reply = server.ask('near.service.local. A', { edns: { options: twice }, client: RESOLVER });
    assert.equal(formatRcode(reply.rcode), 'FORMERR', 'two of them');
  });

  it('stays with a cookie and the name of the server, and what is malformed costs only itself', async () => {
    const other = await NameServer.open({
      settings: { cookieSecrets: [COOKIE_SECRET], nsid: 'ns1' },
      clientSubnetFrom: [RESOLVER],
    });
    const more = [cookieOption('0102030405060708'), { code: 3, data: bytes('') }];
    const codes = (subnet: string, client: string) => {
      const options = [{ code: 8, data: bytes(subnet) }, ...more];
      const reply = other.ask('nobody.service.local. A', { edns: { options }, client });
      return [formatRcode(reply.rcode), ...reply.edns!.options.map(({ code }) => code)];
    };
    assert.deepEqual(codes('0001 18 00 0a0100', RESOLVER), ['NXDOMAIN', 10, 3, 8]);
    assert.deepEqual(codes('0001 18 00 0a', RESOLVER), ['FORMERR', 10, 3]);
    assert.deepEqual(codes('0001 18 00 0a0100', STRANGER), ['NXDOMAIN', 10, 3]);
  });

  it('a version of EDNS that is not spoken here says nothing about its options', () => {
    const options = [{ code: 8, data: bytes('0001 21 00 00') }];
    const reply = server.ask('near.service.local. A', { edns: { version: 1, options }, client: RESOLVER });
    assert.equal(formatRcode(reply.rcode), 'BADVERS');
  });

  it('a client that is known in part is in a network only where all of it is', async () => {
    await server.register('web', 'web-1', { address: '10.9.1.1', port: 80 });
    await server.register('web', 'web-2', { address: '10.9.1.2', port: 80, tags: ['v2'] });
    await server.setPolicy('web', { routes: [{ match: { tags: ['v2'] }, client: ['10.20.0.0/16'] }] });
    assert.deepEqual(addresses('web', '10.20.1.0/24'), ['10.9.1.2']);
    assert.deepEqual(addresses('web', '10.20.0.0/16'), ['10.9.1.2']);
    assert.deepEqual(addresses('web', '10.0.0.0/8'), ['10.9.1.1']);
    const reply = server.ask('web.service.local. A', { subnet: '10.0.0.0/8', client: RESOLVER });
    assert.equal(clientSubnet(reply), '10.0.0.0/8/8', 'that it is not in there depends on the client as well');
  });

  it('an unsticky share is not for one client only, a sticky one is', async () => {
    await server.setPolicy('web', { routes: [{ match: { tags: ['v2'] }, percent: 50 }] });
    const scopeOf = () => clientSubnet(server.ask('web.service.local. A', { subnet: '10.1.0.0/24', client: RESOLVER }));
    assert.equal(scopeOf(), '10.1.0.0/24/0');
    await server.setPolicy('web', { routes: [{ match: { tags: ['v2'] }, percent: 50, sticky: true }] });
    assert.equal(scopeOf(), '10.1.0.0/24/24');
  });
});
