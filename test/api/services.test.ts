// services.test.ts -- the list of services, reading one at once or when it changes, and policies

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MAX_BLOCKING = 3;
const clock = new FakeClock();
let server: ApiServer;
before(async () => {
  server = await openApiServer({ clock, maxBlockingReads: MAX_BLOCKING });
});
after(() => server.close());

const call: ApiServer['call'] = (...request) => server.call(...request);
const register = (service: string, id: string, parts: object = {}) =>
  call('PUT', `/v1/services/${service}/instances/${id}`, { address: '10.0.0.7', port: 80, ...parts });
const indexOf = async (service: string): Promise<number> =>
  Number((await call('GET', `/v1/services/${service}`)).headers.get('x-rollcall-index'));

/** Resolves when so many blocking reads wait. */
async function waiting(count: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await call('GET', '/v1/status')).body.blockingReads === count) return;
  }
  assert.fail(`there never were ${count} blocking reads`);
}

describe('the list of services', () => {
  before(async () => {
    await register('shop', 's-1', { tags: ['v2', 'eu'] });
    await register('shop', 's-2', { tags: ['v1', 'eu'], checks: [{ type: 'tcp' }] });
    await register('api', 'a-1');
    await call('PUT', '/v1/services/zoo/policy', { strategy: 'random' });
  });

  it('is sorted, counts and sums up', async () => {
    const { services, next } = (await call('GET', '/v1/services')).body;
    assert.equal(next, null);
    assert.deepEqual(
      services.map(({ index, ...rest }: { index: number }) => rest),
      [
        { name: 'api', instances: 1, healthy: 1, tags: [], strategy: 'round-robin' },
        { name: 'shop', instances: 2, healthy: 1, tags: ['eu', 'v1', 'v2'], strategy: 'round-robin' },
        { name: 'zoo', instances: 0, healthy: 0, tags: [], strategy: 'random' },
      ],
    );
  });

  it('comes in pages', async () => {
    const names: string[] = [];
    let after: string | null = '';
    for (let pages = 0; after !== null; pages++) {
      assert.ok(pages < 3);
      const { body } = await call('GET', `/v1/services?limit=1&after=${after}`);
      assert.equal(body.services.length, 1);
      names.push(body.services[0].name);
      after = body.next;
    }
    assert.deepEqual(names, ['api', 'shop', 'zoo']);
  });

  it('filters instances by any status and all tags', async () => {
    const rows: [string, string[]][] = [
      ['', ['s-1', 's-2']],
      ['?tag=eu', ['s-1', 's-2']],
      ['?tag=eu&tag=V2', ['s-1']],
      ['?tag=v1&tag=v2', []],
      ['?status=pending', ['s-2']],
      ['?status=pending&status=healthy', ['s-1', 's-2']],
      ['?status=healthy&tag=v1', []],
    ];
    for (const [query, ids] of rows) {
      const { body } = await call('GET', `/v1/services/SHOP${query}`);
      assert.equal(body.service, 'shop');
      assert.deepEqual(
        body.instances.map(({ id }: { id: string }) => id),
        ids,
        query,
      );
    }
  });

  const badQueries = ['status=fine', 'tag=a%20b', 'tags=v1', 'index=-1', 'index=x', 'index=1&index=2', 'wait=5'];
  for (const query of badQueries) {
    it(`refuses ?${query}`, async () => {
      const reply = await call('GET', `/v1/services/shop?${query}`);
      assert.deepEqual([reply.status, reply.body.error.code], [400, 'invalid']);
      assert.equal(reply.body.error.details[0].path, query.split('=')[0]);
    });
  }
});

