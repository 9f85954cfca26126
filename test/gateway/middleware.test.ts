// middleware.test.ts -- the gateway in servers of other programs: node:http, express-style chains, fastify, HTTP/2, upgrades

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fastify } from 'fastify';
import { createClient } from '../../src/client/client.ts';
import {
  createGateway,
  type ExchangeRecord,
  type MiddlewareOptions,
  type OutlierVerdict,
  RollcallError,
  type RollcallGateway,
} from '../../src/gateway/middleware.ts';
import { openApiServer } from '../support/api-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { OneService, type Scope, TestServer, until } from '../support/gateway-rig.ts';

/** Says what it got: `POST /path body`. */
const echo: RequestListener = async (request, response) => {
  const body = await text(request);
  response.setHeader('x-forwarded-for-seen', request.headers['x-forwarded-for'] ?? '');
  response.end(`${request.method} ${request.url} ${body}`.trim());
};

/** A gateway in front of one service of such instances. */
async function open(
  t: Scope,
  options: Partial<MiddlewareOptions> = {},
  ...handlers: RequestListener[]
): Promise<{ gateway: RollcallGateway; source: OneService; instances: TestServer[] }> {
  const source = new OneService();
  const instances: TestServer[] = [];
  for (const [i, handler] of (handlers.length === 0 ? [echo] : handlers).entries()) {
    const instance = await TestServer.start(t, createServer(handler));
    instances.push(instance);
    source.add(`i${i}`, instance.port);
  }
  const gateway = createGateway({ source, routes: [{ prefix: '/api', service: 'shop' }], ...options });
  t.after(() => gateway.close(0));
  return { gateway, source, instances };
}

async function serve(t: Scope, listener: RequestListener): Promise<string> {
  const { port } = await TestServer.start(t, createServer(listener));
  return `http://127.0.0.1:${port}`;
}

async function get(url: string, init?: RequestInit): Promise<[status: number, body: string]> {
  const reply = await fetch(url, init);
  return [reply.status, await reply.text()];
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Calls one after the other as connect and express do; below a path, which is taken off `url` meanwhile. */
function chain(...steps: readonly (readonly [path: string, step: Middleware])[]): RequestListener {
  return (request, response) => {
    const whole = request.url!;
    const run = (i: number, error?: unknown): void => {
      request.url = whole;
      const found = steps[i];
      if (error !== undefined || found === undefined) {
        response.statusCode = error === undefined ? 404 : 500;
        response.end(String(error ?? 'nobody'));
        return;
      }
      const [path, step] = found;
      if (path !== '' && whole !== path && !whole.startsWith(`${path}/`)) {
        run(i + 1);
        return;
      }
      request.url = whole.slice(path.length) || '/';
      try {
        step(request, response, (problem) => run(i + 1, problem));
      } catch (thrown) {
        run(i + 1, thrown);
      }
    };
    run(0);
  };
}

describe('as the listener of node:http', () => {
  it('takes requests with their bodies, and answers 404 where no route is', async (t) => {
    const { gateway } = await open(t);
    const url = await serve(t, gateway.handle);
    assert.deepEqual(await get(`${url}/api/a?b=1`), [200, 'GET /api/a?b=1']);
    assert.deepEqual(await get(`${url}/api`, { method: 'POST', body: 'x'.repeat(100_000) }), [
      200,
      `POST /api ${'x'.repeat(100_000)}`,
    ]);
    const [status, body] = await get(`${url}/other`);
    assert.deepEqual([status, JSON.parse(body).error.code], [404, 'no_route']);
  });

  it('takes upgrades, and leaves others to the program', async (t) => {
    const { gateway, instances } = await open(t);
    instances[0]!.server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
      socket.on('error', () => {});
    });
    const server = createServer(gateway.handle);
    server.on('upgrade', (request, socket, head) =>
      gateway.upgrade(request, socket, head, () => socket.end('HTTP/1.1 418 Mine\r\n\r\n')),
    );
    const front = await TestServer.start(t, server);
    const ask = (path: string) => {
      const socket = connect(front.port, '127.0.0.1');
      let got = '';
      socket.setEncoding('latin1').on('data', (chunk) => {
        got += chunk;
      });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
      return { socket, got: () => got };
    };
    const taken = ask('/api');
    await until(() => taken.got().includes('\r\n\r\n'));
    assert.match(taken.got(), /^HTTP\/1\.1 101 /);
    taken.socket.write('hello');
    await until(() => taken.got().endsWith('hello'));
    assert.deepEqual(gateway.status, { inFlight: 0, queued: 0, upgrades: 1, ejected: 0 });
    taken.socket.end();
    const left = ask('/mine');
    await once(left.socket, 'close');
    assert.match(left.got(), /^HTTP\/1\.1 418 Mine/);
  });

  it('serves HTTP/2', async (t) => {
    const { gateway } = await open(t);
    const server = createHttp2(gateway.handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.after(() => session.destroy());
    const stream = session.request({ ':path': '/api/two' });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 200);
    assert.equal(await text(stream), 'GET /api/two');
  });
});

