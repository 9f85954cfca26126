// openapi.test.ts -- what the API says of itself is true: routes, replies, errors; and what is not built says so

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Value } from 'typebox/value';
import { ERROR_STATUS } from '../../src/api/error-reply.ts';
import { CodedError, LocatedError } from '../../src/base/errors.ts';
import { GATEWAY_STATUS } from '../../src/gateway/refusal.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

let server: ApiServer;
let reload: () => Promise<{ problems: [] }>;
let readiness = { ready: true, stale: false };
before(async () => {
  reload = async () => ({ problems: [] });
  server = await openApiServer({ reload: () => reload(), readiness: () => readiness });
});
after(() => server.close());

const call: ApiServer['call'] = (...request) => server.call(...request);

const ROUTED = {
  routes: [{ match: { tags: ['v2'], meta: { k: 'v' } }, client: ['10.0.0.0/8'], percent: 0.5, sticky: true }],
  tiers: [{ match: { tags: ['main'] }, spillBelow: 0.5 }],
  affinity: { by: 'zone', mode: 'pin' },
};
const STEPPED = {
  slowStart: '30s',
  routes: [{ match: { tags: ['v1'] }, sticky: true }],
  steps: [
    { percent: 1, for: '10m' },
    { percent: 100, at: '0 9 * * *', timezone: 'UTC' },
  ],
  guard: { failing: 0.1, errors: 0.05, minRequests: 50 },
};

const CALLS: readonly (readonly [method: string, path: string, example: string, body?: unknown])[] = [
  [
    'put',
    '/v1/services/{service}/instances/{id}',
    '/v1/services/cart/instances/c-1',
    {
      address: '10.0.0.7',
      port: 80,
      tags: ['v1'],
      meta: { a: 'b' },
      ports: { dns: { port: 53, proto: 'udp' }, https: 443 },
      leaseTtl: '1h',
      checks: [
        { type: 'http', expect: { status: [200], body: 'ok' }, tls: { skipVerify: true }, deregisterAfter: '1h' },
        { type: 'heartbeat', initial: 'passing' },
      ],
    },
  ],
  ['post', '/v1/services/{service}/instances', '/v1/services/cart/instances', { address: 'cart.example', port: 1 }],
  ['get', '/v1/services', '/v1/services'],
  ['get', '/v1/services/{service}', '/v1/services/cart'],
  ['get', '/v1/instances/{id}', '/v1/instances/c-1'],
  ['patch', '/v1/instances/{id}', '/v1/instances/c-1', { weight: 2 }],
  ['put', '/v1/instances/{id}/heartbeat', '/v1/instances/c-1/heartbeat', { status: 'passing', load: { cpu: 0.5 } }],
  ['put', '/v1/instances/{id}/maintenance', '/v1/instances/c-1/maintenance', { enabled: true, reason: 'x' }],
  ['post', '/v1/instances/{id}/drain', '/v1/instances/c-1/drain'],
  ['delete', '/v1/instances/{id}/drain', '/v1/instances/c-1/drain'],
  ['delete', '/v1/instances/{id}/ejection', '/v1/instances/c-1/ejection'],
  ['get', '/v1/instances/{id}/checks', '/v1/instances/c-1/checks'],
  ['put', '/v1/instances/{id}/checks/{check}', '/v1/instances/c-1/checks/t', { type: 'tcp' }],
  ['delete', '/v1/instances/{id}/checks/{check}', '/v1/instances/c-1/checks/t'],
  ['put', '/v1/services/{service}/policy', '/v1/services/cart/policy', { strategy: 'weighted', ttl: '1m' }],
  ['get', '/v1/services/{service}/policy', '/v1/services/cart/policy'],
  ['put', '/v1/services/{service}/policy', '/v1/services/cart/policy', ROUTED],
  ['get', '/v1/services/{service}/policy', '/v1/services/cart/policy'],
  ['put', '/v1/services/{service}/policy', '/v1/services/cart/policy', STEPPED],
  ['get', '/v1/services/{service}/rollout', '/v1/services/cart/rollout'],
  ['post', '/v1/services/{service}/rollout', '/v1/services/cart/rollout', { action: 'pause' }],
  ['get', '/v1/services/{service}/history', '/v1/services/cart/history'],
  ['get', '/v1/explain', '/v1/explain?name=cart.service.local&client=10.1.2.3'],
  ['post', '/v1/simulate', '/v1/simulate', { service: 'cart', policy: { strategy: 'weighted' }, clients: 5 }],
  ['delete', '/v1/services/{service}/policy', '/v1/services/cart/policy'],
  [
    'post',
    '/v1/batch',
    '/v1/batch',
    {
      operations: [
        { op: 'register', service: 'cart', id: 'c-2', address: '10.0.0.8', port: 80, checks: [{ type: 'heartbeat' }] },
        { op: 'deregister', id: 'cart-cart.example:1' },
      ],
    },
  ],
  ['get', '/v1/services/{service}/history', '/v1/services/cart/history'],
  ['get', '/v1/status', '/v1/status'],
  ['get', '/v1/cluster', '/v1/cluster'],
  ['post', '/v1/reload', '/v1/reload'],
  ['get', '/metrics', '/metrics'],
  ['get', '/healthz', '/healthz'],
  ['get', '/readyz', '/readyz'],
  ['get', '/openapi.json', '/openapi.json'],
  ['delete', '/v1/instances/{id}', '/v1/instances/c-1'],
];

