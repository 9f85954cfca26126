// limits.test.ts -- slow, huge, ambiguous and poisonous requests over raw sockets, and how the listeners close

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

const INSTANCE = { address: '10.0.0.7', port: 80 };
const limits = { headersTimeoutMs: 300, requestTimeoutMs: 600 };
let server: ApiServer;
before(async () => {
  server = await openApiServer({ limits });
});
after(() => server.close());

const put = (id: string, headers: string, body: string) =>
  `PUT /v1/services/cart/instances/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;

describe('ambiguous requests', () => {
  const rows: readonly (readonly [name: string, text: string])[] = [
    ['Content-Length and chunked', put('x', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['two lengths', put('x', 'Content-Length: 2\r\nContent-Length: 3\r\n', '{}x')],
    ['a signed length', put('x', 'Content-Length: +2\r\n', '{}')],
    ['a length in hex', put('x', 'Content-Length: 0x2\r\n', '{}')],
    ['a chunk size in C', put('x', 'Transfer-Encoding: chunked\r\n', '0x2\r\n{}\r\n0\r\n\r\n')],
    ['an unknown coding', put('x', 'Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')],
    ['bare line feeds', 'GET /healthz HTTP/1.1\nHost: localhost\n\n'],
    ['no Host', 'GET /v1/services HTTP/1.1\r\n\r\n'],
    ['a folded header', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n'],
    ['a NUL in a header', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n'],
    ['two types', put('x', 'Content-Type: text/plain\r\nContent-Length: 2\r\n', '{}')],
    ['no HTTP at all', '\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n'],
  ];
  for (const [name, text] of rows) {
    it(`${name}: 400, and the connection ends`, async () => {
      const smuggled = `${text}GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
      const reply = await server.raw(smuggled);
      assert.match(reply, /^HTTP\/1\.1 400 /);
      assert.doesNotMatch(reply, /HTTP\/1\.1 200/);
    });
  }

  it('nothing of it was registered', async () => {
    assert.equal((await server.call('GET', '/v1/instances/x')).status, 404);
  });

  it('what the parser refuses is answered in the common form', async () => {
    const [, body] = (await server.raw('GET / HTTP/1.1\r\nHost : x\r\n\r\n')).split('\r\n\r\n');
    assert.equal(JSON.parse(body!).error.code, 'bad_request');
  });

  it('no text of a request splits a reply', async () => {
    const path = '/v1/instances/a%0d%0aX-Evil:%201';
    const reply = await server.raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    assert.match(reply, /^HTTP\/1\.1 400 /);
    assert.doesNotMatch(reply, /\nX-Evil/i);
  });
});

describe('huge requests', () => {
  it('a gibibyte announced is refused before it is sent', async () => {
    const reply = await server.raw(put('big', 'Content-Length: 1073741824\r\n', '{"a":"'));
    assert.match(reply, /^HTTP\/1\.1 413 /);
    assert.match(reply, /"too_large"/);
    assert.match(reply, /connection: close/i);
  });

  it('a client that asks first is told no, and yes', async () => {
    const no = await server.raw(put('big', 'Expect: 100-continue\r\nContent-Length: 1073741824\r\n', ''));
    assert.match(no, /^HTTP\/1\.1 413 /);
    const body = JSON.stringify(INSTANCE);
    const headers = `Expect: 100-continue\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`;
    const yes = await server.raw(put('asked', headers, body));
    assert.match(yes, /^HTTP\/1\.1 100 [\s\S]*HTTP\/1\.1 201 /);
  });

  it('an endless chunked body is cut off at the limit', async () => {
    const socket = connect(server.port, '127.0.0.1');
    let received = '';
    let sent = 0;
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', () => {});
    socket.write(put('big', 'Transfer-Encoding: chunked\r\n', ''));
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const pump = (): void => {
      while (!socket.destroyed && sent < 50_000_000 && socket.write(chunk)) sent += chunk.length;
      if (!socket.destroyed && sent < 50_000_000) socket.once('drain', pump);
    };
    pump();
    // Not `once`: writing on after the server hung up is an error, and expected.
    await new Promise((resolve) => socket.on('close', resolve));
    assert.match(received, /^HTTP\/1\.1 413 /);
    assert.ok(sent < 20_000_000, `${sent} octets were taken`);
  });

  it('too many header octets: 431', async () => {
    const reply = await server.raw(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`);
    assert.match(reply, /^HTTP\/1\.1 431 /);
    assert.match(reply, /"headers_too_large"/);
  });

  it('too many headers: 431', async () => {
    const many = Array.from({ length: 64 }, (_, i) => `A${i}: 1\r\n`).join('');
    const reply = await server.raw(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${many}\r\n`);
    assert.match(reply, /^HTTP\/1\.1 431 /);
  });
});