describe('as middleware', () => {
  it('goes by the path that is left below a mount, and passes on what no route is for', async (t) => {
    const { gateway } = await open(t, { routes: [{ prefix: '/api', strip: true, service: 'shop' }] });
    const url = await serve(
      t,
      chain(['/shop', gateway.handle], ['', (request, response) => response.end(`app ${request.url}`)]),
    );
    assert.deepEqual(await get(`${url}/shop/api/a?b=1`), [200, 'GET /a?b=1']);
    assert.deepEqual(await get(`${url}/shop/api`), [200, 'GET /']);
    assert.deepEqual(await get(`${url}/api/a`), [200, 'app /api/a']);
    assert.deepEqual(await get(`${url}/shop/other`), [200, 'app /shop/other']);
  });

  it('leaves the body alone when it passes a request on', async (t) => {
    const { gateway } = await open(t);
    const url = await serve(t, chain(['', gateway.handle], ['', echo]));
    assert.deepEqual(await get(`${url}/app`, { method: 'POST', body: 'mine' }), [200, 'POST /app mine']);
  });

  it('says so when somebody has read the body', async (t) => {
    const { gateway } = await open(t);
    const parse: Middleware = (request, _response, next) => void text(request).then(() => next());
    const url = await serve(t, chain(['', parse], ['', gateway.handle]));
    const [status, body] = await get(`${url}/api`, { method: 'POST', body: 'gone' });
    assert.deepEqual([status, JSON.parse(body).error.code], [500, 'body_read']);
    assert.deepEqual(await get(`${url}/api`), [200, 'GET /api'], 'there was none to read');
  });

  it('takes a body of which nothing was read yet, however late', async (t) => {
    const { gateway } = await open(t);
    const wait: Middleware = (_request, _response, next) => void setTimeout(next, 20);
    const url = await serve(t, chain(['', wait], ['', gateway.handle]));
    assert.deepEqual(await get(`${url}/api`, { method: 'POST', body: 'late' }), [200, 'POST /api late']);
  });
});

describe('as a plugin of fastify', () => {
  it('goes before routes and body parsers, and takes only what is its own', async (t) => {
    const { gateway } = await open(t);
    const app = fastify({ bodyLimit: 10 });
    t.after(() => app.close());
    app.register(gateway.fastify);
    app.get('/app', async () => 'app');
    app.get('/api/shadowed', async () => 'never');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    assert.deepEqual(await get(`${url}/app`), [200, 'app']);
    assert.deepEqual(await get(`${url}/api/a?b=1`), [200, 'GET /api/a?b=1']);
    assert.deepEqual(await get(`${url}/api/shadowed`), [200, 'GET /api/shadowed']);
    const body = '{"longer than":"the limit of the app"}';
    const headers = { 'content-type': 'application/json' };
    assert.deepEqual(await get(`${url}/api/a`, { method: 'POST', headers, body }), [200, `POST /api/a ${body}`]);
    assert.equal((await get(`${url}/nobody`))[0], 404);
    assert.match((await get(`${url}/nobody`))[1], /Route GET:\/nobody not found/);
  });

  it('covers the whole app from within a plugin of its own', async (t) => {
    const { gateway } = await open(t);
    const app = fastify();
    t.after(() => app.close());
    app.get('/app', async () => 'app');
    await app.register(gateway.fastify, { prefix: '/ignored' });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    assert.deepEqual(await get(`${url}/api/a`), [200, 'GET /api/a']);
    assert.deepEqual(await get(`${url}/app`), [200, 'app']);
  });
});