describe('/openapi.json', () => {
  it('is OpenAPI 3.1 and lists exactly the calls there are', async () => {
    const { status, body } = await call('GET', '/openapi.json');
    assert.equal(status, 200);
    assert.equal(body.openapi, '3.1.0');
    const listed = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    // A watch does not end by itself: watch.test.ts looks at it; DNS is no JSON: rfc-8484.test.ts does.
    const others = ['get /v1/watch', 'get /dns-query', 'post /dns-query'];
    const expected = new Set([...others, ...CALLS.map(([method, path]) => `${method} ${path}`)]);
    assert.deepEqual(listed.sort(), [...expected].sort());
  });

  it('has no reference that leads nowhere', async () => {
    const { body } = await call('GET', '/openapi.json');
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target!);
    assert.ok(references.length > 10);
    for (const target of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(target)?.[1];
      assert.ok(name !== undefined && name in body.components.schemas, target);
    }
  });

  it('names each operation, the conditions it takes and the headers it answers with', async () => {
    const { body: document } = await call('GET', '/openapi.json');
    const operations = Object.values(document.paths as Record<string, object>).flatMap((path) => Object.values(path));
    const ids = operations.map(({ operationId }) => operationId);
    assert.equal(new Set(ids).size, ids.length, ids.join(' '));
    assert.ok(
      ids.every((id) => /^(get|put|post|patch|delete)[A-Z]\w+$/.test(id)),
      ids.join(' '),
    );
    assert.equal(document.paths['/v1/instances/{id}/checks/{check}'].put.operationId, 'putInstanceCheck');
    assert.equal(document.paths['/v1/services'].get.operationId, 'getServices');
    assert.equal(document.components.securitySchemes.consulToken.name, 'X-Consul-Token');

    const rows: readonly (readonly [string, string, headers: string[], statuses: number[], replyHeaders: string[]])[] =
      [
        ['/v1/services/{service}/instances/{id}', 'put', ['If-Match', 'If-None-Match'], [412], ['ETag', 'Location']],
        ['/v1/instances/{id}', 'patch', ['If-Match'], [409, 412], ['ETag']],
        ['/v1/instances/{id}', 'delete', ['If-Match'], [409, 412], []],
        ['/v1/instances/{id}/drain', 'post', [], [409], []],
        ['/v1/instances/{id}/drain', 'delete', [], [409], []],
        ['/v1/instances/{id}/maintenance', 'put', [], [409], []],
        ['/v1/services/{service}/policy', 'put', ['If-Match', 'If-None-Match'], [412], ['ETag']],
        ['/v1/services/{service}', 'get', [], [404], ['ETag', 'X-Rollcall-Index', 'X-Rollcall-Event-Id']],
        ['/v1/watch', 'get', ['Last-Event-ID'], [410], ['X-Rollcall-Event-Id']],
      ];
    for (const [path, method, headers, statuses, replyHeaders] of rows) {
      const { parameters = [], responses } = document.paths[path][method];
      const taken = parameters.filter((each: { in: string }) => each.in === 'header');
      assert.deepEqual(
        taken.map(({ name }: { name: string }) => name),
        headers,
        `${method} ${path}`,
      );
      for (const status of statuses) assert.ok(status in responses, `${method} ${path}: ${status}`);
      const [done] = Object.keys(responses);
      assert.deepEqual(Object.keys(responses[done!].headers ?? {}), replyHeaders, `${method} ${path}`);
    }
    const types = Object.keys(document.paths['/v1/instances/{id}'].patch.requestBody.content);
    assert.deepEqual(types.sort(), ['application/json', 'application/merge-patch+json']);
  });

  it('describes bodies and replies as they really are', async () => {
    const { body: document } = await call('GET', '/openapi.json');
    const schemas = document.components.schemas;
    for (const [method, path, example, body] of CALLS) {
      const operation = document.paths[path][method];
      const sent = operation.requestBody?.content['application/json'].schema;
      if (body !== undefined) assertMatches(schemas, sent, body, `${method} ${path}, request`);
      const reply = await call(method.toUpperCase(), example, body);
      const described = operation.responses[reply.status];
      assert.ok(described !== undefined && reply.status < 300, `${method} ${path}: ${reply.status} is not described`);
      const schema = described.content?.['application/json']?.schema;
      if (reply.status === 204) assert.equal(reply.body, '');
      else assertMatches(schemas, schema, reply.body, `${method} ${path}, reply`);
      assertMatches(schemas, operation.responses[403].content['application/json'].schema, ERROR, path);
    }
  });
});