describe('slow requests', () => {
  it('headers that never end: 408', async () => {
    const reply = await server.raw('GET /healthz HTTP/1.1\r\nHost: localhost\r\n', 5000);
    assert.match(reply, /^HTTP\/1\.1 408 [\s\S]*"request_timeout"/);
  });

  it('a body that never ends: 408', async () => {
    const reply = await server.raw(put('slow', 'Content-Length: 100\r\n', '{'), 5000);
    assert.match(reply, /^HTTP\/1\.1 408 /);
  });

  it('a blocking read may take longer than a request may', async () => {
    const started = performance.now();
    const reply = await server.call('GET', '/v1/services/none?index=0&wait=2500ms');
    assert.equal(reply.status, 404);
    assert.ok(performance.now() - started > 2400);
  });
});

describe('bodies', () => {
  const PATH = '/v1/services/cart/instances/body-1';
  const json = { 'content-type': 'application/json' };
  const rows: readonly (readonly [name: string, body: string | undefined, headers: Record<string, string>, string])[] =
    [
      ['malformed JSON', '{"address":', json, '400 invalid_json'],
      ['__proto__', '{"address":"10.0.0.7","port":80,"meta":{"__proto__":{"a":1}}}', json, '400 invalid'],
      ['constructor', '{"constructor":{"prototype":{"port":1}}}', json, '400 invalid'],
      ['a key twice', '{"address":"10.0.0.7","port":80,"port":81}', json, '400 invalid_json'],
      ['40 levels', `${'['.repeat(40)}${']'.repeat(40)}`, json, '400 invalid_json'],
      ['no body', undefined, {}, '400 invalid'],
      ['an empty body', '', json, '400 invalid'],
      ['an array', '[]', json, '400 invalid'],
      ['an unknown field', '{"address":"10.0.0.7","port":80,"colour":1}', json, '400 invalid'],
      ['a form', 'port=80', { 'content-type': 'application/x-www-form-urlencoded' }, '415 unsupported_media_type'],
      ['text', '{}', { 'content-type': 'text/plain' }, '415 unsupported_media_type'],
      ['a type like JSON', '{}', { 'content-type': 'application/jsonp' }, '415 unsupported_media_type'],
      ['compressed', '{}', { ...json, 'content-encoding': 'gzip' }, '415 unsupported_media_type'],
      ['too much', `"${'x'.repeat(65_536)}"`, json, '413 too_large'],
      ['a charset', JSON.stringify(INSTANCE), { 'content-type': 'application/json; charset=utf-8' }, '201 undefined'],
    ];
  for (const [name, body, headers, expected] of rows) {
    it(`${name}: ${expected}`, async () => {
      const reply = await server.call('PUT', PATH, body, headers);
      assert.equal(`${reply.status} ${reply.body.error?.code}`, expected);
      if (reply.status >= 400) {
        assert.deepEqual(Object.keys(reply.body), ['error']);
        assert.deepEqual(Object.keys(reply.body.error), ['code', 'message', 'details']);
      }
    });
  }

  it('that are empty have no type, and calls without one look at none', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal((await server.call('PUT', PATH, INSTANCE)).status < 300, true);
    const rows: readonly (readonly [string, string, string, Record<string, string>, string])[] = [
      ['PUT', '/v1/instances/body-1/heartbeat', '', form, '200 undefined'],
      ['PUT', '/v1/instances/body-1/heartbeat', 'a=b', form, '415 unsupported_media_type'],
      ['PUT', '/v1/instances/body-1/maintenance', '', form, '400 invalid'],
      ['POST', '/v1/instances/body-1/drain', '', form, '200 undefined'],
      ['POST', '/v1/instances/body-1/drain', '{bad', json, '200 undefined'],
      ['POST', '/v1/instances/body-1/drain', 'a=b', form, '200 undefined'],
      ['POST', '/v1/instances/body-1/drain', 'x'.repeat(65_537), form, '413 too_large'],
      ['POST', '/v1/reload', '\0', form, '200 undefined'],
      ['DELETE', '/v1/instances/body-1/drain', '{bad', json, '204 undefined'],
    ];
    for (const [method, path, body, headers, expected] of rows) {
      const reply = await server.call(method, path, body, headers);
      assert.equal(`${reply.status} ${reply.body.error?.code}`, expected, `${method} ${path} ${body.slice(0, 9)}`);
    }
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n';
    const untyped = await server.raw(
      `POST /v1/instances/body-1/drain HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${chunked}`,
    );
    assert.match(untyped, /^HTTP\/1\.1 200 /);
  });

  it('every problem is named by its path', async () => {
    const reply = await server.call('PUT', PATH, {
      port: 0,
      tags: ['a b'],
      checks: [{ type: 'tcp', interval: 5 }],
      x: 1,
    });
    const paths = reply.body.error.details.map(({ path }: { path: string }) => path);
    assert.deepEqual(paths.sort(), ['address', 'checks[0].interval', 'port', 'tags[0]', 'x']);
  });

  it('Object.prototype is as it was', () => assert.deepEqual(Object.keys(Object.prototype), []));
});