describe('a blocking read', () => {
  it('answers at once where the index is another', async () => {
    await register('b1', 'b1-1');
    const index = await indexOf('b1');
    for (const other of [0, index - 1, index + 1]) {
      const reply = await call('GET', `/v1/services/b1?index=${other}&wait=10m`);
      assert.equal(reply.body.index, index);
    }
  });

  it('answers when the service changes, and not when another does', async () => {
    await register('b2', 'b2-1');
    const index = await indexOf('b2');
    const read = call('GET', `/v1/services/b2?index=${index}&wait=1m`);
    await waiting(1);
    await register('other', 'other-1');
    await waiting(1);
    await register('b2', 'b2-2');
    const { body } = await read;
    assert.ok(body.index > index);
    assert.equal(body.instances.length, 2);
    await waiting(0);
  });

  it('answers with the same index after the wait', async () => {
    await register('b3', 'b3-1');
    const index = await indexOf('b3');
    const read = call('GET', `/v1/services/b3?index=${index}&wait=30s`);
    await waiting(1);
    await clock.advance(29_999);
    await waiting(1);
    await clock.advance(1);
    assert.equal((await read).body.index, index);
  });

  it('waits ten minutes at most', async () => {
    const read = call('GET', `/v1/services/b3?index=${await indexOf('b3')}&wait=1d`);
    await waiting(1);
    await clock.advance(600_000);
    assert.equal((await read).status, 200);
  });

  it('sees a service appear, go and come back', async () => {
    const appears = call('GET', '/v1/services/b4?index=0&wait=1m');
    await waiting(1);
    await register('b4', 'b4-1');
    const { index } = (await appears).body;
    const goes = call('GET', `/v1/services/b4?index=${index}&wait=1m`);
    await waiting(1);
    await call('DELETE', '/v1/instances/b4-1');
    const gone = await goes;
    assert.deepEqual([gone.status, gone.body.error.code], [404, 'unknown_service']);
    const goneIndex = Number(gone.headers.get('x-rollcall-index'));
    assert.ok(goneIndex > index);
    // Whoever did not see it go is told at once.
    assert.equal((await call('GET', `/v1/services/b4?index=${index}&wait=1m`)).status, 404);
    const returns = call('GET', `/v1/services/b4?index=${goneIndex}&wait=1m`);
    await waiting(1);
    await register('b4', 'b4-1');
    assert.ok((await returns).body.index > goneIndex);
  });

  it('answers 404 when nothing came in the wait', async () => {
    const read = call('GET', '/v1/services/never?index=0&wait=5s');
    await waiting(1);
    await clock.advance(5000);
    assert.equal((await read).status, 404);
  });

  it('is forgotten when its client goes away', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /v1/services/never?index=0&wait=9m HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await waiting(1);
    socket.destroy();
    await waiting(0);
    assert.equal(clock.pendingCount, 0);
  });

  it('is refused with 429 when too many wait', async () => {
    const reads = Array.from({ length: MAX_BLOCKING }, () => call('GET', '/v1/services/never?index=0&wait=5s'));
    await waiting(MAX_BLOCKING);
    const reply = await call('GET', '/v1/services/never?index=0&wait=5s');
    assert.deepEqual([reply.status, reply.body.error.code], [429, 'rate_limited']);
    assert.equal(reply.headers.get('retry-after'), '1');
    await clock.advance(5000);
    assert.deepEqual(
      (await Promise.all(reads)).map(({ status }) => status),
      [404, 404, 404],
    );
  });

  it('is answered when the server closes', async () => {
    const own = await openApiServer({ clock });
    await own.call('PUT', '/v1/services/cart/instances/c-1', { address: '10.0.0.7', port: 80 });
    const { index } = (await own.call('GET', '/v1/services/cart')).body;
    const read = own.call('GET', `/v1/services/cart?index=${index}&wait=10m`);
    for (let waits = 0; waits === 0; ) waits = (await own.call('GET', '/v1/status')).body.blockingReads;
    await Promise.all([read, own.close()]);
    const reply = await read;
    assert.equal(reply.body.index, index);
    assert.equal(reply.headers.get('connection'), 'close');
    await assert.rejects(own.call('GET', '/healthz'));
  });
});