describe('over a client', () => {
  it('follows the services of its routes until it is closed', async (t) => {
    const server = await openApiServer();
    t.after(() => server.close());
    const client = createClient({ url: server.url });
    t.after(() => client.close());
    const [one, two] = [await TestServer.start(t, createServer(echo)), await TestServer.start(t, createServer(echo))];
    const put = (id: string, { port }: TestServer) =>
      server.call('PUT', `/v1/services/shop/instances/${id}`, { address: '127.0.0.1', port });
    await put('i1', one);
    const records: ExchangeRecord[] = [];
    const gateway = createGateway({
      client,
      routes: [{ prefix: '/api', service: 'Shop' }],
      onExchange: (record) => records.push(record),
    });
    t.after(() => gateway.close(0));
    const url = await serve(t, gateway.handle);
    await gateway.ready;
    assert.deepEqual(await get(`${url}/api`), [200, 'GET /api']);
    await put('i2', two);
    await server.call('DELETE', '/v1/services/shop/instances/i1');
    while (two.opened === 0) await get(`${url}/api`);
    assert.equal(records[0]!.instance, 'i1');
    assert.equal(records.at(-1)!.instance, 'i2');
    await gateway.close();
    await gateway.close();
    const [status, body] = await get(`${url}/api`);
    assert.deepEqual([status, JSON.parse(body).error.code], [503, 'overloaded']);
    await two.whenEmpty();
  });

  it('answers 503 before the services were read', async (t) => {
    const client = createClient({ url: 'http://127.0.0.1:1' });
    t.after(() => client.close());
    const gateway = createGateway({ client, routes: [{ service: 'shop' }] });
    t.after(() => gateway.close(0));
    const reply = await fetch(await serve(t, gateway.handle));
    assert.equal(reply.status, 503);
    assert.equal(reply.headers.get('retry-after'), '1');
    assert.equal(((await reply.json()) as { error: { code: string } }).error.code, 'no_instance');
  });
});

describe('instances that fail', () => {
  const failing: RequestListener = (_request, response) => {
    response.statusCode = 503;
    response.end('no');
  };
  const routes = [
    { service: 'shop', retries: { attempts: 0 }, outliers: { consecutive: 2, ejectFor: '1h', maxEjectFor: '1h' } },
  ];

  it('are passed over in this process, and forgotten when they move or go', async (t) => {
    const verdicts: OutlierVerdict[] = [];
    const onVerdict = (verdict: OutlierVerdict) => verdicts.push(verdict);
    const { gateway, source, instances } = await open(t, { routes, onVerdict }, failing, echo);
    const url = await serve(t, gateway.handle);
    while (gateway.status.ejected === 0) await get(url);
    assert.deepEqual(
      verdicts.map(({ kind, instance, service, forMs }) => [kind, instance, service, forMs]),
      [['eject', 'i0', 'shop', 3_600_000]],
    );
    for (let i = 0; i < 10; i++) assert.equal((await get(url))[0], 200, `request ${i}`);
    source.changed();
    assert.equal(gateway.status.ejected, 1, 'other news change nothing');
    source.add('i0', instances[1]!.port);
    assert.equal(gateway.status.ejected, 0, 'it is elsewhere now');
    source.add('i0', instances[0]!.port);
    while (gateway.status.ejected === 0) await get(url);
    source.remove('i0');
    assert.equal(gateway.status.ejected, 0, 'it is gone');
  });

  it('do not harm requests when the listener throws', async (t) => {
    const thrown: unknown[] = [];
    const listener = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error));
    t.after(() => {
      process.removeAllListeners('uncaughtException');
      for (const each of listener) process.on('uncaughtException', each);
    });
    const onExchange = () => {
      throw new Error('mine');
    };
    const { gateway } = await open(t, { onExchange });
    const url = await serve(t, gateway.handle);
    assert.deepEqual(await get(`${url}/api`), [200, 'GET /api']);
    await until(() => thrown.length > 0);
    assert.match(String(thrown[0]), /mine/);
    assert.equal(gateway.status.inFlight, 0);
  });
});

describe('close', () => {
  it('waits for what is under way, for as long as it is told', async (t) => {
    let finish = () => {};
    const slow: RequestListener = (_request, response) => {
      finish = () => response.end('done');
    };
    const { gateway } = await open(t, { routes: [{ service: 'shop' }] }, slow);
    const url = await serve(t, gateway.handle);
    const reply = get(url);
    await until(() => gateway.status.inFlight === 1);
    const closed = gateway.close(60_000);
    setTimeout(() => finish(), 20);
    assert.deepEqual(await reply, [200, 'done']);
    await closed;
  });
});

