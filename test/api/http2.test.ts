// http2.test.ts -- HTTP/2 over TLS: the whole API as over HTTP/1, its limits, and its end

import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { get } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';

const INSTANCE = { address: '10.0.0.7', port: 80 };
const JSON_TYPE = { 'content-type': 'application/json' };
let own: Certificate;
let server: ApiServer;
let session: ClientHttp2Session;
before(async () => {
  own = makeCertificate();
  server = await openServer();
  session = open(server);
});
after(async () => {
  session.close();
  await server.close();
  own.remove();
});

function openServer(options: Parameters<typeof openApiServer>[0] = {}): Promise<ApiServer> {
  return openApiServer({ tls: { cert: own.cert, key: own.key }, ...options });
}

function open(to: ApiServer): ClientHttp2Session {
  const client = connect(to.url, { ca: own.cert });
  // Some are meant to be cut off.
  client.on('error', () => {});
  return client;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of any shape
  readonly body: any;
}

async function call(
  client: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: unknown,
): Promise<Reply> {
  const stream = client.request({ ':path': path, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(typeof body === 'string' ? body : JSON.stringify(body));
  return await replyOf(stream);
}

async function replyOf(stream: ClientHttp2Stream): Promise<Reply> {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  if (!stream.readableEnded) await once(stream, 'end');
  const isJson = headers['content-type']?.startsWith('application/json') === true && text !== '';
  return { status: Number(headers[':status']), headers, body: isJson ? JSON.parse(text) : text };
}

const put = (
  client: ClientHttp2Session,
  id: string,
  body: unknown = INSTANCE,
  headers: OutgoingHttpHeaders = {},
): Promise<Reply> =>
  call(client, `/v1/services/cart/instances/${id}`, { ':method': 'PUT', ...JSON_TYPE, ...headers }, body);

const codeOf = ({ status, body }: Reply): string => `${status} ${body.error?.code}`;

/** A frame (RFC 9113 section 4.1). */
function frame(type: number, flags: number, stream: number, payload: readonly number[]): Buffer {
  const head = [payload.length >> 16, (payload.length >> 8) & 0xff, payload.length & 0xff, type, flags];
  const id = [stream >>> 24, (stream >> 16) & 0xff, (stream >> 8) & 0xff, stream & 0xff];
  return Buffer.from([...head, ...id, ...payload]);
}

const GOAWAY = 7;

function frameTypes(octets: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= octets.length; at += 9 + octets.readUIntBE(at, 3)) types.push(octets[at + 3]!);
  return types;
}

function countWarnings(): () => string[] {
  const seen: string[] = [];
  const note = ({ name, message }: Error): void => void seen.push(`${name}: ${message}`);
  process.on('warning', note);
  return () => {
    process.off('warning', note);
    return seen;
  };
}

describe('HTTP/2', () => {
  it('is chosen by the client, beside HTTP/1', async () => {
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [undefined, false],
    ] as const) {
      const socket = connectTls({
        port: server.port,
        host: '127.0.0.1',
        ca: own.cert,
        ...(offered ? { ALPNProtocols: [...offered] } : {}),
      });
      await once(socket, 'secureConnect');
      assert.equal(socket.alpnProtocol, chosen);
      socket.destroy();
    }
    const sent = get(`${server.url}/healthz`, { ca: own.cert, agent: false });
    const [reply] = await once(sent, 'response');
    assert.deepEqual([reply.statusCode, reply.httpVersion], [200, '1.1']);
    reply.resume();
  });

  it('serves the API as HTTP/1 does: writes, reads, HEAD, errors, pages', async () => {
    const warnings = countWarnings();
    assert.equal((await put(session, 'cart-1')).status, 201);
    const read = await call(session, '/v1/services/cart');
    assert.equal(read.body.instances[0].id, 'cart-1');
    assert.ok(read.headers.etag === undefined || typeof read.headers.etag === 'string');
    assert.equal(read.headers['x-content-type-options'], 'nosniff');
    assert.equal((await call(session, '/v1/services/cart', { ':method': 'HEAD' })).body, '');
    assert.equal(codeOf(await call(session, '/v1/services/none')), '404 unknown_service');
    assert.equal(codeOf(await call(session, '/nothing', { ':method': 'POST' }, 'x')), '404 not_found');
    assert.equal(codeOf(await put(session, 'cart-2', '{bad')), '400 invalid_json');
    assert.equal(codeOf(await put(session, 'cart-2', { port: 0 })), '400 invalid');
    const allow = await call(session, '/v1/services', { ':method': 'DELETE' });
    assert.deepEqual([codeOf(allow), allow.headers.allow], ['405 method_not_allowed', 'GET, HEAD']);
    assert.equal((await call(session, '/metrics')).status, 200);
    assert.equal((await call(session, '/docs/static/swagger-ui.css')).status, 200);
    assert.equal((await call(session, '/openapi.json')).body.openapi, '3.1.0');
    assert.deepEqual(warnings(), []);
  });

  it('tells of a body that is too large, before it and in the middle of it', async () => {
    const large = 'x'.repeat(70_000);
    assert.equal(codeOf(await put(session, 'big', large, { 'content-length': large.length })), '413 too_large');
    assert.equal(codeOf(await put(session, 'big', large)), '413 too_large');
    const expects = { expect: '100-continue', 'content-length': 1 << 30 };
    const stream = session.request({ ':path': '/v1/batch', ':method': 'POST', ...JSON_TYPE, ...expects });
    assert.equal(codeOf(await replyOf(stream)), '413 too_large');
    await once(stream, 'close');
    const yes = session.request({ ':path': '/v1/batch', ':method': 'POST', ...JSON_TYPE, expect: '100-continue' });
    await once(yes, 'continue');
    yes.end('{"operations":[]}');
    assert.ok((await replyOf(yes)).status < 500);
  });

  it('lets a read wait, and others pass it', async () => {
    const { body } = await call(session, '/v1/services/cart');
    const waiting = call(session, `/v1/services/cart?index=${body.index}&wait=60s`);
    assert.equal((await put(session, 'cart-1', { ...INSTANCE, weight: 7 })).status, 200);
    assert.equal((await waiting).body.instances[0].weight, 7);
    // One that is given up leaves its place.
    const given = session.request({ ':path': `/v1/services/none?index=0&wait=60s` });
    const count = async () => (await call(session, '/v1/status')).body.blockingReads;
    while ((await count()) === 0);
    given.close(constants.NGHTTP2_CANCEL);
    while ((await count()) > 0);
  });

  it('streams changes', async () => {
    const warnings = countWarnings();
    const stream = session.request({ ':path': '/v1/watch?service=cart' });
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const [headers] = await once(stream, 'response');
    assert.deepEqual([headers[':status'], headers['content-type']], [200, 'text/event-stream; charset=utf-8']);
    await put(session, 'cart-9');
    while (!text.includes('event: register')) await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    const watchers = async () => /^rollcall_watchers (\d+)$/m.exec((await call(session, '/metrics')).body)?.[1];
    while ((await watchers()) !== '0');
    assert.deepEqual(warnings(), []);
  });
});