const ERROR = { error: { code: 'forbidden', message: 'no', details: [] } };

function assertMatches(schemas: Record<string, object>, schema: object, value: unknown, what: string): void {
  const text = JSON.stringify(schema).replaceAll('#/components/schemas/', '');
  const context = JSON.parse(JSON.stringify(schemas).replaceAll('#/components/schemas/', ''));
  const errors = Value.Errors(context, JSON.parse(text), value).map((error) => JSON.stringify(error));
  assert.deepEqual(errors, [], `${what}: ${JSON.stringify(value)}`);
}

describe('/docs', () => {
  it('shows everything from this server alone', async () => {
    const page = await call('GET', '/docs/');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'/);
    const links = [...(page.body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    assert.ok(links.length > 3);
    for (const link of links) {
      assert.match(link, /^\.\//);
      assert.equal((await call('GET', `/docs/${link}`)).status, 200, link);
    }
    assert.equal((await call('GET', '/docs/json')).body.openapi, '3.1.0');
  });

  it('serves no file from elsewhere', async () => {
    for (const path of [
      '/docs/static/..%2f..%2fpackage.json',
      '/docs/static/%2e%2e/package.json',
      '/docs/static/%00',
    ]) {
      const { status } = await call('GET', path);
      assert.ok(status === 400 || status === 403 || status === 404, `${path}: ${status}`);
    }
  });

  it('replies carry the headers that keep browsers honest', async () => {
    for (const path of ['/v1/services', '/docs/', '/nothing', '/v1/services/%zz']) {
      const { headers } = await call('GET', path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
      assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path);
    }
  });
});

describe('what is not there', () => {
  const rows: readonly (readonly [method: string, path: string, expected: string, allow?: string])[] = [
    ['GET', '/dns-query?dns=AAAA', '400 invalid'],
    ['PUT', '/dns-query', '405 method_not_allowed', 'GET, HEAD, POST'],
    ['GET', '/', '501 not_supported'],
    ['GET', '/v1/prometheus/targets', '501 not_supported'],
    ['PUT', '/v1/agent/service/register', '501 not_supported'],
    ['GET', '/v1/catalog/services', '501 not_supported'],
    ['GET', '/v1/health/service/cart', '501 not_supported'],
    ['GET', '/v1/status/leader', '501 not_supported'],
    ['DELETE', '/v1/kv/a/b', '501 not_supported'],
    ['GET', '/v1', '404 not_found'],
    ['GET', '/v2/services', '404 not_found'],
    ['GET', '/v1/services/', '400 invalid'],
    ['GET', '/V1/services', '404 not_found'],
    ['GET', '//v1/services', '404 not_found'],
    ['POST', '/nothing', '404 not_found'],
    ['POST', '/v1/services', '405 method_not_allowed', 'GET, HEAD'],
    ['DELETE', '/v1/services/cart', '405 method_not_allowed', 'GET, HEAD'],
    ['GET', '/v1/services/cart/instances', '405 method_not_allowed', 'POST'],
    ['POST', '/v1/instances/c-1', '405 method_not_allowed', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/v1/instances/c-1/drain', '405 method_not_allowed', 'POST, DELETE'],
    ['POST', '/v1/instances/c-1/heartbeat', '405 method_not_allowed', 'PUT'],
    ['GET', '/v1/reload', '405 method_not_allowed', 'POST'],
    ['POST', '/metrics', '405 method_not_allowed', 'GET, HEAD'],
    ['OPTIONS', '/v1/services', '405 method_not_allowed', 'GET, HEAD'],
    ['GET', '/v1/instances/..%2f..%2fetc%2fpasswd', '400 invalid'],
    ['GET', '/v1/instances/%00', '400 invalid'],
    ['GET', '/v1/instances/a%2fb', '400 invalid'],
    ['GET', '/v1/instances/__proto__', '404 unknown_instance'],
    ['GET', '/v1/instances/%ff', '400 bad_request'],
    ['GET', `/v1/instances/${'a'.repeat(128)}`, '404 unknown_instance'],
    ['GET', `/v1/instances/${'a'.repeat(129)}`, '400 invalid'],
    ['GET', `/v1/instances/${'a'.repeat(400)}`, '400 bad_request'],
    ['GET', '/v1/services/..%2fcart', '400 invalid'],
    ['GET', '/v1/services/none', '404 unknown_service'],
    ['GET', '/v1/services/none/history', '404 unknown_service'],
    ['POST', '/v1/watch', '405 method_not_allowed', 'GET'],
    ['GET', '/v1/watch?since=x', '410 event_gone'],
    ['GET', '/v1/watch?service=a.b', '400 invalid'],
    ['GET', '/v1/watch?service=a&service=b', '400 invalid'],
    ['GET', '/v1/batch', '405 method_not_allowed', 'POST'],
    ['GET', '/readyz?fast=1', '400 invalid'],
  ];
  for (const [method, path, expected, allow] of rows) {
    it(`${method} ${path.slice(0, 60)}: ${expected}`, async () => {
      const { status, body, headers } = await call(method, path);
      assert.equal(`${status} ${body.error.code}`, expected);
      assert.equal(headers.get('allow'), allow ?? null);
    });
  }
});

it('HEAD of a stream and TRACE are methods like others', async () => {
  const ask = (line: string) =>
    server.raw(`${line} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`);
  assert.match(await ask('HEAD /v1/watch'), /^HTTP\/1\.1 405 [\s\S]*\r\nallow: GET\r\n/i);
  assert.match(await ask('TRACE /v1/services'), /^HTTP\/1\.1 405 [\s\S]*\r\nallow: GET, HEAD\r\n/i);
  assert.match(await ask('HEAD /v1/services'), /^HTTP\/1\.1 200 /);
  assert.match(await ask('TRACE /nothing'), /^HTTP\/1\.1 404 /);
});

it('a body of any type does not hide that', async () => {
  const type = { 'content-type': 'application/dns-message' };
  assert.equal((await call('POST', '/v1/kv/a', 'x', type)).status, 501);
  assert.equal((await call('POST', '/v1/services', 'x', type)).status, 405);
  assert.equal((await call('POST', '/nothing', 'x', type)).status, 404);
});

describe('operation', () => {
  it('readyz: 503 when not ready, and when stale only if asked to be fresh', async () => {
    const statuses = async () => [(await call('GET', '/readyz')).status, (await call('GET', '/readyz?fresh=1')).status];
    assert.deepEqual(await statuses(), [200, 200]);
    readiness = { ready: true, stale: true };
    assert.deepEqual(await statuses(), [200, 503]);
    assert.deepEqual((await call('GET', '/readyz')).body, { ready: true, stale: true });
    readiness = { ready: false, stale: false };
    assert.deepEqual(await statuses(), [503, 503]);
    assert.equal((await call('GET', '/healthz')).status, 200);
    readiness = { ready: true, stale: false };
  });

  it('reload: warnings are shown, errors are a 400 with every place', async () => {
    const problem = { file: '/etc/a.zone', line: 3, column: 5, message: 'no', severity: 'error' as const };
    reload = async () => ({ problems: [{ ...problem, severity: 'warning' }] as never });
    assert.equal((await call('POST', '/v1/reload')).body.problems[0].severity, 'warning');
    const failures = [
      async () => ({ problems: [problem] as never }),
      async () => Promise.reject(new LocatedError('invalid_zone', [problem])),
    ];
    for (const fail of failures) {
      reload = fail;
      const { status, body } = await call('POST', '/v1/reload');
      assert.deepEqual([status, body.error.code], [400, 'invalid_config']);
      assert.deepEqual(body.error.details, [{ path: '/etc/a.zone:3:5', message: 'no' }]);
    }
  });

  it('a fault of our own is a 500 that says nothing', async () => {
    for (const thrown of [new Error('secret path'), new CodedError('some_new_code', 'secret'), 'secret']) {
      reload = () => Promise.reject(thrown);
      const { status, body } = await call('POST', '/v1/reload');
      assert.equal(status, 500);
      assert.equal(body.error.code, 'internal');
      assert.deepEqual(body.error.details, []);
      assert.doesNotMatch(JSON.stringify(body), /secret/);
    }
  });

  it('a store that is down is a 503 with Retry-After', async () => {
    reload = () => Promise.reject(new CodedError('store_unavailable', 'disk full'));
    const { status, body, headers } = await call('POST', '/v1/reload');
    assert.deepEqual([status, body.error.code, headers.get('retry-after')], [503, 'store_unavailable', '1']);
  });
});

it('docs/errors.md lists every code with its status', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]);
  assert.deepEqual(Object.fromEntries(listed), { ...ERROR_STATUS, ...GATEWAY_STATUS });
});
