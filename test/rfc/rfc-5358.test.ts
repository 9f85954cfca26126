// rfc-5358.test.ts -- no recursion for strangers, so that nobody reflects attacks off this server (RFC 5358, BCP 140)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import type { QuerySettings } from '../../src/nameserver/query-settings.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import { type AskOptions, expectReply, NameServer, parseQuestion } from '../support/name-server.ts';

type Forward = NonNullable<QuerySettings['forward']>;

const OUTSIDE = 'www.example.com. A';
const STRANGERS = ['203.0.113.9', '8.8.8.8', '2001:db8::1', '::ffff:203.0.113.9', '11.0.0.1', '172.32.0.1'];
const OURS = ['127.0.0.1', '127.9.9.9', '::1', '10.9.9.9', '172.16.0.1', '192.168.1.1', 'fd00::1'];

async function serverWith(forward: Forward): Promise<NameServer> {
  return await NameServer.open({ settings: { forward } });
}

function isForwarded(server: NameServer, client: string): boolean {
  const query = encodeMessage(queryMessage(1, parseQuestion(OUTSIDE)));
  return server.handler.respond(query, 'udp', new Uint8Array(65_535), new AddressClient(client)) === FORWARD;
}

/** `dns.forward.allow` as it is when nobody says anything. */
function defaultRules(): Forward {
  const env = { ROLLCALL_DNS_FORWARD_TO: '[192.0.2.53]' };
  const { config, problems } = loadConfig({ file: false, env, cwd: '/' });
  assert.deepEqual(problems, []);
  return config!.dns.forward;
}

describe('RFC 5358', () => {
  it('without a word of configuration recursion is for our own networks only (4)', async () => {
    const server = await serverWith(defaultRules());
    for (const client of OURS) assert.ok(isForwarded(server, client), client);
    for (const client of STRANGERS) expectReply(server.ask(OUTSIDE, { client }), { rcode: 'REFUSED', answer: '' });
  });

  it('who is allowed is told by prefix (4)', async () => {
    const server = await serverWith({ allow: [...parseNetwork('203.0.113.8/30')!], passSpecial: [] });
    for (const client of ['203.0.113.8', '203.0.113.11']) assert.ok(isForwarded(server, client), client);
    for (const client of ['203.0.113.7', '203.0.113.12', '127.0.0.1', '::1']) {
      expectReply(server.ask(OUTSIDE, { client }), { rcode: 'REFUSED' });
    }
  });

  it('a refusal is never much longer than its question, on any transport (1)', async () => {
    const server = await serverWith(defaultRules());
    for (const question of [OUTSIDE, '. NS', '. ANY', 'localhost. A', 'a.test. TXT']) {
      for (const transport of ['udp', 'tcp', 'tls', 'https'] as const) {
        const query = encodeMessage(queryMessage(1, parseQuestion(question)));
        const reply = server.respond(query, transport, '203.0.113.9');
        assert.equal(reply?.length, query.length, `${question} over ${transport}`);
      }
    }
  });

  it('special names are refused to strangers as well, and RD, EDNS or a client subnet change nothing', async () => {
    const server = await serverWith(defaultRules());
    const ways: readonly AskOptions[] = [{}, { flags: 0 }, { edns: true }, { edns: true, subnet: '127.0.0.1/32' }];
    for (const question of [OUTSIDE, 'localhost. A']) {
      for (const way of ways) {
        const reply = server.ask(question, { ...way, client: '203.0.113.9' });
        expectReply(reply, { rcode: 'REFUSED', answer: '' });
      }
    }
  });

  it('what we have ourselves is for everybody (4)', async () => {
    const server = await serverWith(defaultRules());
    await server.register('web', 'web-1', { address: '10.1.2.3', port: 80 });
    expectReply(server.ask('web.service.local. A', { client: '203.0.113.9' }), {
      rcode: 'NOERROR',
      answer: 'web.service.local. 5 IN A 10.1.2.3',
    });
  });
});
