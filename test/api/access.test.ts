// access.test.ts -- who is let in: this machine without tokens, tokens with scopes, and never another site's page

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';

const INSTANCE = { address: '10.0.0.7', port: 80 };

describe('without tokens', () => {
  let server: ApiServer;
  before(async () => {
    const listen = [
      { address: '127.0.0.1', port: 0 },
      { address: '0.0.0.0', port: 0 },
    ];
    server = await openApiServer({ listen, access: { tokens: [], allowHosts: ['Registry.example', 'x.example:81'] } });
  });
  after(() => server.close());

  const statusOf = async (path: string, headers: string, target = ''): Promise<number> => {
    const text = await server.raw(`GET ${target}${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);
    return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  };

  const hosts: readonly (readonly [host: string, status: number])[] = [
    ['localhost', 200],
    ['LOCALHOST:8500', 200],
    ['localhost.', 200],
    ['127.0.0.1:1', 200],
    ['127.8.9.10', 200],
    ['[::1]:8500', 200],
    ['registry.example', 200],
    ['registry.example:8500', 200],
    ['x.example:81', 200],
    ['x.example:82', 403],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['evil.localhost', 403],
    ['127.0.0.1.evil.example', 403],
    ['user@localhost', 403],
    ['10.0.0.1', 403],
    ['0x7f.1', 403],
    ['127.1', 403],
    ['::1', 403],
    ['', 403],
    ['localhost:x', 403],
  ];
  for (const [host, status] of hosts) {
    it(`Host '${host}' gets ${status}`, async () => {
      assert.equal(await statusOf('/v1/services', `Host: ${host}\r\n`), status);
      assert.equal(await statusOf('/healthz', `Host: ${host}\r\n`), 200);
    });
  }

  it('the authority of an absolute target counts too', async () => {
    assert.equal(await statusOf('/v1/services', 'Host: localhost\r\n', 'http://evil.example'), 403);
    assert.equal(await statusOf('/v1/services', 'Host: localhost\r\n', 'http://127.0.0.1:80'), 200);
  });

  const forwarding = ['Forwarded: for=1.2.3.4', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: a', 'X-Real-IP: ::1'];
  for (const header of [...forwarding, 'Via: 1.1 proxy', 'X-Forwarded-Anything: 1']) {
    it(`refuses ${header}`, async () => {
      assert.equal(await statusOf('/v1/services', `Host: localhost\r\n${header}\r\n`), 403);
    });
  }

  it('a forwarding header cannot hide behind many others', async () => {
    const many = Array.from({ length: 70 }, (_, i) => `A${i}: 1\r\n`).join('');
    assert.equal(await statusOf('/v1/services', `Host: localhost\r\n${many}X-Forwarded-For: 1.2.3.4\r\n`), 431);
  });

  it('refuses two Hosts', async () => {
    assert.equal(await statusOf('/v1/services', 'Host: localhost\r\nHost: evil.example\r\n'), 400);
  });

  it('refuses peers that are not on this machine', async () => {
    const { checkLocal } = await import('../../src/api/request-source.ts');
    type Incoming = Parameters<typeof checkLocal>[0];
    const from = (remoteAddress: string) =>
      ({ socket: { remoteAddress, localAddress: '10.0.0.1' }, headers: { host: 'localhost' }, url: '/' }) as Incoming;
    for (const peer of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) checkLocal(from(peer), [], []);
    for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1%lo', '2001:db8::1', '']) {
      assert.throws(() => checkLocal(from(peer), [], []), { code: 'forbidden' }, peer);
    }
  });

  it('does everything for this machine', async () => {
    const calls: [string, string, number][] = [
      ['POST', '/v1/reload', 200],
      ['GET', '/v1/status', 200],
      ['GET', '/metrics', 200],
      ['GET', '/openapi.json', 200],
      ['GET', '/docs/', 200],
    ];
    for (const [method, path, status] of calls) assert.equal((await server.call(method, path)).status, status, path);
  });
});

describe('writes of browsers', () => {
  let server: ApiServer;
  before(async () => {
    server = await openApiServer();
  });
  after(() => server.close());

  const rows: readonly (readonly [name: string, headers: (own: string) => string[], status: number])[] = [
    ['from a page of this server', (own) => [`Origin: ${own}`, 'Content-Type: application/json'], 201],
    ['from another site', () => ['Origin: http://evil.example', 'Content-Type: application/json'], 403],
    ['from another port', () => ['Origin: http://127.0.0.1:1', 'Content-Type: application/json'], 403],
    ['from https', (own) => [`Origin: ${own.replace('http', 'https')}`, 'Content-Type: application/json'], 403],
    ['from nowhere', () => ['Origin: null', 'Content-Type: application/json'], 403],
    ['of a form', (own) => [`Origin: ${own}`, 'Content-Type: text/plain'], 403],
    ['without a type', (own) => [`Origin: ${own}`], 403],
    ['with Sec-Fetch-Site alone', () => ['Sec-Fetch-Site: cross-site', 'Content-Type: application/json'], 403],
    ['with Sec-Fetch-Site same-origin', () => ['Sec-Fetch-Site: same-origin', 'Content-Type: application/json'], 201],
    ['of no browser, as a form', () => ['Content-Type: text/plain'], 415],
  ];
  for (const [name, headers, status] of rows) {
    it(`${name}: ${status}`, async () => {
      const body = JSON.stringify(INSTANCE);
      const id = name.replaceAll(/[^a-z]/gi, '-');
      const head = [
        `PUT /v1/services/cart/instances/${id} HTTP/1.1`,
        `Host: 127.0.0.1:${server.port}`,
        `Content-Length: ${body.length}`,
        'Connection: close',
        ...headers(`http://127.0.0.1:${server.port}`),
      ].join('\r\n');
      assert.match(await server.raw(`${head}\r\n\r\n${body}`), new RegExp(`^HTTP/1.1 ${status} `));
    });
  }

  it('reads need no Origin rule', async () => {
    assert.equal((await server.call('GET', '/v1/services', undefined, { origin: 'http://evil.example' })).status, 200);
  });
});

