// batch.test.ts -- POST /v1/batch: one commit, all or nothing, and every problem at once

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

const register = (service: string, id: string, rest: object = {}) => ({
  ...{ op: 'register', service, id, address: '10.0.0.7', port: 80 },
  ...rest,
});
const deregister = (id: string) => ({ op: 'deregister', id });

describe('a batch', () => {
  const clock = new FakeClock();
  const store = new UnrulyStore(openMemoryStore());
  let server: ApiServer;
  before(async () => {
    const registry = await Registry.open({ store, clock, log: silentLogger });
    registry.setStatic([anInstance({ id: 'fixed', service: 'files' })]);
    server = await openApiServer({ registry });
  });
  after(() => server.close());
  beforeEach(async () => {
    for (const id of ['a', 'b', 'c', 'd']) await server.call('DELETE', `/v1/instances/${id}`);
    store.asked.length = 0;
  });
  const send = (...operations: unknown[]) => server.call('POST', '/v1/batch', { operations });

  it('is one commit, and says what each operation came to', async () => {
    await send(register('cart', 'a'), register('cart', 'b'), register('shop', 'c'));
    store.asked.length = 0;
    const reply = await send(
      register('cart', 'a', { weight: 2 }),
      register('cart', 'b'),
      deregister('c'),
      register('CART', 'd'),
    );
    assert.equal(reply.status, 200);
    assert.equal(store.asked.length, 1, 'commits');
    const [a, b, c, d] = reply.body.results;
    assert.deepEqual([a.result, b.result, c.result, d.result], ['replaced', 'unchanged', 'removed', 'created']);
    assert.ok(a.revision > b.revision, 'what was not written keeps its revision');
    assert.deepEqual([c.revision, d.revision], [a.revision, a.revision]);
    assert.deepEqual([c.service, d.service], ['shop', 'cart']);
    const { body } = await server.call('GET', '/v1/services/cart');
    const seen = body.instances.map(({ id, weight, revision }: Record<string, unknown>) => [id, weight, revision]);
    assert.deepEqual(seen.sort(), [
      ['a', 2, a.revision],
      ['b', 1, b.revision],
      ['d', 1, a.revision],
    ]);
  });

  it('of what is there already renews the leases and writes nothing', async () => {
    const operation = register('cart', 'a', { leaseTtl: '10s' });
    await send(operation);
    await clock.advance(6000);
    store.asked.length = 0;
    assert.equal((await send(operation)).body.results[0].result, 'unchanged');
    assert.ok(!store.asked.flat().includes('instance/a'), 'written');
    await clock.advance(6000);
    assert.equal((await server.call('GET', '/v1/instances/a')).status, 200);
    await clock.advance(6000);
    assert.equal((await server.call('GET', '/v1/instances/a')).status, 404);
  });

  it('does without an id, and with nothing to do', async () => {
    const { op, service, address, port } = register('cart', '');
    const { body } = await send({ op, service, address, port });
    assert.equal(body.results[0].id, 'cart-10.0.0.7:80');
    assert.deepEqual((await send(deregister('cart-10.0.0.7:80'))).body.results[0].result, 'removed');
    assert.deepEqual((await send()).body, { results: [] });
  });

  const refusals: readonly (readonly [what: string, code: string, operations: unknown[], paths: string[]])[] = [
    [
      'every problem of every operation',
      '400 invalid',
      [
        register('cart', 'a', { port: 0, tag: 'x' }),
        register('cart', 'b'),
        register('addr', 'c', { checks: [{ type: 'http', interval: 5 }] }),
        { op: 'deregister' },
        { op: 'deregister', id: 'x y', more: 1 },
        { op: 'update' },
        {},
        null,
      ],
      [
        ...['operations[0].port', 'operations[0].tag', 'operations[2].service'],
        ...['operations[2].checks[0].interval', 'operations[3].id', 'operations[4].id', 'operations[4].more'],
        ...['operations[5].op', 'operations[6].op', 'operations[7]'],
      ],
    ],
    ['an id twice', '400 invalid', [register('cart', 'a'), deregister('b'), deregister('a')], ['operations[2].id']],
    [
      'a default id twice',
      '400 invalid',
      [
        { ...register('cart', 'a'), id: undefined },
        { ...register('cart', 'a'), id: undefined },
      ],
      ['operations[1].id'],
    ],
    ['unknown ids', '404 unknown_instance', [register('cart', 'a'), deregister('no')], ['operations[1].id']],
    [
      'an id of another service, and one of a file',
      '409 id_taken',
      [register('cart', 'a'), register('x', 'taken'), register('cart', 'b'), deregister('fixed')],
      ['operations[1].id', 'operations[3].id'],
    ],
    [
      'an instance of a file',
      '409 read_only',
      [register('cart', 'a'), register('files', 'fixed')],
      ['operations[1].id'],
    ],
    ['too many', '400 invalid', Array.from({ length: 1001 }, (_, i) => deregister(`${i}`)), ['operations']],
  ];
  for (const [what, code, operations, paths] of refusals) {
    it(`${what}: ${code}, and nothing is done`, async () => {
      await server.call('PUT', '/v1/services/owner/instances/taken', { address: '10.0.0.9', port: 9 });
      const { sequence } = server.registry;
      const { status, body } = await send(...operations);
      assert.equal(`${status} ${body.error.code}`, code);
      assert.deepEqual(
        body.error.details.map(({ path }: { path: string }) => path),
        paths,
      );
      assert.equal(server.registry.sequence, sequence);
      assert.doesNotMatch(JSON.stringify(body), /owner/);
    });
  }

  for (const body of [
    undefined,
    [],
    {},
    { operations: {} },
    { operations: [], op: 1 },
    '{"operations":[],"__proto__":1}',
  ]) {
    it(`${JSON.stringify(body)}: 400`, async () => {
      assert.equal((await server.call('POST', '/v1/batch', body)).status, 400);
    });
  }

  it('that the store cannot keep changes nothing', async () => {
    store.failing = true;
    try {
      const { status, body } = await send(register('cart', 'a'), register('cart', 'b'));
      assert.deepEqual([status, body.error.code], [503, 'store_unavailable']);
      assert.equal(server.registry.instance('a'), undefined);
    } finally {
      store.failing = false;
    }
  });

  it('batches over the same ids in any order all come through', async () => {
    const there = [register('cart', 'a'), register('cart', 'b'), register('cart', 'c')];
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const turned = there.map((each) => ({ ...each, weight: i }));
        return send(...(i % 2 === 0 ? turned : turned.reverse()));
      }),
    );
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    const weights = ['a', 'b', 'c'].map((id) => server.registry.instance(id)!.instance.weight);
    assert.equal(new Set(weights).size, 1, `one batch won as a whole: ${weights}`);
  });
});

it('a token may do a batch when it may do all of it', async () => {
  const tokens = [tokenEntry('carts', 'services:write:cart'), tokenEntry('all', 'operator')];
  const server = await openApiServer({ access: { tokens, allowHosts: [] } });
  try {
    const send = (token: string, ...operations: unknown[]) =>
      server.call('POST', '/v1/batch', { operations }, { authorization: `Bearer ${token}` });
    assert.equal((await send('all', register('shop', 's'))).status, 200);
    const refused = await send(
      'carts',
      register('cart', 'a'),
      register('shop', 'x'),
      deregister('s'),
      deregister('no'),
    );
    assert.deepEqual([refused.status, refused.body.error.code], [403, 'forbidden']);
    assert.deepEqual(
      refused.body.error.details.map(({ path }: { path: string }) => path),
      ['operations[1]', 'operations[2]', 'operations[3]'],
    );
    assert.equal((await send('carts', register('cart', 'a'), deregister('cart-gone'))).status, 404);
    assert.equal((await send('carts', register('cart', 'a'))).status, 200);
  } finally {
    await server.close();
  }
});