describe('who is let in over HTTP/2', () => {
  it('the name asked for is the server, in :authority and Host', async () => {
    assert.equal(codeOf(await call(session, '/v1/services', { ':authority': 'evil.example' })), '403 forbidden');
    assert.equal(codeOf(await call(session, '/v1/services', { host: 'evil.example' })), '403 forbidden');
    const both = { ':authority': `127.0.0.1:${server.port}`, host: 'evil.example' };
    assert.equal(codeOf(await call(session, '/v1/services', both)), '400 bad_request');
    assert.equal((await call(session, '/healthz', { ':authority': 'evil.example' })).status, 200);
    assert.equal(codeOf(await call(session, '/v1/services', { 'x-forwarded-for': '10.0.0.1' })), '403 forbidden');
  });

  it('pages of other sites write nothing', async () => {
    assert.equal(codeOf(await put(session, 'e-1', INSTANCE, { origin: 'https://evil.example' })), '403 forbidden');
    assert.equal((await put(session, 'e-1', INSTANCE, { origin: server.url })).status, 201);
  });

  it('tokens', async () => {
    const guarded = await openServer({ access: { tokens: [tokenEntry('boss', 'operator')], allowHosts: [] } });
    const client = open(guarded);
    assert.equal(codeOf(await call(client, '/v1/services')), '401 unauthorized');
    assert.equal((await call(client, '/v1/services', { authorization: 'Bearer boss' })).status, 200);
    client.close();
    await guarded.close();
  });

  it('methods and paths that HTTP/1 could not carry are refused', async () => {
    for (const method of ['FOO', '__proto__', 'constructor', 'toString', 'get']) {
      assert.equal((await call(session, '/healthz', { ':method': method })).status, 400, method);
    }
    assert.equal((await call(session, 'http://x/', { ':scheme': 'x' })).status, 400);
    assert.equal((await call(session, '/v1/services', { ':method': 'PROPFIND' })).status, 404);
  });

  it('heads that are too large, over HTTP/1.1: 413 for the path of a DNS question, else 431', async () => {
    const cases: readonly [string, string, RegExp][] = [
      ...[17_000, 40_000, 60_000, 87_384, 100_000, 300_000].map((length): [string, string, RegExp] => [
        `/dns-query?dns=${'A'.repeat(length)}`,
        '',
        /^HTTP\/1\.1 413 [\s\S]*"too_large"/,
      ]),
      ['/dns-query?dns=AAAA', `a: ${'x'.repeat(60_000)}\r\n`, /^HTTP\/1\.1 431 /],
      [`/v1/services?q=${'A'.repeat(60_000)}`, '', /^HTTP\/1\.1 431 /],
    ];
    for (const [path, headers, expected] of cases) {
      for (const before of ['', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n']) {
        const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: own.cert });
        let received = '';
        socket.setEncoding('latin1').on('data', (text: string) => {
          received += text;
        });
        // Whoever still sends when the server hangs up gets an error, after the reply.
        socket.on('error', () => {});
        const closed = once(socket, 'close');
        await once(socket, 'secureConnect');
        if (before !== '') {
          socket.write(before);
          while (!received.endsWith('}')) await once(socket, 'data');
          assert.match(received, /^HTTP\/1\.1 200 /);
          received = '';
        }
        socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`);
        await closed;
        assert.match(received, expected, `${path.slice(0, 20)} ${path.length} ${before.length}`);
      }
    }
  });

  it('too many headers, and too long ones', async () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`a${i}`, '1']));
    assert.equal(codeOf(await call(session, '/healthz', many)), '431 headers_too_large');
    assert.equal(codeOf(await call(session, '/healthz', { a: 'x'.repeat(20_000) })), '431 headers_too_large');
    assert.equal(codeOf(await call(session, `/dns-query?dns=${'A'.repeat(20_000)}`)), '413 too_large');
  });
});

describe('limits of HTTP/2', () => {
  const limits = { headersTimeoutMs: 300, requestTimeoutMs: 500, keepAliveTimeoutMs: 400 };

  it('a connection that asks nothing, or nothing more, is closed', async () => {
    const strict = await openServer({ limits });
    const silent = connectTls({ port: strict.port, host: '127.0.0.1', ca: own.cert, ALPNProtocols: ['h2'] });
    await once(silent, 'secureConnect');
    silent.resume().on('error', () => {});
    const idle = open(strict);
    assert.equal((await call(idle, '/healthz')).status, 200);
    const busy = open(strict);
    const waiting = call(busy, '/v1/services/none?index=0&wait=3s');
    await Promise.all([once(silent, 'close'), once(idle, 'close')]);
    assert.equal((await waiting).status, 404);
    await strict.close();
  });

  it('a body that never ends is given up, a reply that waits is not', async () => {
    const strict = await openServer({ limits });
    const client = open(strict);
    const stream = client.request({ ':path': '/v1/batch', ':method': 'POST', ...JSON_TYPE });
    stream.write('{');
    await once(stream, 'close').catch(() => {});
    assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
    client.close();
    await strict.close();
  });

  it('so many requests at once, and no more', async () => {
    const client = open(server);
    await once(client, 'remoteSettings');
    assert.equal(client.remoteSettings.maxConcurrentStreams, 100);
    client.destroy();
  });

  it('floods of resets end in the end of the connection, and nobody else notices', async () => {
    const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: own.cert, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    let received = Buffer.alloc(0);
    const toldToGo = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (frameTypes(received).includes(GOAWAY)) resolve();
      });
      socket.on('error', () => resolve()).on('close', () => resolve());
    });
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(4, 0, 0, []));
    for (let i = 0; i < 5000; i++) {
      const stream = 2 * i + 1;
      // GET https://localhost/ (RFC 7541 appendix A), to be taken back at once.
      const headers = [0x82, 0x87, 0x84, 0x01, 9, ...Buffer.from('localhost')];
      socket.write(Buffer.concat([frame(1, 5, stream, headers), frame(3, 0, stream, [0, 0, 0, 8])]));
    }
    await toldToGo;
    socket.destroy();
    assert.equal((await call(session, '/healthz')).status, 200);
  });

  it('connections of HTTP/2 count as others do', async () => {
    const strict = await openServer({ limits: { maxConnections: 1 } });
    const first = open(strict);
    assert.equal((await call(first, '/healthz')).status, 200);
    const second = open(strict);
    await new Promise((resolve) => second.once('close', resolve));
    assert.equal((await call(first, '/healthz')).status, 200);
    first.close();
    await strict.close();
  });
});

describe('the end of HTTP/2', () => {
  it('what is under way is answered, and who asks nothing is told to go', async () => {
    const stopping = await openServer({ closeGraceMs: 5000 });
    const idle = open(stopping);
    await call(idle, '/healthz');
    const busy = open(stopping);
    const waiting = call(busy, '/v1/services/none?index=0&wait=60s');
    const watching = busy.request({ ':path': '/v1/watch' });
    await once(watching, 'response');
    let events = '';
    watching.setEncoding('utf8').on('data', (chunk) => {
      events += chunk;
    });
    const ended = once(watching, 'end');
    await Promise.all([stopping.close(), once(idle, 'close'), once(busy, 'close'), ended]);
    assert.equal((await waiting).status, 404);
    assert.match(events, /event: end/);
  });

  it('who goes on regardless is cut off', async () => {
    const stopping = await openServer({ closeGraceMs: 200 });
    const client = open(stopping);
    const stream = client.request({ ':path': '/v1/batch', ':method': 'POST', ...JSON_TYPE });
    stream.on('error', () => {});
    stream.write('{');
    await call(client, '/healthz');
    await Promise.all([stopping.close(), once(client, 'close')]);
  });

  it('a new certificate is for new connections; old ones stay', async () => {
    const fingerprint = (client: ClientHttp2Session): string =>
      (client.socket as TLSSocket).getPeerCertificate().fingerprint;
    const changing = await openServer();
    const before = open(changing);
    await call(before, '/healthz');
    const next = makeCertificate();
    const wanted = {
      listen: [{ address: '127.0.0.1', port: 0 }],
      tls: { cert: next.cert, key: next.key },
      maxBodyBytes: 65_536,
    };
    (await changing.api.prepare(wanted)).take();
    const later = connect(changing.url, { ca: next.cert });
    await call(later, '/healthz');
    assert.notEqual(fingerprint(later), fingerprint(before));
    assert.equal((await call(before, '/healthz')).status, 200);
    for (const each of [before, later]) each.close();
    await changing.close();
    next.remove();
  });
});
