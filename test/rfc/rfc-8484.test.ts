// rfc-8484.test.ts -- DNS over HTTPS: both methods, their limits, what is refused, and how long replies may be kept

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import type { Client } from '../../src/nameserver/client.ts';
import type { Deferred } from '../../src/net/answerer.ts';
import { LoneQueries } from '../../src/net/lone-queries.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { type AskOptions, NameServer, parseQuestion } from '../support/name-server.ts';

const TYPE = 'application/dns-message';
const ZONE = `
$ORIGIN example.test.
@ 300 SOA ns host 1 3600 600 86400 60
@ 300 NS ns
ns 300 A 192.0.2.1
two 40 A 192.0.2.2
two 40 A 192.0.2.3
alias 20 CNAME two
nodata 90 TXT "x"
lost 30 CNAME nodata
zero 0 A 192.0.2.4
sub 50 NS ns.elsewhere.test.
`;

let names: NameServer;
let server: ApiServer;
/** What is done with a question for an upstream. */
let forward: Deferred['forward'] = () => assert.fail('nothing is forwarded');
const clients: string[] = [];
before(async () => {
  names = await NameServer.open({ zones: [ZONE], negativeTtlSeconds: 60 });
  const queries = new LoneQueries(
    (query, transport, out, client) =>
      query[2] === 0x7f ? Number(query[3]) - 256 : names.handler.respond(query, transport, out, client),
    { forward: (...all) => forward(...all) },
  );
  server = await openApiServer({
    answerDns: (query: Uint8Array, client: Client) => {
      clients.push(Buffer.from(client.octets()).toString('hex'));
      return queries.answer(query, client);
    },
    // Open to everybody, whoever else may call.
    access: { tokens: [tokenEntry('boss', 'operator')], allowHosts: [] },
  });
});
after(() => server.close());

function queryOf(question: string, edns: AskOptions['edns'] = false): Uint8Array {
  const options =
    edns === false
      ? undefined
      : { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [], ...(edns as object) };
  return encodeMessage(queryMessage(0, parseQuestion(question), options));
}

const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString('base64url');

async function get(query: Uint8Array | string, headers: Record<string, string> = {}, method = 'GET') {
  const text = typeof query === 'string' ? query : base64url(query);
  return await exchange(`?dns=${text}`, { method, headers });
}

async function post(query: Uint8Array, headers: Record<string, string> = { 'content-type': TYPE }) {
  return await exchange('', { method: 'POST', headers, body: query });
}

async function exchange(query: string, init: RequestInit) {
  const reply = await fetch(`${server.url}/dns-query${query}`, init);
  const octets = new Uint8Array(await reply.arrayBuffer());
  return { status: reply.status, headers: reply.headers, octets };
}

const codeOf = ({ status, octets }: { status: number; octets: Uint8Array }): string =>
  `${status} ${JSON.parse(Buffer.from(octets).toString()).error.code}`;

describe('RFC 8484: questions and replies', () => {
  it('section 4.1: GET and POST come to the same, with a DNS message each', async () => {
    const query = queryOf('two.example.test. A');
    for (const reply of [await get(query), await post(query)]) {
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.get('content-type'), TYPE);
      assert.equal(reply.headers.get('content-length'), `${reply.octets.length}`);
      const { id, answers } = decodeMessage(reply.octets);
      assert.equal(id, 0);
      assert.deepEqual(
        answers.map(formatRecord).sort(),
        [2, 3].map((n) => `two.example.test. 40 IN A 192.0.2.${n}`),
      );
    }
  });

  it('section 4.2.1: errors of DNS are replies of status 200', async () => {
    for (const [question, rcode] of [
      ['none.example.test. A', 3],
      ['out.side. A', 5],
    ] as const) {
      const { status, octets } = await get(queryOf(question));
      assert.deepEqual([status, decodeMessage(octets).rcode], [200, rcode]);
    }
  });

  it('HEAD is a GET without the message', async () => {
    const query = queryOf('two.example.test. A');
    const { headers, octets, status } = await get(query, {}, 'HEAD');
    assert.deepEqual([status, octets.length], [200, 0]);
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      assert.equal(headers.get(name), (await get(query)).headers.get(name), name);
    }
  });

  it('is answered as HTTPS: padded for those who pad (RFC 8467), counted as https', async () => {
    const options = [{ code: 12, data: new Uint8Array(20) }];
    const { octets } = await post(queryOf('two.example.test. A', { options }));
    assert.equal(octets.length % 468, 0);
    const row = [...names.counters.queries()].find(({ proto }) => proto === 'https');
    assert.ok(row !== undefined && row.count > 0, 'not counted');
    assert.deepEqual(
      [...names.counters.queries()].filter(({ proto }) => proto !== 'https'),
      [],
    );
  });

  it('takes whatever is said of Accept, of other parameters and of the parameters of the type', async () => {
    const query = queryOf('two.example.test. A');
    for (const accept of ['*/*', TYPE, 'application/dns-json', 'text/html;q=0.1', '']) {
      assert.equal((await get(query, { accept })).headers.get('content-type'), TYPE, accept);
    }
    assert.equal((await get(`${base64url(query)}&ct=${TYPE}`)).status, 200);
    assert.equal((await post(query, { 'content-type': 'Application/DNS-Message; x=y' })).status, 200);
  });

  it('asks in the name of the peer, not of a header', async () => {
    clients.length = 0;
    await get(queryOf('two.example.test. A'), {
      'x-forwarded-for': '192.0.2.99',
      forwarded: 'for=192.0.2.99',
      host: 'dns.example',
    });
    assert.deepEqual(clients, ['00000000000000000000ffff7f000001']);
  });
});

