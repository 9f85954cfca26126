// instances.test.ts -- the calls on instances and their checks, over a real socket

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

let server: ApiServer;
before(async () => {
  server = await openApiServer();
});
after(() => server.close());

const call: ApiServer['call'] = (...request) => server.call(...request);
const cart = (parts: object = {}) => ({ address: '10.0.0.7', port: 80, ...parts });

describe('registering', () => {
  it('answers 201 with Location and ETag, then 200, in the canonical form', async () => {
    const body = {
      ...cart({ tags: ['V2', 'v2'], ports: { HTTPS: 443, dns: { port: 53, proto: 'udp' } }, meta: { a: 'b' } }),
      weight: 7,
      zone: 'north',
      ttl: '10s',
      leaseTtl: '60s',
      warmup: '500ms',
    };
    const first = await call('PUT', '/v1/services/Cart/instances/r-1', body);
    assert.equal(first.status, 201);
    assert.equal(first.headers.get('location'), '/v1/instances/r-1');
    assert.equal(first.headers.get('etag'), `"${first.body.revision}"`);
    const { registeredAt, lease, revision, ...rest } = first.body;
    assert.deepEqual(rest, {
      id: 'r-1',
      service: 'cart',
      address: '10.0.0.7',
      port: 80,
      ports: { https: 443, dns: { port: 53, proto: 'udp' } },
      tags: ['v2'],
      meta: { a: 'b' },
      weight: 7,
      zone: 'north',
      ttl: '10s',
      leaseTtl: '60s',
      warmup: '500ms',
      checks: [],
      status: 'healthy',
      reason: 'no checks',
      static: false,
      load: null,
    });
    assert.match(registeredAt, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.ok(Date.parse(lease.expiresAt) > Date.parse(registeredAt) + 50_000);
    const again = await call('PUT', '/v1/services/cart/instances/r-1', body);
    assert.equal(again.status, 200);
    assert.equal(again.body.revision, revision);
    assert.equal(again.headers.get('location'), null);
    const read = await call('GET', '/v1/instances/r-1');
    assert.equal(read.status, 200);
    assert.equal(read.headers.get('etag'), `"${revision}"`);
  });

  it('what was read can be sent back', async () => {
    const { body } = await call('GET', '/v1/instances/r-1');
    const { status, reason, revision, registeredAt, static: isStatic, lease, load, ...registration } = body;
    const reply = await call('PUT', '/v1/services/cart/instances/r-1', registration);
    assert.equal(reply.status, 200);
    assert.equal(reply.body.revision, revision);
  });

  it('POST makes the id and refuses what is there', async () => {
    const first = await call('POST', '/v1/services/cart/instances', cart({ address: '2001:DB8::7' }));
    assert.equal(first.status, 201);
    assert.equal(first.body.id, 'cart-2001:db8::7:80');
    const found = await call('GET', first.headers.get('location')!);
    assert.equal(found.body.id, first.body.id);
    const second = await call('POST', '/v1/services/cart/instances', cart({ address: '2001:db8::7' }));
    assert.equal(second.status, 409);
    assert.equal(second.body.error.code, 'already_registered');
  });

  it('ids and metadata may be words of JavaScript', async () => {
    for (const id of ['constructor', 'prototype', '__proto__', 'toString']) {
      const path = `/v1/services/words/instances/${id}`;
      const meta = { constructor: 'x', prototype: 'y' };
      const check = { id: 'alive', type: 'heartbeat', interval: '1h', initial: 'passing' };
      const put = await call('PUT', path, cart({ meta, checks: [check] }));
      assert.deepEqual([put.status, put.body.id, put.body.meta], [201, id, meta]);
      assert.equal((await call('PUT', `/v1/instances/${id}/heartbeat`, { load: { connections: 3 } })).status, 200);
      assert.deepEqual((await call('PATCH', `/v1/instances/${id}`, { meta: { constructor: null } })).body.meta, {
        prototype: 'y',
      });
      assert.deepEqual((await call('PATCH', `/v1/instances/${id}`, { meta: { constructor: 'z' } })).body.meta, {
        constructor: 'z',
        prototype: 'y',
      });
      const refused = await call('PATCH', `/v1/instances/${id}`, '{"meta":{"__proto__":"x"}}');
      assert.deepEqual([refused.status, refused.body.error.details[0].path], [400, 'meta.__proto__']);
      assert.equal((await call('POST', `/v1/instances/${id}/drain`)).status, 200);
      assert.equal((await call('DELETE', `/v1/instances/${id}/drain`)).status, 204);
      assert.equal((await call('GET', `/v1/instances/${id}`)).body.status, 'healthy');
    }
    const check = await call('PUT', '/v1/instances/constructor/checks/constructor', { type: 'tcp' });
    assert.deepEqual([check.status, check.body.error.code], [400, 'invalid']);
    const { body } = await call('GET', '/v1/services/words');
    assert.equal(body.instances.length, 4);
    for (const { id } of body.instances) assert.equal((await call('DELETE', `/v1/instances/${id}`)).status, 204);
  });

  it('an id belongs to one service', async () => {
    await call('PUT', '/v1/services/cart/instances/own-1', cart());
    const reply = await call('PUT', '/v1/services/pay/instances/own-1', cart());
    assert.equal(reply.status, 409);
    assert.equal(reply.body.error.code, 'id_taken');
  });

  it('DELETE answers 204, then 404', async () => {
    await call('PUT', '/v1/services/cart/instances/gone-1', cart());
    assert.equal((await call('DELETE', '/v1/instances/gone-1')).status, 204);
    const second = await call('DELETE', '/v1/instances/gone-1');
    assert.equal(second.status, 404);
    assert.equal(second.body.error.code, 'unknown_instance');
  });

  it('instances of the configuration are read-only', async () => {
    server.registry.setStatic([
      {
        id: 's-1',
        service: 'fixed',
        address: '10.0.0.9',
        port: 1,
        ports: {},
        tags: [],
        meta: {},
        weight: 1,
        checks: [],
      },
    ]);
    const writes: [string, string, unknown][] = [
      ['PUT', '/v1/services/fixed/instances/s-1', cart()],
      ['PATCH', '/v1/instances/s-1', { weight: 2 }],
      ['DELETE', '/v1/instances/s-1', undefined],
      ['PUT', '/v1/instances/s-1/checks/a', { type: 'tcp' }],
    ];
    for (const [method, path, body] of writes) {
      const reply = await call(method, path, body);
      assert.equal(`${method} ${reply.status} ${reply.body.error?.code}`, `${method} 409 read_only`);
    }
    assert.equal((await call('GET', '/v1/instances/s-1')).body.static, true);
  });
});

describe('PATCH', () => {
  const patch = (body: unknown, headers: Record<string, string> = {}) =>
    call('PATCH', '/v1/instances/p-1', body, { 'content-type': 'application/merge-patch+json', ...headers });

  before(async () => {
    const checks = [{ id: 'up', type: 'tcp', interval: '7s' }];
    const body = cart({ meta: { a: '1', b: '2' }, ports: { x: 1, y: 2 }, zone: 'n', weight: 9, ttl: '5s', checks });
    await call('PUT', '/v1/services/cart/instances/p-1', body);
  });

  it('merges, removes with null, and leaves the rest', async () => {
    const body = { meta: { a: null, c: '3' }, ports: { x: null, y: { port: 3, proto: 'udp' } }, zone: null, ttl: '1m' };
    const reply = await patch(body);
    assert.equal(reply.status, 200);
    const { meta, ports, zone, ttl, weight, checks } = reply.body;
    assert.deepEqual(
      { meta, ports, zone, ttl, weight },
      {
        meta: { b: '2', c: '3' },
        ports: { y: { port: 3, proto: 'udp' } },
        zone: undefined,
        ttl: '60s',
        weight: 9,
      },
    );
    assert.equal(checks[0].interval, '7s');
    assert.equal((await patch({ weight: null })).body.weight, 1);
  });

  it('keeps to If-Match, which health and drain do not change', async () => {
    const { headers } = await call('GET', '/v1/instances/p-1');
    const tag = headers.get('etag')!;
    server.registry.reportResult('p-1', 'up', { outcome: 'passing', output: '', latencyMs: 1 });
    await call('POST', '/v1/instances/p-1/drain');
    await call('DELETE', '/v1/instances/p-1/drain');
    const done = await patch({ weight: 5 }, { 'if-match': tag });
    assert.equal(done.status, 200);
    const late = await patch({ weight: 6 }, { 'if-match': tag });
    assert.equal(late.status, 412);
    assert.equal(late.body.error.code, 'precondition_failed');
    for (const header of [`W/${done.headers.get('etag')}`, '"0"', 'x', '']) {
      assert.equal((await patch({ weight: 6 }, { 'if-match': header })).status, 412, header);
    }
    assert.equal((await call('GET', '/v1/instances/p-1')).body.weight, 5);
    assert.equal((await patch({ weight: 7 }, { 'if-match': `"1", ${done.headers.get('etag')}` })).status, 200);
    assert.equal((await patch({ weight: 8 }, { 'if-match': '*' })).status, 200);
  });

  it('of writers that race with one ETag a single one wins; without it all do', async () => {
    const tag = (await call('GET', '/v1/instances/p-1')).headers.get('etag')!;
    const conditional = await Promise.all([10, 11, 12, 13].map((weight) => patch({ weight }, { 'if-match': tag })));
    assert.deepEqual(conditional.map(({ status }) => status).sort(), [200, 412, 412, 412]);
    const free = await Promise.all(['k1', 'k2', 'k3', 'k4'].map((key) => patch({ meta: { [key]: 'x' } })));
    assert.deepEqual(
      free.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    const { meta } = (await call('GET', '/v1/instances/p-1')).body;
    assert.deepEqual(
      Object.keys(meta)
        .filter((key) => key.startsWith('k'))
        .sort(),
      ['k1', 'k2', 'k3', 'k4'],
    );
  });

  it('does not renew the lease', async () => {
    await call('PUT', '/v1/services/cart/instances/p-2', cart({ leaseTtl: '1h' }));
    const before = (await call('GET', '/v1/instances/p-2')).body.lease.expiresAt;
    const reply = await call('PATCH', '/v1/instances/p-2', { weight: 3 });
    assert.equal(reply.body.lease.expiresAt, before);
  });

  const refused: readonly (readonly [name: string, body: unknown, path: string])[] = [
    ['the address', { address: '10.0.0.8' }, 'address'],
    ['the checks', { checks: [] }, 'checks'],
    ['the id', { id: 'p-2' }, 'id'],
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['a bad weight', { weight: -1 }, 'weight'],
    ['a bare number as ttl', { ttl: 5 }, 'ttl'],
    ['a bad tag', { tags: ['tcp'] }, 'tags[0]'],
    ['no object', [], ''],
    ['null', null, ''],
  ];
  for (const [name, body, path] of refused) {
    it(`refuses ${name}`, async () => {
      const reply = await patch(body);
      assert.equal(reply.status, 400);
      assert.equal(reply.body.error.code, 'invalid');
      assert.equal(reply.body.error.details[0].path, path);
    });
  }
});

describe('heartbeat, drain, maintenance', () => {
  before(async () => {
    const checks = [{ type: 'heartbeat', interval: '30s', initial: 'passing' }];
    await call('PUT', '/v1/services/cart/instances/h-1', cart({ leaseTtl: '1h' }));
    await call('PUT', '/v1/services/cart/instances/h-2', cart({ checks }));
    await call('PUT', '/v1/services/cart/instances/h-3', cart());
  });

  it('says when the lease, or else the heartbeat check, runs out', async () => {
    const inSeconds = async (id: string) => {
      const { status, body } = await call('PUT', `/v1/instances/${id}/heartbeat`);
      assert.equal(status, 200);
      return body.expiresAt === null ? null : Math.round((Date.parse(body.expiresAt) - Date.now()) / 1000);
    };
    const seconds = [await inSeconds('h-1'), await inSeconds('h-2'), await inSeconds('h-3')];
    assert.deepEqual(seconds, [3600, 30, null]);
  });

  it('hands on status and output, and shows the load', async () => {
    server.beats.length = 0;
    const load = { connections: 3, latencyMs: 1.5, cpu: 0.2 };
    await call('PUT', '/v1/instances/h-1/heartbeat', { status: 'warning', output: 'disk\u001b[31m', load });
    assert.deepEqual(server.beats, [{ id: 'h-1', report: { status: 'warning', output: 'disk\ufffd[31m' } }]);
    assert.deepEqual((await call('GET', '/v1/instances/h-1')).body.load, load);
    for (const body of [{ status: 'ok' }, { output: 1 }, { load: { cpu: -1 } }, { load: { disk: 1 } }, { x: 1 }, []]) {
      const reply = await call('PUT', '/v1/instances/h-1/heartbeat', body);
      assert.equal(reply.status, 400, JSON.stringify(body));
    }
  });

  it('drains and undoes it', async () => {
    const { status, body } = await call('POST', '/v1/instances/h-1/drain');
    assert.equal(status, 200);
    assert.equal(body.status, 'draining');
    const seconds = (Date.parse(body.safeAfter) - Date.now()) / 1000;
    assert.ok(seconds > 4 && seconds <= 5, `${seconds}`);
    assert.equal((await call('GET', '/v1/instances/h-1')).body.status, 'draining');
    assert.equal((await call('DELETE', '/v1/instances/h-1/drain')).status, 204);
    assert.equal((await call('GET', '/v1/instances/h-1')).body.status, 'healthy');
  });

  it('lets back in whom the gateway ejected', async () => {
    server.registry.eject('h-1', 'ejected by the gateway for 10s: 5 failures in a row', { kind: 'gateway' });
    const { body } = await call('GET', '/v1/instances/h-1');
    assert.deepEqual([body.status, body.reason], ['unhealthy', 'ejected by the gateway for 10s: 5 failures in a row']);
    for (const what of ['ejected', 'not ejected']) {
      assert.equal((await call('DELETE', '/v1/instances/h-1/ejection')).status, 204, what);
      assert.equal((await call('GET', '/v1/instances/h-1')).body.status, 'healthy', what);
    }
    const unknown = await call('DELETE', '/v1/instances/nobody/ejection');
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'unknown_instance']);
    const { changes } = (await call('GET', `/v1/services/${body.service}/history?limit=2`)).body;
    assert.deepEqual(
      changes.map(({ by, status }: { by: { kind: string }; status: string }) => `${by.kind} ${status}`),
      ['local healthy', 'gateway unhealthy'],
    );
  });

  it('goes into maintenance and comes back', async () => {
    const on = await call('PUT', '/v1/instances/h-1/maintenance', { enabled: true, reason: 'new disk' });
    assert.deepEqual([on.status, on.body.status, on.body.reason], [200, 'maintenance', 'new disk']);
    const off = await call('PUT', '/v1/instances/h-1/maintenance', { enabled: false });
    assert.equal(off.body.status, 'healthy');
    const plain = await call('PUT', '/v1/instances/h-1/maintenance', { enabled: true });
    assert.equal(plain.body.status, 'maintenance');
    for (const body of [undefined, {}, { enabled: 'yes' }, { enabled: true, why: 'x' }]) {
      assert.equal((await call('PUT', '/v1/instances/h-1/maintenance', body)).status, 400);
    }
  });
});

