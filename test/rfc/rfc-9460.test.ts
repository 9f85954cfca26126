// rfc-9460.test.ts -- SVCB and HTTPS: made of instances, and as zone files have them

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectReply, NameServer, texts } from '../support/name-server.ts';

const D = 'service.local.';
const ZONE = `
$ORIGIN service.local.
$TTL 60
@ SOA ns h 1 3600 600 86400 5
  NS ns
ns A 192.0.2.1
alias HTTPS 0 web
out HTTPS 0 elsewhere.example.
own SVCB 1 . port=8443
own A 192.0.2.7
none HTTPS 0 .
hidden HTTPS 1 ns alpn=h3
`;

async function open(): Promise<NameServer> {
  const server = await NameServer.open({ zones: [ZONE] });
  await server.register('web', 'web-1', {
    address: '10.0.0.1',
    port: 8001,
    ports: { https: 443 },
    meta: { alpn: 'h2' },
  });
  await server.register('web', 'web-2', { address: '2001:db8::2', port: 8002, meta: { alpn: 'h3, h2,http/1.1,h2' } });
  await server.register('web', 'web-3', { address: '10.0.0.3', port: 8003, ports: { https: 8443 } });
  await server.register('web', 'web-4', { address: '10.0.0.4', port: 8004 });
  return server;
}

