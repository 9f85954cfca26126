// rfc-2782.test.ts -- SRV: targets, weights, additional addresses (RFC 2782)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { formatName, nameKey } from '../../src/dns/name.ts';
import { srvTarget } from '../../src/dns/rdata/locating.ts';
import { expectReply, NameServer, parseQuestion, texts } from '../support/name-server.ts';

const ZONE = `
$ORIGIN service.local.
$TTL 60
@ SOA ns host 1 3600 600 86400 5
  NS ns
ns A 192.0.2.1
_none._tcp SRV 0 0 0 .
_static._tcp SRV 1 2 3 ns
`;

async function open(): Promise<NameServer> {
  const server = await NameServer.open({ zones: [ZONE] });
  await server.register('web', 'web-1', { address: '10.0.0.1', port: 8001, weight: 5, ports: { http: 80 } });
  await server.register('web', 'web-2', { address: '2001:db8::2', port: 8002, weight: 0, ports: { http: 81 } });
  await server.register('web', 'web-3', {
    address: '10.0.0.3',
    port: 8003,
    weight: 9,
    tags: ['v1'],
    ports: { http: 82 },
  });
  return server;
}

const NAMES = ['web', '_web._tcp', '_web._udp', '_web._v1', '_http._tcp.web', 'v1.web'];

describe('RFC 2782', () => {
  for (const name of NAMES) {
    it(`${name}: every target is a name with an address of its own, which is in the additional section`, async () => {
      const server = await open();
      const reply = server.ask(`${name}.service.local. SRV`, { edns: true });
      assert.ok(reply.answers.length > 0);
      const given = new Map(reply.additionals.map((record) => [nameKey(record.name), record]));
      assert.equal(given.size, reply.answers.length);
      for (const { rdata } of reply.answers) {
        const target = srvTarget(rdata);
        assert.match(formatName(target), /^[0-9a-f-]+\.addr\.service\.local\.$/);
        const isV4 = given.get(nameKey(target))!.type === TYPE.A;
        const asked = server.ask(`${formatName(target)} ${isV4 ? 'A' : 'AAAA'}`);
        assert.deepEqual(texts(asked.answers), texts([given.get(nameKey(target))!]), 'no alias, the same address');
      }
    });
  }

  it('never compresses targets', async () => {
    const server = await open();
    for (const name of [...NAMES, '_static._tcp']) {
      const query = encodeMessage(queryMessage(1, parseQuestion(`${name}.service.local. SRV`)));
      const octets = Buffer.from(server.respond(query)!);
      const { answers } = decodeMessage(octets);
      assert.ok(answers.length > 0);
      for (const { rdata } of answers) assert.ok(octets.includes(Buffer.from(srvTarget(rdata))), name);
    }
  });

  it('gives weight 0 to those that should hardly be chosen, and lists them last', async () => {
    const server = await open();
    for (const strategy of ['round-robin', 'random', 'weighted']) {
      await server.setPolicy('web', { strategy });
      for (let i = 0; i < 20; i++) {
        const weights = server.ask('web.service.local. SRV').answers.map(({ rdata }) => (rdata[2]! << 8) | rdata[3]!);
        assert.deepEqual(
          weights.map((weight) => weight > 0),
          [true, true, false],
        );
      }
    }
  });

  it('serves a target of "." as it is: decidedly not available', async () => {
    const server = await open();
    expectReply(server.ask('_none._tcp.service.local. SRV'), {
      answer: '_none._tcp.service.local. 60 IN SRV 0 0 0 .',
      additional: '',
    });
  });

  it('adds addresses for static targets too', async () => {
    const server = await open();
    expectReply(server.ask('_static._tcp.service.local. SRV'), {
      answer: '_static._tcp.service.local. 60 IN SRV 1 2 3 ns.service.local.',
      additional: 'ns.service.local. 60 IN A 192.0.2.1',
    });
  });
});
