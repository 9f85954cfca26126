// rfc-2181.test.ts -- clarifications: RRsets, TC, source addresses, labels (RFC 2181)

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { UdpListener } from '../../src/net/udp.ts';
import { expectReply, NameServer, parseQuestion, texts } from '../support/name-server.ts';

const ZONE = `
$ORIGIN example.test.
@ 300 SOA ns host 1 3600 600 86400 60
  300 NS ns
ns 300 A 192.0.2.1
mixed 300 A 192.0.2.2
mixed 100 A 192.0.2.3
mixed 200 A 192.0.2.2
dot\\.ted 300 A 192.0.2.4
\\000\\001\\032\\255 300 A 192.0.2.5
`;

describe('RFC 2181', () => {
  it('gives all records of a set one TTL (5.2) and drops duplicates (5)', async () => {
    const server = await NameServer.open({ zones: [ZONE] });
    expectReply(server.ask('mixed.example.test. A'), {
      answer: 'mixed.example.test. 100 IN A 192.0.2.2\nmixed.example.test. 100 IN A 192.0.2.3',
    });
    for (const [id, address, ttl] of [
      ['a', '10.0.0.1', '9s'],
      ['b', '10.0.0.1', '7s'],
      ['c', '10.0.0.2', '8s'],
    ]) {
      await server.register('web', id!, { address, port: 80, ttl, meta: { v: '1' } });
    }
    for (const [type, count] of [
      ['A', 2],
      ['SRV', 2],
      ['TXT', 1],
    ] as const) {
      const { answers } = server.ask(`web.service.local. ${type}`);
      assert.deepEqual(new Set(answers.map(({ ttlSeconds }) => ttlSeconds)), new Set([7]), type);
      assert.equal(new Set(texts(answers)).size, answers.length);
      assert.equal(answers.length, count);
    }
  });

  it('sets TC when a set is not whole, and never for additional records alone (9)', async () => {
    const server = await NameServer.open({ domains: [{ name: 'service.local', maxAnswers: 100 }] });
    const seen = new Set<string>();
    for (let count = 1; count <= 20; count++) {
      const address = `10.1.0.${count}`;
      await server.register('web', `web-${count}`, { address, port: 80 });
      const reply = server.ask('web.service.local. SRV');
      const isCut = (reply.flags & FLAG.TC) !== 0;
      assert.equal(isCut, reply.answers.length < count);
      if (isCut) assert.equal(reply.additionals.length, 0);
      seen.add(isCut ? 'cut' : reply.additionals.length < count ? 'no room for additional records' : 'whole');
    }
    assert.equal(seen.size, 3);
  });

  it('takes labels of any octets (11)', async () => {
    const server = await NameServer.open({ zones: [ZONE] });
    expectReply(server.ask('dot\\.ted.example.test. A'), { answer: 'dot\\.ted.example.test. 300 IN A 192.0.2.4' });
    expectReply(server.ask('dot.ted.example.test. A'), { rcode: 'NXDOMAIN' });
    expectReply(server.ask('\\000\\001\\032\\255.example.test. A'), {
      answer: '\\000\\001\\032\\255.example.test. 300 IN A 192.0.2.5',
    });
    expectReply(server.ask('\\255.service.local. A'), { rcode: 'NXDOMAIN' });
  });

  it('answers from the address that was asked, behind a wildcard too (4.1)', async (t) => {
    const server = await NameServer.open();
    const listener = await UdpListener.open(
      { address: '0.0.0.0', port: 0 },
      {
        answer: (query, transport, out, client) => server.handler.respond(query, transport, out, client),
        log: silentLogger,
      },
    );
    t.after(() => listener.close());
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const addresses = own.map(({ address }) => address).filter((address) => address.startsWith('127.'));
    assert.ok(addresses.includes('127.0.0.1'));
    for (const address of addresses) {
      const socket = dgram.createSocket('udp4');
      // A connected socket takes nothing from anybody else.
      socket.connect(listener.endpoint.port, address);
      await once(socket, 'connect');
      const arrived = once(socket, 'message', { signal: AbortSignal.timeout(2000) });
      socket.send(encodeMessage(queryMessage(77, parseQuestion('service.local. SOA'))));
      const [message] = (await arrived) as [Buffer];
      assert.equal(decodeMessage(message).id, 77);
      socket.close();
    }
  });
});