describe('RFC 9460', () => {
  it('HTTPS: a record in ServiceMode for each instance that speaks it, addresses of targets along with it', async () => {
    const server = await open();
    expectReply(server.ask(`web.${D} HTTPS`, { transport: 'tcp' }), {
      rcode: 'NOERROR',
      answer: `
        web.${D} 5 IN HTTPS 1 10-0-0-1.addr.${D} alpn=h2 port=443 ipv4hint=10.0.0.1
        web.${D} 5 IN HTTPS 1 2001-db8-0-0-0-0-0-2.addr.${D} alpn="h3,h2,http/1.1" port=8002 ipv6hint=2001:db8::2
        web.${D} 5 IN HTTPS 1 10-0-0-3.addr.${D} port=8443 ipv4hint=10.0.0.3`,
      additional: `
        10-0-0-1.addr.${D} 5 IN A 10.0.0.1
        10-0-0-3.addr.${D} 5 IN A 10.0.0.3
        2001-db8-0-0-0-0-0-2.addr.${D} 5 IN AAAA 2001:db8::2`,
    });
  });

  it('SVCB: a record for every instance, with its main port', async () => {
    const server = await open();
    const { answers } = server.ask(`web.${D} SVCB`, { transport: 'tcp' });
    assert.deepEqual(texts(answers).sort(), [
      `web.${D} 5 IN SVCB 1 10-0-0-1.addr.${D} alpn="h2" port=8001 ipv4hint=10.0.0.1`,
      `web.${D} 5 IN SVCB 1 10-0-0-3.addr.${D} port=8003 ipv4hint=10.0.0.3`,
      `web.${D} 5 IN SVCB 1 10-0-0-4.addr.${D} port=8004 ipv4hint=10.0.0.4`,
      `web.${D} 5 IN SVCB 1 2001-db8-0-0-0-0-0-2.addr.${D} alpn="h3,h2,http/1.1" port=8002 ipv6hint=2001:db8::2`,
    ]);
  });

  it('section 9.5: no HTTPS record where nothing says that instances speak it, for it ends plain http', async () => {
    const server = await open();
    const meta = [{}, { alpn: '' }, { alpn: ' , ' }, { alpn: 'h 2' }, { alpn: `${'x'.repeat(256)}` }, { alpn: 'h2é' }];
    for (const [i, each] of meta.entries()) {
      const ports = { http: 80, https: { port: 443, proto: 'udp' } };
      await server.register('plain', `plain-${i}`, { address: `10.1.0.${i}`, port: 80, ports, meta: each });
    }
    expectReply(server.ask(`plain.${D} HTTPS`), { rcode: 'NOERROR', answer: '' });
    assert.equal(server.ask(`plain.${D} SVCB`).answers.length, meta.length);
  });

  it('leaves out protocols that cannot be, and keeps the others', async () => {
    const server = await open();
    await server.register('some', 'some-1', { address: '10.1.0.1', port: 80, meta: { alpn: 'h 2,h3,,' } });
    expectReply(server.ask(`some.${D} HTTPS`), {
      answer: `some.${D} 5 IN HTTPS 1 10-1-0-1.addr.${D} alpn=h3 port=80 ipv4hint=10.1.0.1`,
    });
  });

  it('only answerable instances, at most maxAnswers, and only those of a tag', async () => {
    const server = await open();
    await server.registry.setDraining('web-1', true);
    assert.equal(server.ask(`web.${D} HTTPS`).answers.length, 2);
    await server.setPolicy('web', { maxAnswers: 1, ttl: '7s' });
    const { answers } = server.ask(`web.${D} HTTPS`);
    assert.deepEqual([answers.length, answers[0]!.ttlSeconds], [1, 7]);
    await server.register('web', 'web-3', { address: '10.0.0.3', port: 8003, tags: ['eu'], ports: { https: 8443 } });
    assert.match(texts(server.ask(`eu.web.${D} HTTPS`).answers).join(), /^eu\.web\..* 10-0-0-3\.addr\..* port=8443/);
  });

  it('section 2.4.1: priorities count from 1, by tier', async () => {
    const server = await open();
    await server.register('web', 'web-3', { address: '10.0.0.3', port: 8003, tags: ['near'], ports: { https: 8443 } });
    await server.setPolicy('web', { tiers: [{ match: { tags: ['near'] }, spillBelow: 0.5 }] });
    const { answers } = server.ask(`web.${D} HTTPS`, { transport: 'tcp' });
    const priorities = answers.map(({ rdata }) => (rdata[0]! << 8) | rdata[1]!);
    assert.deepEqual(priorities, [1, 2, 2]);
  });

  it('a host name of an instance is the target, without hints', async () => {
    const server = await open();
    for (const [id, address] of [
      ['a', 'a.example'],
      ['b', 'b.example'],
    ]) {
      await server.register('host', id!, { address, port: 80, ports: { https: 443 } });
    }
    assert.deepEqual(texts(server.ask(`host.${D} HTTPS`).answers).sort(), [
      `host.${D} 5 IN HTTPS 1 a.example. port=443`,
      `host.${D} 5 IN HTTPS 1 b.example. port=443`,
    ]);
    await server.registry.deregister('b');
    expectReply(server.ask(`host.${D} HTTPS`), { answer: `host.${D} 5 IN CNAME a.example.` });
  });

  it('instances behind one target and port are one record', async () => {
    const server = await open();
    for (const id of ['s-1', 's-2']) {
      await server.register('same', id, { address: '10.0.0.9', port: 80, ports: { https: 443 } });
    }
    assert.equal(server.ask(`same.${D} HTTPS`).answers.length, 1);
  });

  it('section 4.1: records of the target go along, for aliases and for "."', async () => {
    const server = await open();
    const alias = server.ask(`alias.${D} HTTPS`, { transport: 'tcp' });
    assert.deepEqual(texts(alias.answers), [`alias.${D} 60 IN HTTPS 0 web.${D}`]);
    const types = alias.additionals.map(({ type }) => type).sort((a, b) => a - b);
    assert.deepEqual(types, [1, 1, 1, 28, 65, 65, 65]);
    expectReply(server.ask(`own.${D} SVCB`), {
      answer: `own.${D} 60 IN SVCB 1 . port=8443`,
      additional: `own.${D} 60 IN A 192.0.2.7`,
    });
    expectReply(server.ask(`out.${D} HTTPS`), { additional: '' });
    expectReply(server.ask(`none.${D} HTTPS`), { answer: `none.${D} 60 IN HTTPS 0 .`, additional: '' });
  });

  it('a static record hides those of a service, and only them', async () => {
    const server = await open();
    await server.register('hidden', 'h-1', { address: '10.0.0.8', port: 80, ports: { https: 443 } });
    expectReply(server.ask(`hidden.${D} HTTPS`), { answer: `hidden.${D} 60 IN HTTPS 1 ns.${D} alpn=h3` });
    expectReply(server.ask(`hidden.${D} A`), { answer: `hidden.${D} 5 IN A 10.0.0.8` });
  });
});