describe('RFC 8484 section 5.1: how long a reply may be kept', () => {
  const rows: readonly (readonly [question: string, cacheControl: string])[] = [
    ['two.example.test. A', 'max-age=40, private'],
    ['alias.example.test. A', 'max-age=20, private'],
    ['zero.example.test. A', 'max-age=0, private'],
    ['none.example.test. A', 'max-age=60, private'],
    ['two.example.test. AAAA', 'max-age=60, private'],
    ['lost.example.test. A', 'max-age=30, private'],
    ['x.sub.example.test. A', 'no-store'],
    ['out.side. A', 'no-store'],
  ];
  for (const [question, cacheControl] of rows) {
    it(`${question}: ${cacheControl}`, async () => {
      assert.equal((await get(queryOf(question))).headers.get('cache-control'), cacheControl);
    });
  }

  it('errors of HTTP are not kept', async () => {
    assert.equal((await get('AAAA')).headers.get('cache-control'), 'no-store');
  });
});

describe('RFC 8484: what is refused', () => {
  const query = queryOf('two.example.test. A');

  it('base64url that is none, or is padded', async () => {
    for (const text of [
      '',
      '!',
      'A',
      `${base64url(query)}=`,
      `${base64url(query)}%3D%3D`,
      'AAAA+AAA',
      'AAAA/AAA',
      '%00',
      'AAAAAAAAAAAAAAAB%20',
      'AAB',
    ]) {
      assert.equal(codeOf(await get(text)), '400 invalid', text);
    }
  });

  it('no message, or two', async () => {
    for (const search of [
      '',
      '?',
      '?dns',
      '?DNS=AAAA',
      `?dns=${base64url(query)}&dns=${base64url(query)}`,
      '?__proto__=x',
    ]) {
      assert.equal(codeOf(await exchange(search, {})), '400 invalid', search);
    }
  });

  it('messages shorter than a header, and what is no query', async () => {
    for (const octets of [
      new Uint8Array(0),
      new Uint8Array(1),
      query.slice(0, 11),
      Uint8Array.from(query, (octet, i) => (i === 2 ? octet | 0x80 : octet)),
    ]) {
      assert.equal(codeOf(await get(octets)), '400 invalid', `GET ${octets.length}`);
      assert.equal(codeOf(await post(octets)), '400 invalid', `POST ${octets.length}`);
    }
  });

  it('is answered with FORMERR where there is a header to answer to', async () => {
    const reply = await post(query.slice(0, 20));
    assert.deepEqual([reply.status, reply.octets[3]! & 0xf, reply.headers.get('cache-control')], [200, 1, 'no-store']);
  });

  it('messages of more than 65,535 octets, by both methods alike (CVE-2026-32936)', async () => {
    for (const octets of [65_536, 200_000]) {
      assert.equal(codeOf(await post(new Uint8Array(octets))), '413 too_large', `POST ${octets}`);
    }
    for (const octets of [20_000, 65_536, 200_000]) {
      const line = `GET /dns-query?dns=${'A'.repeat(Math.ceil((octets * 4) / 3))} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      assert.match(await server.raw(line), /^HTTP\/1\.1 413 [\s\S]*"too_large"/, `GET ${octets}`);
    }
    const headers = `GET /dns-query?dns=AAAA HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`;
    assert.match(await server.raw(headers), /^HTTP\/1\.1 431 /);
    const whole = await post(Uint8Array.from({ length: 65_535 }, (_, i) => query[i] ?? 0));
    assert.equal(whole.status, 200);
  });

  it('other types, before the body is read', async () => {
    for (const type of ['application/json', 'application/dns-messages', 'text/plain', '']) {
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
      assert.equal(codeOf(await post(query, headers)), '415 unsupported_media_type', type);
    }
    const announced = 'POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n';
    assert.match(await server.raw(announced), /^HTTP\/1\.1 415 /);
    assert.equal(
      codeOf(await post(query, { 'content-type': TYPE, 'content-encoding': 'gzip' })),
      '415 unsupported_media_type',
    );
  });

  it('other methods', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const reply = await get(query, {}, method);
      assert.deepEqual(
        [codeOf(reply), reply.headers.get('allow')],
        ['405 method_not_allowed', 'GET, HEAD, POST'],
        method,
      );
    }
  });

  it('pages of other sites are not let read replies', async () => {
    const origin = { origin: 'http://evil.example' };
    for (const reply of [await get(query, origin), await post(query, { ...origin, 'content-type': TYPE })]) {
      assert.equal(reply.headers.get('access-control-allow-origin'), null);
    }
  });
});

describe('what is answered later', () => {
  /** The handler comes to this verdict. */
  const verdict = (octet: number): Uint8Array =>
    Uint8Array.from(queryOf('out.side. A'), (each, i) => (i === 2 ? 0x7f : i === 3 ? 256 + octet : each));

  it('questions for an upstream', async () => {
    forward = (query, transport, _client, reply) => {
      assert.equal(transport, 'https');
      setImmediate(() => reply(Uint8Array.from(query, (each, i) => (i === 2 ? 0x80 : i === 3 ? 0 : each))));
    };
    const { status, octets } = await post(verdict(-1));
    assert.deepEqual([status, octets[2]], [200, 0x80]);
  });

  it('a zone transfer never', async () => {
    assert.equal(codeOf(await post(verdict(-2))), '400 invalid');
  });
});