describe('options', () => {
  const certificate = makeCertificate();
  const source = new OneService();
  const route = { service: 'shop' };
  const WRONG: readonly (readonly [name: string, options: unknown, path: string, message: RegExp])[] = [
    ['nothing', undefined, '', /must be an object/],
    ['no routes', { source }, 'routes', /names no route/],
    ['no route', { source, routes: [] }, 'routes', /names no route/],
    ['no source', { routes: [route] }, '', /either client or source/],
    ['two sources', { source, client: { view() {} }, routes: [route] }, '', /either client or source/],
    ['a source that is none', { source: {}, routes: [route] }, 'source', /has no method service/],
    ['a client that is none', { client: 'http://127.0.0.1', routes: [route] }, 'client', /has no method view/],
    ['a key that is none', { source, routes: [route], rutes: [] }, 'rutes', /unknown field/],
    ['no service', { source, routes: [{}] }, 'routes[0].service', /is missing/],
    ['a bad prefix', { source, routes: [route, { ...route, prefix: 'api' }] }, 'routes[1].prefix', /begin with \//],
    ['a bad time', { source, routes: [{ ...route, timeout: '5' }] }, 'routes[0].timeout', /milliseconds, or a time/],
    ['no number', { source, routes: [{ ...route, timeout: Number.NaN }] }, 'routes[0].timeout', /milliseconds/],
    ['a time below 0', { source, routes: [{ ...route, timeout: -1 }] }, 'routes[0].timeout', /must be from 0.01s/],
    ['no end', { source, routes: [{ ...route, idleTimeout: 1 / 0 }] }, 'routes[0].idleTimeout', /must be from/],
    ['a file', { source, routes: [{ ...route, tls: { caFile: 'x' } }] }, 'routes[0].tls.caFile', /unknown field/],
    ['no PEM', { source, routes: [{ ...route, tls: { ca: 'x' } }] }, 'routes[0].tls.ca', /no certificate/],
    ['twins', { source, routes: [route, route] }, 'routes[1]', /takes the same requests as route 'shop'/],
    ['a listener', { source, routes: [route], onExchange: 1 }, 'onExchange', /must be a function/],
    ['a network', { source, routes: [route], trust: ['10.0.0.1/8'] }, 'trust[0]', /is not a network/],
  ];
  for (const [name, options, path, message] of WRONG) {
    it(`refuse ${name}`, () => {
      assert.throws(
        () => createGateway(options as MiddlewareOptions),
        (error) => {
          assert.ok(error instanceof RollcallError, String(error));
          assert.equal(error.code, 'invalid');
          const found = error.details.find((each) => each.path === path);
          assert.match(found?.message ?? `nothing at '${path}': ${error.message}`, message);
          return true;
        },
      );
    });
  }

  it('may say everything', async (t) => {
    t.after(() => certificate.remove());
    const gateway = createGateway({
      source,
      trust: ['loopback', '10.0.0.0/8'],
      maxRequests: 5,
      serverTiming: 'always',
      zone: 'eu',
      routes: [
        {
          ...{ name: 'all', host: '*.shop.example', prefix: '/api', headers: { 'x-a': '1' }, service: 'shop' },
          ...{ tags: ['v2'], port: 'http', rewrite: '/v2', sticky: { cookie: 'shop', maxAge: 60_000 } },
          ...{ hostHeader: 'instance', tls: { ca: Buffer.from(certificate.cert), serverName: 'a.example' } },
          ...{ timeout: 5000, idleTimeout: '1m', retries: { attempts: 1, on: [503], budget: 0.5 } },
          outliers: { consecutive: 1, window: 1000, ejectFor: 1000, maxEjectFor: '2s' },
          limits: { maxConnections: 1, maxQueued: 0, queueTimeout: 10 },
        },
        { service: 'shop', outliers: false, sticky: 'client' },
      ],
    });
    t.after(() => gateway.close(0));
    await gateway.ready;
    assert.deepEqual(gateway.status, { inFlight: 0, queued: 0, upgrades: 0, ejected: 0 });
  });

  it('are forwarded to trusted proxies only', async (t) => {
    const headers = { 'x-forwarded-for': '192.0.2.7' };
    for (const [trust, seen] of [
      [[], '127.0.0.1'],
      [['loopback'], '192.0.2.7, 127.0.0.1'],
    ] as const) {
      const { gateway } = await open(t, { trust });
      const reply = await fetch(`${await serve(t, gateway.handle)}/api`, { headers });
      assert.equal(reply.headers.get('x-forwarded-for-seen'), seen);
    }
  });
});
