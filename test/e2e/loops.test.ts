// loops.test.ts -- two servers that are made to talk to each other fall silent (CVE-2024-2169, "Loop DoS")

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { loadSocketCalls } from '../../src/net/socket-calls.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { sendForged } from '../support/port-zero.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

/** A loop on loopback goes round thousands of times meanwhile. */
const WATCHED_MS = 2000;

function octets(id: number, name: string, flags: number): Buffer {
  const question = { name: parseName(name), type: TYPE.A, class: CLASS.IN };
  return Buffer.from(encodeMessage({ ...queryMessage(id, question), flags }));
}

const QUERY = octets(1, 'nobody.service.local.', 0);
const RESPONSE = octets(2, 'nobody.service.local.', FLAG.QR);
/** What gets an error for a reply: the errors of two servers about each other are what such loops are made of. */
const FORGED: readonly (readonly [what: string, message: Buffer, replies: number])[] = [
  ['a query', QUERY, 1],
  ['a query that cannot be read', QUERY.subarray(0, 14), 1],
  ['a query of an opcode that nobody knows', octets(1, 'nobody.service.local.', 15 << 11), 1],
  ['a refused query', octets(1, 'www.example.com.', 0), 1],
  ['a response', RESPONSE, 0],
  ['a response that cannot be read', RESPONSE.subarray(0, 14), 0],
  ['a header of a response, with an error', Buffer.from([0, 1, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 0],
  ['half a header', QUERY.subarray(0, 11), 0],
  ['nothing at all', Buffer.alloc(0), 0],
];

/** Queries answered, and responses dropped, so far. */
async function counts(server: BuiltServer): Promise<{ queries: number; responses: number }> {
  const text = String((await server.api('GET', '/metrics')).body);
  const sum = (pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
  return {
    queries: sum(/^rollcall_dns_queries_total\{[^}]*\} (\d+)$/gm),
    responses: sum(/^rollcall_dns_dropped_total\{reason="response"\} (\d+)$/gm),
  };
}

for (const [kind, workers] of [
  ['node:dgram', 0],
  ['shards', 1],
] as const) {
  test(`one forged datagram between two servers is answered once at most, by ${kind}`, async (t) => {
    const calls = loadSocketCalls();
    if (typeof calls === 'string') return t.skip(calls);
    const config = { dns: { workers } };
    const [one, other] = await Promise.all([startBuiltServer(t, { config }), startBuiltServer(t, { config })]);
    let wanted = 0;
    for (const [what, message, replies] of FORGED) {
      if (!sendForged(calls, message, other.dns, one.dns.port)) return t.skip('forging needs CAP_NET_RAW');
      // In turn, so that each is through before the next.
      assert.deepEqual(await other.addresses('nobody.service.local').catch(() => []), [], what);
      wanted += replies;
    }
    await sleep(WATCHED_MS);
    const [atOne, atOther] = [await counts(one), await counts(other)];
    assert.deepEqual(atOne, { queries: 0, responses: wanted }, 'the server in whose name it was asked');
    assert.deepEqual(atOther, { queries: wanted + FORGED.length, responses: 3 }, 'the server that was asked');
  });
}

test('a response on a connection is not answered either, and what is asked behind it is', async (t) => {
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const tls = { listen: ['127.0.0.1:0'], certFile: certificate.certFile, keyFile: certificate.keyFile };
  const server = await startBuiltServer(t, { config: { dns: { tls } } });
  const { dns } = (await server.api('GET', '/v1/status')).body;
  const secure = connect({
    host: '127.0.0.1',
    port: Number(String(dns.tls[0]).replace(/^.*:/, '')),
    ca: certificate.cert,
  });
  await once(secure, 'secureConnect');
  const clients = { TCP: await StreamClient.connect(server.dns), TLS: StreamClient.over(secure) };
  for (const [transport, client] of Object.entries(clients)) {
    t.after(() => client.socket.destroy());
    client.socket.write(Buffer.concat([RESPONSE, RESPONSE.subarray(0, 14), QUERY].map(framed)));
    const reply = decodeMessage(Buffer.from((await client.next()) ?? '', 'latin1'));
    assert.equal(reply.id, 1, transport);
    client.socket.end();
    assert.equal(await client.next(), undefined, transport);
  }
  assert.deepEqual(await counts(server), { queries: 2, responses: 4 });
});