describe('with tokens', () => {
  let server: ApiServer;
  const tokens = [
    tokenEntry('writer', 'services:write:cart-*'),
    tokenEntry('reader', 'services:read:cart-*'),
    tokenEntry('overseer', 'services:read:*'),
    tokenEntry('planner', 'policies:write:*'),
    tokenEntry('boss', 'operator'),
    tokenEntry('nobody'),
  ];
  before(async () => {
    server = await openApiServer({ access: { tokens, allowHosts: [] } });
    for (const [service, id] of [
      ['cart-a', 'cart-a-1'],
      ['pay', 'pay-1'],
    ]) {
      await server.call('PUT', `/v1/services/${service}/instances/${id}`, INSTANCE, { authorization: 'Bearer boss' });
    }
  });
  after(() => server.close());

  const names = ['writer', 'reader', 'overseer', 'planner', 'boss', 'nobody'] as const;
  type Row = readonly [method: string, path: string, body: unknown, statuses: readonly number[]];
  const matrix: readonly Row[] = [
    //                                                              writer reader overseer planner boss nobody
    ['GET', '/v1/services', undefined, /*                        */ [200, 200, 200, 200, 200, 200]],
    ['GET', '/v1/services/cart-a', undefined, /*                 */ [200, 200, 200, 403, 200, 403]],
    ['GET', '/v1/services/CART-A', undefined, /*                 */ [200, 200, 200, 403, 200, 403]],
    ['GET', '/v1/services/pay', undefined, /*                    */ [403, 403, 200, 403, 200, 403]],
    ['GET', '/v1/services/none', undefined, /*                   */ [403, 403, 404, 403, 404, 403]],
    ['GET', '/v1/services/cart-none', undefined, /*              */ [404, 404, 404, 403, 404, 403]],
    ['PUT', '/v1/services/Cart-A/instances/cart-a-1', INSTANCE, /**/ [200, 403, 403, 403, 200, 403]],
    ['PUT', '/v1/services/PAY/instances/pay-1', INSTANCE, /*     */ [403, 403, 403, 403, 200, 403]],
    ['PUT', '/v1/services/%70ay/instances/pay-1', INSTANCE, /*   */ [403, 403, 403, 403, 200, 403]],
    ['POST', '/v1/services/pay/instances', {}, /*                */ [403, 403, 403, 403, 400, 403]],
    ['GET', '/v1/instances/cart-a-1', undefined, /*              */ [200, 200, 200, 403, 200, 403]],
    ['GET', '/v1/instances/pay-1', undefined, /*                 */ [403, 403, 200, 403, 200, 403]],
    ['GET', '/v1/instances/pay-9', undefined, /*                 */ [403, 403, 404, 403, 404, 403]],
    ['GET', '/v1/instances/cart-a-9', undefined, /*              */ [404, 404, 404, 403, 404, 403]],
    ['PATCH', '/v1/instances/pay-1', { weight: 2 }, /*           */ [403, 403, 403, 403, 200, 403]],
    ['PUT', '/v1/instances/cart-a-1/heartbeat', {}, /*           */ [200, 403, 403, 403, 200, 403]],
    ['PUT', '/v1/instances/cart-a-9/heartbeat', {}, /*           */ [404, 403, 403, 403, 404, 403]],
    ['PUT', '/v1/instances/pay-1/heartbeat', {}, /*              */ [403, 403, 403, 403, 200, 403]],
    ['POST', '/v1/instances/pay-1/drain', undefined, /*          */ [403, 403, 403, 403, 200, 403]],
    ['DELETE', '/v1/instances/pay-1/drain', undefined, /*        */ [403, 403, 403, 403, 204, 403]],
    ['DELETE', '/v1/instances/pay-1/ejection', undefined, /*     */ [403, 403, 403, 403, 204, 403]],
    ['PUT', '/v1/instances/pay-1/maintenance', { enabled: false }, [403, 403, 403, 403, 200, 403]],
    ['GET', '/v1/instances/pay-1/checks', undefined, /*          */ [403, 403, 200, 403, 200, 403]],
    ['PUT', '/v1/instances/pay-1/checks/a', { type: 'tcp' }, /*  */ [403, 403, 403, 403, 200, 403]],
    ['DELETE', '/v1/instances/pay-1/checks/a', undefined, /*     */ [403, 403, 403, 403, 204, 403]],
    ['PUT', '/v1/services/cart-a/policy', {}, /*                 */ [403, 403, 403, 200, 200, 403]],
    ['GET', '/v1/services/cart-a/policy', undefined, /*          */ [200, 200, 200, 200, 200, 403]],
    ['GET', '/v1/services/pay/policy', undefined, /*             */ [403, 403, 404, 404, 404, 403]],
    ['POST', '/v1/reload', undefined, /*                         */ [403, 403, 403, 403, 200, 403]],
    ['GET', '/v1/status', undefined, /*                          */ [403, 403, 200, 403, 200, 403]],
    ['GET', '/metrics', undefined, /*                            */ [403, 403, 200, 403, 200, 403]],
    ['GET', '/openapi.json', undefined, /*                       */ [200, 200, 200, 200, 200, 200]],
    ['GET', '/docs/', undefined, /*                              */ [200, 200, 200, 200, 200, 200]],
    ['GET', '/v1/watch?service=PAY&since=x', undefined, /*       */ [403, 403, 410, 403, 410, 403]],
    ['GET', '/v1/watch?service=cart-none&since=x', undefined, /* */ [410, 410, 410, 403, 410, 403]],
    ['GET', '/v1/services/pay/history', undefined, /*            */ [403, 403, 200, 403, 200, 403]],
    ['GET', '/v1/services/cart-none/history', undefined, /*      */ [404, 404, 404, 403, 404, 403]],
    ['POST', '/v1/batch', { operations: [{ op: 'deregister', id: 'pay-9' }] }, [403, 403, 403, 403, 404, 403]],
    ['GET', '/nothing', undefined, /*                            */ [404, 404, 404, 404, 404, 404]],
    ['DELETE', '/v1/services', undefined, /*                     */ [405, 405, 405, 405, 405, 405]],
    ['DELETE', '/v1/instances/pay-1', undefined, /*              */ [403, 403, 403, 403, 204, 403]],
    ['DELETE', '/v1/instances/pay-1', undefined, /*              */ [403, 403, 403, 403, 404, 403]],
  ];
  for (const [method, path, body, statuses] of matrix) {
    it(`${method} ${path}`, async () => {
      const found: Record<string, number> = {};
      for (const name of names) {
        found[name] = (await server.call(method, path, body, { authorization: `Bearer ${name}` })).status;
      }
      assert.deepEqual(found, Object.fromEntries(names.map((name, i) => [name, statuses[i]])));
      const anonymous = await server.call(method, path, body);
      assert.deepEqual([anonymous.status, anonymous.body.error.code], [401, 'unauthorized']);
      assert.match(anonymous.headers.get('www-authenticate') ?? '', /^Bearer/);
    });
  }

  it('healthz and readyz are open to all', async () => {
    for (const path of ['/healthz', '/readyz', '/readyz?fresh=1']) {
      assert.equal((await server.call('GET', path)).status, 200);
      const forwarded = { 'x-forwarded-for': '1.2.3.4', authorization: 'Bearer wrong' };
      assert.equal((await server.call('GET', path, undefined, forwarded)).status, 200);
    }
  });

  it('who waits while the token is taken away is told nothing', async () => {
    const boss = { authorization: 'Bearer boss' };
    const { body } = await server.call('GET', '/v1/services/cart-a', undefined, boss);
    server.api.setAccess({ tokens: [...tokens, tokenEntry('guest', 'services:read:*')], allowHosts: [] });
    const path = `/v1/services/cart-a?index=${body.index}&wait=5m`;
    const guest = server.call('GET', path, undefined, { authorization: 'Bearer guest' });
    let waiting = 0;
    while (waiting === 0) waiting = (await server.call('GET', '/v1/status', undefined, boss)).body.blockingReads;
    server.api.setAccess({ tokens, allowHosts: [] });
    await server.call('PUT', '/v1/services/cart-a/instances/cart-a-1', { ...INSTANCE, weight: 9 }, boss);
    assert.equal((await guest).status, 401);
  });

  it('lists only what may be read', async () => {
    const listed = async (name: string) => {
      const { body } = await server.call('GET', '/v1/services', undefined, { authorization: `Bearer ${name}` });
      return body.services.map((service: { name: string }) => service.name);
    };
    assert.deepEqual(await listed('reader'), ['cart-a']);
    assert.deepEqual(await listed('nobody'), []);
    assert.ok((await listed('boss')).includes('cart-a'));
  });

  it('a taken id does not tell whose it is', async () => {
    const boss = { authorization: 'Bearer boss' };
    await server.call('PUT', '/v1/services/secret/instances/x-1', INSTANCE, boss);
    const path = '/v1/services/cart-b/instances/x-1';
    const reply = await server.call('PUT', path, INSTANCE, { authorization: 'Bearer writer' });
    assert.deepEqual([reply.status, reply.body.error.code], [409, 'id_taken']);
    assert.doesNotMatch(JSON.stringify(reply.body), /secret/);
  });

  const headers: readonly (readonly [name: string, headers: Record<string, string>, status: number])[] = [
    ['X-Consul-Token', { 'x-consul-token': 'boss' }, 200],
    ['bearer in lower case', { authorization: 'bearer boss' }, 200],
    ['Basic', { authorization: 'Basic Ym9zczo=' }, 401],
    ['a wrong bearer beside a good X-Consul-Token', { authorization: 'Bearer x', 'x-consul-token': 'boss' }, 401],
    ['an unknown token', { authorization: 'Bearer bos' }, 401],
    ['an empty token', { authorization: 'Bearer ' }, 401],
    ['two words', { authorization: 'Bearer boss x' }, 401],
    ['the hash itself', { authorization: `Bearer ${tokens[4]!.sha256}` }, 401],
    ['a token and a proxy in front', { authorization: 'Bearer boss', 'x-forwarded-for': '1.2.3.4' }, 200],
  ];
  for (const [name, sent, status] of headers) {
    it(`${name}: ${status}`, async () => {
      assert.equal((await server.call('GET', '/v1/status', undefined, sent)).status, status);
    });
  }

  it('other tokens come into force at once, and malformed ones change nothing', async () => {
    const boss = { authorization: 'Bearer boss' };
    const bad = { id: 'bad', sha256: 'ff', allow: [] };
    assert.throws(() => server.api.setAccess({ tokens: [bad], allowHosts: [] }), { code: 'invalid' });
    assert.throws(() => server.api.setAccess({ tokens: [tokenEntry('x', 'root')], allowHosts: [] }), {
      code: 'invalid',
    });
    assert.equal((await server.call('GET', '/v1/status', undefined, boss)).status, 200);
    server.api.setAccess({ tokens: [tokenEntry('next', 'operator')], allowHosts: [] });
    assert.equal((await server.call('GET', '/v1/status', undefined, boss)).status, 401);
    assert.equal((await server.call('GET', '/v1/status', undefined, { authorization: 'Bearer next' })).status, 200);
    server.api.setAccess({ tokens, allowHosts: [] });
  });
});