describe('a policy', () => {
  const PATH = '/v1/services/pol/policy';

  it('is set for a service without instances, read and deleted', async () => {
    assert.deepEqual(errorOf(await call('GET', PATH)), [404, 'unknown_policy']);
    const policy = { strategy: 'weighted', maxAnswers: 3, ttl: '60s' };
    const put = await call('PUT', '/v1/services/POL/policy', policy);
    assert.deepEqual([put.status, put.body], [200, policy]);
    const read = await call('GET', PATH);
    assert.deepEqual(read.body, policy);
    assert.equal(read.headers.get('etag'), put.headers.get('etag'));
    assert.deepEqual((await call('GET', '/v1/services/pol')).body.policy, policy);
    assert.equal((await call('DELETE', PATH)).status, 204);
    assert.deepEqual(errorOf(await call('DELETE', PATH)), [404, 'unknown_policy']);
    assert.deepEqual(errorOf(await call('GET', '/v1/services/pol')), [404, 'unknown_service']);
  });

  it('keeps to If-Match and If-None-Match', async () => {
    const put = (headers: Record<string, string>) => call('PUT', PATH, { ttl: '1s' }, headers);
    assert.equal((await put({ 'if-match': '*' })).status, 412);
    assert.equal((await put({ 'if-match': '"1"' })).status, 412);
    const first = await put({ 'if-none-match': '*' });
    assert.equal(first.status, 200);
    const second = await put({ 'if-none-match': '*' });
    assert.equal(second.status, 412);
    assert.match(second.body.error.message, /is there already/);
    const tag = first.headers.get('etag')!;
    const racing = await Promise.all([1, 2, 3].map(() => put({ 'if-match': tag })));
    assert.deepEqual(racing.map(({ status }) => status).sort(), [200, 412, 412]);
    assert.equal((await call('DELETE', PATH, undefined, { 'if-match': tag })).status, 412);
    const present = (await call('GET', PATH)).headers.get('etag')!;
    assert.equal((await put({ 'if-none-match': `"0", ${present}` })).status, 412);
    assert.equal((await put({ 'if-none-match': tag })).status, 200, 'that is not the present one any more');
    assert.equal((await call('DELETE', PATH, undefined, { 'if-none-match': '*' })).status, 412);
    assert.equal((await call('DELETE', PATH, undefined, { 'if-match': '*' })).status, 204);
  });

  it('may be that of a service whose name means something to JavaScript', async () => {
    for (const name of ['constructor', 'tostring', 'valueof', 'hasownproperty']) {
      const path = `/v1/services/${name}/policy`;
      assert.deepEqual(errorOf(await call('GET', path)), [404, 'unknown_policy']);
      assert.deepEqual((await call('PUT', path, { ttl: '1s' })).body, { ttl: '1s' });
      assert.equal((await call('DELETE', path)).status, 204);
    }
    assert.deepEqual(errorOf(await call('PUT', '/v1/services/__proto__/policy', {})), [400, 'invalid']);
    for (const key of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const { body } = await call('PUT', PATH, `{"${key}":1}`);
      assert.deepEqual([body.error.code, body.error.details[0].path], ['invalid', key]);
    }
  });

  it('takes null and empty lists for fields that are not there', async () => {
    const sent = { strategy: null, ttl: '90s', routes: [], tiers: [], steps: [], affinity: null };
    assert.deepEqual((await call('PUT', PATH, sent)).body, { ttl: '90s' });
    assert.equal((await call('DELETE', PATH)).status, 204);
  });

  it('has an end to routes, networks and steps', async () => {
    const route = { match: { tags: ['a'] }, percent: 1 };
    const put = async (policy: object) => (await call('PUT', PATH, policy)).body.error?.details[0].path;
    assert.equal(await put({ routes: Array(16).fill(route) }), undefined);
    assert.equal(await put({ routes: Array(17).fill(route) }), 'routes');
    assert.equal(await put({ routes: [{ ...route, client: Array(257).fill('10.0.0.0/8') }] }), 'routes[0].client');
    const step = { percent: 1, for: '1s' };
    assert.equal(await put({ routes: [route], steps: Array(32).fill(step) }), undefined);
    assert.equal(await put({ routes: [route], steps: Array(33).fill(step) }), 'steps');
    assert.equal((await call('DELETE', PATH)).status, 204);
  });

  it('takes a guard on errors of requests', async () => {
    const guarded = { routes: [{ match: { tags: ['a'] } }], steps: [{ percent: 1 }], guard: { errors: 0.1 } };
    const { status, body } = await call('PUT', PATH, guarded);
    assert.deepEqual([status, body.guard], [200, { errors: 0.1 }]);
    assert.equal((await call('DELETE', PATH)).status, 204);
  });

  it('refuses what is wrong', async () => {
    assert.deepEqual(errorOf(await call('PUT', PATH, { strategy: 'best' })), [400, 'invalid']);
    assert.deepEqual(errorOf(await call('PUT', PATH, { routes: [null] })), [400, 'invalid']);
    assert.deepEqual(errorOf(await call('PUT', PATH, { ttl: '2d' })), [400, 'invalid']);
    assert.deepEqual(errorOf(await call('PUT', '/v1/services/addr/policy', {})), [400, 'invalid']);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: replies of any shape
function errorOf({ status, body }: { status: number; body: any }) {
  return [status, body.error?.code];
}