describe('checks', () => {
  it('are added neutral, replaced, read and removed', async () => {
    await call('PUT', '/v1/services/cart/instances/k-1', cart());
    const added = await call('PUT', '/v1/instances/k-1/checks/web', { type: 'http', url: '/up', interval: '1s' });
    assert.equal(added.status, 200);
    assert.equal(added.body.url, 'http://10.0.0.7:80/up');
    assert.equal(added.body.outcome, null);
    assert.equal((await call('GET', '/v1/instances/k-1')).body.status, 'healthy');
    server.registry.reportResult('k-1', 'web', { outcome: 'critical', output: 'refused', latencyMs: 2.5 });
    const { checks } = (await call('GET', '/v1/instances/k-1/checks')).body;
    const { id, outcome, output, latencyMs, interval } = checks[0];
    const expected = { id: 'web', outcome: 'critical', output: 'refused', latencyMs: 2.5, interval: '1s' };
    assert.deepEqual({ id, outcome, output, latencyMs, interval }, expected);
    assert.equal((await call('GET', '/v1/instances/k-1')).body.status, 'unhealthy');
    assert.equal((await call('PUT', '/v1/instances/k-1/checks/web', { type: 'tcp' })).status, 200);
    assert.equal((await call('DELETE', '/v1/instances/k-1/checks/web')).status, 204);
    const gone = await call('DELETE', '/v1/instances/k-1/checks/web');
    assert.deepEqual([gone.status, gone.body.error.code], [404, 'unknown_check']);
    assert.deepEqual((await call('GET', '/v1/instances/k-1/checks')).body, { checks: [] });
  });

  it('have a timeout only where somebody is asked', async () => {
    const checks = [
      { type: 'heartbeat', interval: '1s' },
      { type: 'tcp', interval: '1s' },
    ];
    const { body } = await call('PUT', '/v1/services/cart/instances/k-3', cart({ checks }));
    const timeouts = body.checks.map(({ timeout }: { timeout?: string }) => timeout);
    assert.deepEqual(timeouts, [undefined, '1s']);
  });

  it('are at most 32 an instance', async () => {
    const checks = Array.from({ length: 32 }, (_, i) => ({ id: `c${i}`, type: 'tcp' }));
    await call('PUT', '/v1/services/cart/instances/k-2', cart({ checks }));
    assert.equal((await call('PUT', '/v1/instances/k-2/checks/c0', { type: 'tcp', interval: '9s' })).status, 200);
    assert.equal((await call('PUT', '/v1/instances/k-2/checks/c32', { type: 'tcp' })).status, 400);
  });
});