describe('listeners', () => {
  it('are several, and a port that is taken opens none', async () => {
    const two = await openApiServer({ listen: [0, 0].map((port) => ({ address: '127.0.0.1', port })) });
    const ports = two.api.addresses.map(({ port }) => port);
    assert.notEqual(ports[0], ports[1]);
    for (const port of ports) assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
    const taken = { address: '127.0.0.1', port: ports[1]! };
    await assert.rejects(openApiServer({ listen: [{ address: '127.0.0.1', port: 0 }, taken] }), {
      code: 'listen_failed',
      message: /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    });
    await two.close();
  });

  it('speak IPv6', async () => {
    const six = await openApiServer({ listen: [{ address: '::1', port: 0 }] });
    assert.equal((await fetch(`http://[::1]:${six.port}/v1/services`)).status, 200);
    await six.close();
  });

  it('close although a client holds a connection open', async () => {
    const own = await openApiServer();
    const socket = connect(own.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    socket.write('PUT /v1/instances/x/heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Le');
    await own.call('GET', '/healthz');
    await Promise.all([own.close(), once(socket, 'close')]);
  });

  it('take no more connections than they may', async () => {
    const own = await openApiServer({ limits: { maxConnections: 2 } });
    const sockets = [connect(own.port, '127.0.0.1'), connect(own.port, '127.0.0.1')];
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    // A connection the server has not accepted yet does not count; a request proves that it has.
    for (const socket of sockets) {
      socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'data');
    }
    assert.equal(await own.raw('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'), '');
    sockets[0]!.destroy();
    let reply = '';
    for (let tries = 0; reply === '' && tries < 50; tries++) {
      reply = await own.raw('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    }
    assert.match(reply, /^HTTP\/1\.1 200/);
    sockets[1]!.destroy();
    await own.close();
  });
});
