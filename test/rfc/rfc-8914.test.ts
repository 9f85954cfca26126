// rfc-8914.test.ts -- extended errors say why (RFC 8914), and never change what is answered

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectReply, extendedError, NameServer } from '../support/name-server.ts';

describe('RFC 8914', () => {
  it('14 Not Ready while the registry is not loaded, SERVFAIL and never NXDOMAIN', async () => {
    const server = NameServer.unloaded();
    for (const question of ['web.service.local. A', 'nobody.service.local. SRV', 'service.local. SOA']) {
      const reply = server.ask(question, { edns: true });
      expectReply(reply, { rcode: 'SERVFAIL', flags: 'rd', answer: '', authority: '' });
      assert.equal(extendedError(reply)?.code, 14);
    }
    await server.load();
    assert.equal(extendedError(server.ask('nobody.service.local. A', { edns: true })), undefined);
  });

  it('3 Stale Answer on everything that is answered from what may be old', async () => {
    const server = await NameServer.open();
    await server.register('web', 'web-1', { address: '10.0.0.1', port: 80 });
    server.handler.state.isStale = true;
    for (const question of ['web.service.local. A', 'nobody.service.local. A', 'web.service.local. MX']) {
      assert.equal(extendedError(server.ask(question, { edns: true }))?.code, 3, question);
    }
    expectReply(server.ask('web.service.local. A', { edns: true }), {
      rcode: 'NOERROR',
      flags: 'aa rd',
      answer: 'web.service.local. 5 IN A 10.0.0.1',
    });
  });

  it('20 Not Authoritative with REFUSED, 18 Prohibited for transfers', async () => {
    const server = await NameServer.open();
    assert.equal(extendedError(server.ask('out.side. A', { edns: true }))?.code, 20);
    assert.equal(extendedError(server.ask('service.local. CH A', { edns: true }))?.code, 20);
    const transfer = server.ask('service.local. AXFR', { edns: true, transport: 'tcp' });
    expectReply(transfer, { rcode: 'REFUSED', answer: '' });
    assert.equal(extendedError(transfer)?.code, 18);
  });

  it('has room for the text of an error however small the client is', async () => {
    const server = NameServer.unloaded();
    const long = `${['a', 'b', 'c'].map((each) => `${each.repeat(63)}.`).join('')}${'d'.repeat(40)}.service.local. A`;
    const reply = server.ask(long, { edns: 512 });
    assert.ok(extendedError(reply)!.text.length > 0);
  });

  it('never costs a record: the text goes first, then the code (3)', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 60);
    await server.setPolicy('web', { maxAnswers: 60 });
    const seen = new Set<string>();
    for (let udpSize = 512; udpSize <= 1232; udpSize++) {
      server.handler.state.isStale = false;
      const fresh = server.ask('web.service.local. A', { edns: udpSize });
      server.handler.state.isStale = true;
      const stale = server.ask('web.service.local. A', { edns: udpSize });
      assert.equal(stale.answers.length, fresh.answers.length, `${udpSize}`);
      assert.equal(stale.flags, fresh.flags);
      const error = extendedError(stale);
      assert.ok(error === undefined || error.code === 3, `${error?.code}`);
      seen.add(error === undefined ? 'none' : error.text === '' ? 'code' : 'text');
    }
    assert.deepEqual([...seen].sort(), ['code', 'none', 'text']);
  });

  it('comes before records that may be left out', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 20);
    await server.setPolicy('web', { maxAnswers: 20 });
    server.handler.state.isStale = true;
    for (let udpSize = 900; udpSize <= 1232; udpSize++) {
      const reply = server.ask('web.service.local. SRV', { edns: udpSize });
      if (reply.additionals.length > 0) assert.equal(extendedError(reply)?.code, 3, `${udpSize}`);
    }
  });

  it('is not there without EDNS', async () => {
    const server = await NameServer.open();
    assert.equal(server.ask('out.side. A').edns, undefined);
  });
});
