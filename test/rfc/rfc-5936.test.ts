// rfc-5936.test.ts -- zones whole, to those who may have them (AXFR, RFC 5936)

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, nameKey } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { soaSerial } from '../../src/dns/rdata/basic.ts';
import { groupRecords, type ResourceRecord } from '../../src/dns/rrset.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import type { Transport } from '../../src/nameserver/query-counters.ts';
import { TRANSFER } from '../../src/nameserver/verdict.ts';
import { expectReply, NameServer, type NameServerOptions, parseQuestion, texts } from '../support/name-server.ts';
import { recordsOfTransfer, transferOf } from '../support/zone-transfer.ts';

const ALLOWED = { settings: { transferTo: parseNetwork('127.0.0.1')! } };
const ZONE = `
$ORIGIN service.local.
$TTL 300
@ SOA ns host 7 3600 600 86400 60
  NS ns
ns A 192.0.2.1
web A 192.0.2.80
alias CNAME ns
cut NS ns.cut
ns.cut A 192.0.2.53
*.wild TXT "any"
`;

describe('RFC 5936', () => {
  it('nobody gets a zone who is not named (5)', async () => {
    const server = await NameServer.open();
    for (const transport of ['udp', 'tcp', 'tls', 'https'] as const) {
      const reply = server.ask('service.local. AXFR', { transport, edns: true });
      expectReply(reply, { rcode: 'REFUSED', answer: '' });
    }
    const open = await NameServer.open(ALLOWED);
    expectReply(open.ask('service.local. AXFR', { transport: 'tcp', client: '192.0.2.9' }), { rcode: 'REFUSED' });
  });

  describe('who is named', () => {
    let server: NameServer;
    before(async () => {
      server = await NameServer.open(ALLOWED);
    });
    const VERDICTS: [question: string, transport: Transport, verdict: 'zone' | string][] = [
      ['service.local. AXFR', 'tcp', 'zone'],
      ['SERVICE.local. AXFR', 'tls', 'zone'],
      ['service.local. AXFR', 'udp', 'REFUSED'],
      ['service.local. AXFR', 'https', 'REFUSED'],
      ['ns.service.local. AXFR', 'tcp', 'NOTAUTH'],
      ['local. AXFR', 'tcp', 'NOTAUTH'],
      ['example.org. AXFR', 'tcp', 'NOTAUTH'],
      ['service.local. IXFR', 'tcp', 'FORMERR'],
    ];
    for (const [question, transport, verdict] of VERDICTS) {
      it(`${question} over ${transport}: ${verdict} (2.2.1, 4)`, () => {
        if (verdict === 'zone') assert.equal(verdictOf(server, question, transport), TRANSFER);
        else expectReply(server.ask(question, { transport }), { rcode: verdict, answer: '' });
      });
    }
    it('gets SERVFAIL while the registry is not loaded', () => {
      const unloaded = NameServer.unloaded(ALLOWED);
      expectReply(unloaded.ask('service.local. AXFR', { transport: 'tcp' }), { rcode: 'SERVFAIL' });
    });
  });

  it('is the zone as it is answered: static records, instances that answer, nothing hidden (2.2)', async () => {
    const server = await serverWith({ zones: [ZONE] });
    await server.register('web', 'w1', { address: '10.0.0.1', port: 80 });
    await server.register('cart', 'c1', { address: '10.0.0.2', port: 81, tags: ['v2'], ports: { http: 8081 } });
    await server.register('cart', 'c2', { address: '10.0.0.3', port: 82, checks: [CHECK] });
    await server.register('alias', 'a1', { address: '10.0.0.4', port: 83 });
    await server.register('cut', 'd1', { address: '10.0.0.5', port: 84 });
    await server.register('host', 'h1', { address: 'box.example.org', port: 85 });
    const messages = [...transferOf(server, axfr(7))];
    const records = recordsOfTransfer(messages);
    assert.deepEqual([messages.length, messages[0]!.id, messages[0]!.flags], [1, 7, 0x8500]);
    assert.equal(formatName(messages[0]!.questions[0]!.name), 'service.local.');
    assert.deepEqual(formatRecord(records[0]!), formatRecord(records.at(-1)!));
    assert.equal(records[0]!.type, TYPE.SOA);
    assert.equal(records.filter(({ type }) => type === TYPE.SOA).length, 2);
    const told = texts(records.filter(({ type }) => type !== TYPE.PTR));
    for (const line of [
      'service.local. 300 IN NS ns.service.local.',
      '*.wild.service.local. 300 IN TXT "any"',
      'ns.cut.service.local. 300 IN A 192.0.2.53',
      'web.service.local. 300 IN A 192.0.2.80',
      'web.service.local. 5 IN SRV 0 1 80 10-0-0-1.addr.service.local.',
      'cart.service.local. 5 IN A 10.0.0.2',
      'v2.cart.service.local. 5 IN A 10.0.0.2',
      '_cart._v2.service.local. 5 IN SRV 0 1 81 10-0-0-2.addr.service.local.',
      '_http._tcp.cart.service.local. 5 IN SRV 0 1 8081 10-0-0-2.addr.service.local.',
      '10-0-0-3.addr.service.local. 5 IN A 10.0.0.3',
      'host.service.local. 5 IN CNAME box.example.org.',
      '_host._tcp.service.local. 5 IN SRV 0 1 85 box.example.org.',
    ]) {
      assert.ok(told.includes(line), `${line} is in the zone`);
    }
    for (const hidden of ['web.service.local. 5 IN A 10.0.0.1', 'cart.service.local. 5 IN A 10.0.0.3']) {
      assert.ok(!told.includes(hidden), `${hidden} is not in the zone`);
    }
    const owners = told.map((line) => line.split(' ')[0]!);
    assert.equal(owners.filter((owner) => owner === 'alias.service.local.').length, 1);
    assert.equal(owners.filter((owner) => owner === 'cut.service.local.').length, 1);
    assert.equal(new Set(told).size, told.length - 1, 'no record stands twice, but the SOA');
  });

  it('every set of it is what a question gets', async () => {
    const server = await serverWith({ zones: [ZONE], domains: [{ name: 'service.local', maxAnswers: 1000 }] });
    for (let i = 0; i < 60; i++) {
      await server.register(`s${i % 7}`, `i${i}`, {
        address: i % 5 === 0 ? `2001:db8::${i}` : `10.0.0.${i % 40}`,
        port: 80 + (i % 3),
        tags: i % 2 === 0 ? ['a'] : ['b', 'c'],
        ports: { http: 80, dns: { port: 53, proto: 'udp' } },
        meta: i % 4 === 0 ? { key: `v${i}`, alpn: 'h2' } : {},
        ttl: `${1 + (i % 9)}s`,
        checks: i % 6 === 0 ? [CHECK] : [],
      });
    }
    const records = recordsOfTransfer(transferOf(server, axfr(1)));
    const sets = groupRecords(records.slice(0, -1));
    assert.ok(sets.length > 200, `${sets.length} sets`);
    for (const set of sets) {
      const question = `${formatName(set.name)} TYPE${set.type}`;
      // Glue and what is behind wildcards is not answered as such.
      if (/\bcut\.|\*/.test(question)) continue;
      const { answers } = server.ask(question, { transport: 'tcp' });
      const own = answers.filter(({ name, type }) => nameKey(name) === nameKey(set.name) && type === set.type);
      const expected = set.rdatas.map((rdata) => ({ ...set, rdata }));
      assert.deepEqual(texts(own).sort(), texts(expected).sort(), question);
    }
  });

  it('is of one moment, whatever is registered meanwhile (2.2.1)', async () => {
    const server = await serverWith({});
    await server.registerMany('web', 3000);
    const addresses = (records: readonly ResourceRecord[]) =>
      texts(records.filter(({ name, type }) => type === TYPE.A && formatName(name) === 'web.service.local.'));
    const untouched = addresses(recordsOfTransfer(transferOf(server, axfr(1))));
    const going = transferOf(server, axfr(2));
    const messages: Message[] = [going.next().value!];
    for (let i = 1; i <= 3000; i += 3) await server.registry.deregister(`web-${i}`);
    await server.register('late', 'l1', { address: '10.9.9.9', port: 1 });
    messages.push(...going);
    const records = recordsOfTransfer(messages);
    assert.equal(untouched.length, 3000);
    assert.deepEqual(addresses(records), untouched);
    assert.ok(!texts(records).some((line) => line.startsWith('late.')));
    assert.ok(messages.length > 5, `${messages.length} messages`);
    assert.deepEqual([...new Set(messages.map(({ id }) => id))], [2]);
    const [first, last] = [records[0]!, records.at(-1)!];
    assert.equal(soaSerial(first.rdata), soaSerial(last.rdata));
    assert.ok(serialOf(server) > soaSerial(first.rdata), 'the serial has gone on meanwhile');
  });

  it('EDNS is spoken in the first message, when the client did (2.2.5)', async () => {
    const server = await serverWith({});
    await server.registerMany('web', 1000);
    const edns = { udpSize: 4096, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
    const query = encodeMessage(queryMessage(1, parseQuestion('service.local. AXFR'), edns));
    const messages = [...transferOf(server, query)];
    assert.deepEqual(
      messages.map((message) => message.edns !== undefined),
      messages.map((_, i) => i === 0),
    );
  });

  it('what is claimed for nss-mdns alone is not given', async () => {
    const server = await serverWith({ claimLocal: true });
    expectReply(server.ask('local. SOA'), { rcode: 'NOERROR' });
    expectReply(server.ask('local. AXFR', { transport: 'tcp' }), { rcode: 'NOTAUTH' });
  });

  it('reverse zones are given as well', async () => {
    const server = await serverWith({ reverse: ['10.1.0.0/16'] });
    await server.register('web', 'w1', { address: '10.1.2.3', port: 80 });
    await server.register('web', 'w2', { address: '10.2.2.3', port: 80 });
    const query = encodeMessage(queryMessage(1, parseQuestion('1.10.in-addr.arpa. AXFR')));
    const told = texts(recordsOfTransfer(transferOf(server, query)));
    assert.deepEqual(
      told.filter((line) => line.includes('PTR')),
      ['3.2.1.10.in-addr.arpa. 5 IN PTR web.service.local.'],
    );
  });
});

const CHECK = { type: 'tcp', id: 'c' };

async function serverWith(options: NameServerOptions): Promise<NameServer> {
  return await NameServer.open({ ...ALLOWED, ...options });
}

function axfr(id: number): Uint8Array {
  return encodeMessage(queryMessage(id, parseQuestion('service.local. AXFR')));
}

function verdictOf(server: NameServer, question: string, transport: Transport): number {
  const query = encodeMessage(queryMessage(1, parseQuestion(question)));
  return server.handler.respond(query, transport, new Uint8Array(65_535), new AddressClient('127.0.0.1'));
}

function serialOf(server: NameServer): number {
  return soaSerial(server.ask('service.local. SOA').answers[0]!.rdata);
}
