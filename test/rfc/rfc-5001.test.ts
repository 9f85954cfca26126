// rfc-5001.test.ts -- NSID: a server says what it is called, to who asks, when it was given a name

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EDNS_OPTION } from '../../src/dns/codes.ts';
import type { Message } from '../../src/dns/message.ts';
import { NameServer } from '../support/name-server.ts';
import { bytes } from '../support/wire.ts';

const NSID = { code: EDNS_OPTION.NSID, data: new Uint8Array(0) };

function nsidsOf(reply: Message): string[] {
  const options = reply.edns?.options.filter(({ code }) => code === EDNS_OPTION.NSID) ?? [];
  return options.map(({ data }) => Buffer.from(data).toString());
}

describe('RFC 5001', () => {
  it('the name is in every kind of reply to who asks for it, once, and in no other (2.2)', async () => {
    const server = await NameServer.open({ settings: { nsid: 'eu-1 é' } });
    await server.registerMany('web', 3);
    for (const question of [
      'web.service.local. A',
      'nobody.service.local. A',
      'out.side. A',
      'web.service.local. OPT',
    ]) {
      for (const transport of ['udp', 'tcp'] as const) {
        assert.deepEqual(nsidsOf(server.ask(question, { edns: { options: [NSID] }, transport })), ['eu-1 é'], question);
        assert.deepEqual(nsidsOf(server.ask(question, { edns: { options: [NSID, NSID] }, transport })), ['eu-1 é']);
        assert.deepEqual(nsidsOf(server.ask(question, { edns: true, transport })), []);
        assert.equal(server.ask(question, { transport }).edns, undefined);
      }
    }
  });

  it('what a query says in it is not looked at (2.1)', async () => {
    const server = await NameServer.open({ settings: { nsid: 'eu-1' } });
    const option = { ...NSID, data: bytes('ff00ff') };
    assert.deepEqual(nsidsOf(server.ask('service.local. SOA', { edns: { options: [option] } })), ['eu-1']);
  });

  it('a server without a name does not answer it', async () => {
    const server = await NameServer.open();
    assert.deepEqual(nsidsOf(server.ask('service.local. SOA', { edns: { options: [NSID] } })), []);
  });

  it('the longest name fits into the smallest reply that the protocol has, beside all other options', async () => {
    const settings = { nsid: 'n'.repeat(128), cookieSecrets: ['00'.repeat(16)] };
    const server = await NameServer.open({ settings, clientSubnetFrom: ['127.0.0.1'] });
    const name = `${['a', 'b', 'c'].map((each) => `${each.repeat(63)}.`).join('')}${'d'.repeat(47)}.service.local.`;
    const options = [NSID, { code: EDNS_OPTION.COOKIE, data: new Uint8Array(8) }];
    for (const question of [`${name} CH A`, `${name} A`]) {
      const reply = server.ask(question, { edns: { udpSize: 512, options }, subnet: '2001:db8::/128' });
      assert.equal(reply.edns!.options.length >= 3, true);
      assert.equal(nsidsOf(reply)[0]?.length, 128);
    }
  });
});
