// rfc-8020.test.ts -- NXDOMAIN means that there is nothing below either (RFC 8020 section 2)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatRcode } from '../../src/dns/codes.ts';
import { NameServer } from '../support/name-server.ts';

const ZONE = `
$ORIGIN service.local.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
a.b.c.deep TXT "far down"
`;

describe('RFC 8020', () => {
  it('denies no name that has existing names below it', async () => {
    const server = await NameServer.open({ zones: [ZONE] });
    await server.register('web', 'web-1', {
      address: '10.0.0.1',
      port: 80,
      tags: ['v1', 'eu', 'big', 'red'],
      ports: { http: 80, stats: { port: 8125, proto: 'udp' } },
    });
    await server.register('db', 'db-1', {
      address: '2001:db8::1',
      port: 80,
      tags: ['v2'],
      checks: [{ type: 'heartbeat' }],
    });
    await server.setPolicy('later', { maxAnswers: 1 });
    const existing = [
      'a.b.c.deep',
      'web',
      '_web._tcp',
      '_web._udp',
      '_db._v2',
      '_later._tcp',
      '_http._tcp.web',
      '_stats._udp.web',
      'v1.web',
      'v1.eu.big.red.web',
      'red.v1.eu.big.web',
      'v2.db',
      '10-0-0-1.addr',
      '2001-db8-0-0-0-0-0-1.addr',
    ];
    let checked = 0;
    for (const name of existing) {
      const labels = name.split('.');
      for (let from = 0; from <= labels.length; from++) {
        const ancestor = [...labels.slice(from), 'service.local.'].join('.');
        for (const type of ['A', 'SRV', 'NS', 'TYPE999']) {
          assert.equal(formatRcode(server.ask(`${ancestor} ${type}`).rcode), 'NOERROR', `${ancestor} ${type}`);
          checked++;
        }
      }
    }
    assert.ok(checked > 100);
  });

  it('denies everything below a name that it denies', async () => {
    const server = await NameServer.open({ zones: [ZONE] });
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80, tags: ['v1'], ports: { http: 80 } });
    const denied = [
      'nobody',
      '_nobody._tcp',
      'v2.web',
      '_udp.web',
      '_v2',
      '10-0-0-2.addr',
      'x.deep',
      'x._web._tcp',
      '_x._tcp.web',
    ];
    const below = ['v1', 'web', '_tcp', '_web', '_http', 'addr', '10-0-0-1', 'a', '*'];
    for (const name of denied) {
      for (const label of ['', ...below.map((each) => `${each}.`), 'v1.web.', '_http._tcp.', 'a.b.c.']) {
        const question = `${label}${name}.service.local. A`;
        assert.equal(formatRcode(server.ask(question).rcode), 'NXDOMAIN', question);
      }
    }
  });
});
