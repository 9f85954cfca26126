// service-view.test.ts -- a live view picks as the server would, and goes on while the server is away

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { seededRandom } from '../../src/base/random.ts';
import { createClient, type RollcallClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/client-options.ts';
import type { ServiceView } from '../../src/client/service-view.ts';
import type { ServiceSource } from '../../src/gateway/service-source.ts';
import type { AnsweringService } from '../../src/registry/member.ts';
import { routesInForce } from '../../src/routing/rollout.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { CutProxy } from '../support/cut-proxy.ts';
import { until } from '../support/until.ts';

const BACK_OFF = { firstMs: 5, mostMs: 20 };

async function openServer(t: TestContext): Promise<ApiServer> {
  const server = await openApiServer();
  t.after(() => server.close());
  return server;
}

function openClient(t: TestContext, url: string, options: Partial<ClientOptions> = {}): RollcallClient {
  const client = createClient({ url, backOff: BACK_OFF, ...options });
  t.after(() => client.close());
  return client;
}

const put = (server: ApiServer, id: string, body: object = {}) =>
  server.call('PUT', `/v1/services/cart/instances/${id}`, { address: '10.0.0.1', port: 80, ...body });

/** How often each is picked, with each lease given back at once. */
function picks(
  view: ServiceView,
  times: number,
  options: Parameters<ServiceView['pick']>[1] = {},
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const lease = view.pick('cart', options);
    counts[lease.id] = (counts[lease.id] ?? 0) + 1;
    lease.done();
  }
  return counts;
}

/** What picks are made of. */
function answered(service: AnsweringService | undefined) {
  const { routes: _routes, steps: _steps, guard: _guard, ...policy } = service?.policy ?? {};
  const routes = service === undefined ? [] : routesInForce(service);
  const instances = [...(service?.instances ?? [])].map(([id, { instance, status, lastAnswerableMs, warmth }]) => {
    const { address, port, ports, tags, meta, weight, zone, ttlSeconds } = instance;
    return [id, { address, port, ports, tags, meta, weight, zone, ttlSeconds, status, lastAnswerableMs, warmth }];
  });
  return { policy, routes, instances: Object.fromEntries(instances) };
}

describe('a view', () => {
  it('is what the gateway takes for its source, and tells of every change', async (t) => {
    const server = await openServer(t);
    await put(server, 'c1', { ports: { http: 8080, dns: { port: 53, proto: 'udp' } }, ttl: '3s', zone: 'eu' });
    const view = openClient(t, server.url).view('cart');
    const source: ServiceSource = view;
    const heard: string[] = [];
    const stop = source.onChange((service) => void heard.push(service));
    await view.ready;
    assert.deepEqual(source.service('cart')?.instances.get('c1')?.instance, {
      ...{ id: 'c1', service: 'cart', address: '10.0.0.1', port: 80, tags: [], meta: {}, weight: 1, zone: 'eu' },
      ...{ ports: { http: { port: 8080, proto: 'tcp' }, dns: { port: 53, proto: 'udp' } }, ttlSeconds: 3 },
    });
    assert.equal(source.service('stock'), undefined);
    const before = heard.length;
    await put(server, 'c2');
    await until('the change', () => source.service('cart')?.instances.size === 2);
    assert.equal(heard.length, before + 1);
    stop();
    await server.call('DELETE', '/v1/instances/c1');
    await server.call('DELETE', '/v1/instances/c2');
    await until('it is gone', () => source.service('cart') === undefined);
    assert.equal(heard.length, before + 1);
    assert.throws(() => view.pick('cart'), { code: 'no_instance' });
    await view.close();
  });

  it('picks in turn, by tags, ports and without those that are excluded', async (t) => {
    const server = await openServer(t);
    for (const id of ['c1', 'c2', 'c3']) await put(server, id);
    await put(server, 'c4', { tags: ['v2'], ports: { admin: 9000 } });
    const view = openClient(t, server.url).view(['cart']);
    await view.ready;
    assert.deepEqual(picks(view, 40), { c1: 10, c2: 10, c3: 10, c4: 10 });
    assert.deepEqual(picks(view, 4, { tags: ['V2'] }), { c4: 4 });
    assert.deepEqual(picks(view, 4, { exclude: ['c1', 'c2', 'c3'] }), { c4: 4 });
    const lease = view.pick('cart', { port: 'admin' });
    assert.equal(lease.url('https'), 'https://10.0.0.1:9000');
    assert.equal(view.tryPick('cart', { tags: ['v3'] }), undefined);
    assert.throws(() => view.pick('cart', { client: 'nonsense' }), { code: 'invalid' });
    assert.throws(() => view.pick('stock'), { code: 'not_ready' });
    await server.call('POST', '/v1/instances/c4/drain');
    await until('the drain', () => view.service('cart')?.instances.get('c4')?.status === 'draining');
    assert.deepEqual(picks(view, 30), { c1: 10, c2: 10, c3: 10 });
  });

  it('follows the percents of a canary that the steps of its policy move', async (t) => {
    const server = await openServer(t);
    await put(server, 'old');
    await put(server, 'new', { tags: ['v2'] });
    const match = { tags: ['v2'] };
    await server.call('PUT', '/v1/services/cart/policy', {
      routes: [{ match }],
      steps: [
        { route: 0, percent: 10, for: '1h' },
        { route: 0, percent: 50, for: '1h' },
      ],
    });
    const view = openClient(t, server.url).view('cart');
    await view.ready;
    const share = (): number => (picks(view, 1000).new ?? 0) / 1000;
    assert.ok(Math.abs(share() - 0.1) < 0.02, `10 %: ${share()}`);
    const reply = await server.call('POST', '/v1/services/cart/rollout', { action: 'restart', step: 2 });
    assert.equal(reply.status, 200);
    await until('the next step', () => view.service('cart')?.policy?.routes?.[0]?.percent === 50);
    assert.ok(Math.abs(share() - 0.5) < 0.02, `50 %: ${share()}`);
    await server.call('POST', '/v1/services/cart/rollout', { action: 'rollback' });
    await until('the way back', () => view.service('cart')?.policy?.routes?.[0]?.percent === 0);
    assert.equal(share(), 0);
  });

  it('has of a service what the server picks by, whatever happens to it', async (t) => {
    const server = await openServer(t);
    const view = openClient(t, server.url).view('cart');
    await view.ready;
    const random = seededRandom(5);
    const match = { tags: ['v2'] };
    const policies: readonly object[] = [
      { strategy: 'weighted', warningWeight: 0.5, ttl: '3s', minHealthyFraction: 0.4, whenAllUnhealthy: 'last-known' },
      { routes: [{ match, percent: 7, sticky: true, client: ['10.0.0.0/8'] }], tiers: [{ match, spillBelow: 0.5 }] },
      {
        routes: [{ match }],
        steps: [
          { route: 0, percent: 10, for: '1h' },
          { route: 0, percent: 60 },
        ],
        guard: {},
      },
      { affinity: { by: 'zone', mode: 'pin' }, slowStart: '1h' },
    ];
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 10; i++) {
        const id = `c${random.below(6)}`;
        const tags = random.below(2) === 0 ? ['v2'] : [];
        const initial = ['passing', 'warning', 'critical'][random.below(3)];
        const about = { tags, weight: random.below(9), zone: `z${random.below(2)}`, meta: { round: `${round}` } };
        const what = random.below(8);
        if (what < 5) await put(server, id, { ...about, checks: [{ type: 'heartbeat', initial }] });
        else if (what === 5) await server.call('POST', `/v1/instances/${id}/drain`);
        else if (what === 6) await server.call('DELETE', `/v1/instances/${id}`);
        else await server.call('PUT', '/v1/services/cart/policy', policies[random.below(policies.length)]);
        await server.call('POST', '/v1/services/cart/rollout', { action: ['restart', 'rollback'][random.below(2)] });
      }
      // Steps are also taken back by themselves, a moment later: what counts is that both come to the same.
      const states = () => [view.service('cart'), server.registry.service('cart')].map(answered);
      await until('both are the same', () => isDeepStrictEqual(...(states() as [object, object]))).catch(() => {});
      const [seen, there] = states();
      assert.deepEqual(seen, there, `round ${round}`);
    }
  });

  it('keeps a client by its key', async (t) => {
    const server = await openServer(t);
    for (let i = 0; i < 10; i++) await put(server, `c${i}`, { address: `10.0.0.${i}` });
    await server.call('PUT', '/v1/services/cart/policy', { strategy: 'hash' });
    const view = openClient(t, server.url).view('cart');
    await view.ready;
    const chosen = new Set<string>();
    for (let user = 0; user < 50; user++) {
      const counts = picks(view, 5, { key: `user-${user}` });
      assert.equal(Object.keys(counts).length, 1, JSON.stringify(counts));
      chosen.add(Object.keys(counts)[0]!);
    }
    assert.ok(chosen.size > 5, `${chosen.size} instances`);
  });

  it('counts leases for least-connections, and passes over one that failed', async (t) => {
    const server = await openServer(t);
    for (const id of ['c1', 'c2', 'c3']) await put(server, id);
    await server.call('PUT', '/v1/services/cart/policy', { strategy: 'least-connections' });
    const client = openClient(t, server.url);
    const leases = [];
    for (let i = 0; i < 9; i++) leases.push(await client.pick('cart'));
    const counts = new Map<string, number>();
    for (const { id } of leases) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.deepEqual([...counts.values()], [3, 3, 3]);
    const [first] = leases;
    for (const lease of leases) if (lease.id === first!.id) lease.done({ failed: true });
    for (const lease of leases) lease.done({ failed: true, latencyMs: 1 });
    for (let i = 0; i < 6; i++) {
      const lease = await client.pick('cart', { exclude: leases.map(({ id }) => id).filter((id) => id !== first!.id) });
      assert.equal(lease.id, first!.id, 'where there is nobody else it is tried all the same');
      lease.done();
    }
  });

  it('goes on with what it last knew while the server is away', async (t) => {
    const server = await openServer(t);
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    await put(server, 'c1');
    const view = openClient(t, proxy.url).view('cart');
    await view.ready;
    assert.equal(view.isStale, false);
    proxy.refuse(true);
    await until('it is noticed', () => view.isStale);
    assert.ok(view.staleSince!.getTime() <= Date.now(), 'since when');
    assert.equal(view.pick('cart').id, 'c1');
    await put(server, 'c2');
    proxy.refuse(false);
    await until('it has caught up', () => view.service('cart')?.instances.size === 2);
    await until('it is not stale any more', () => !view.isStale);
  });

  it('learns when an instance was last answerable', async (t) => {
    const server = await openServer(t);
    await put(server, 'c1', { checks: [{ type: 'heartbeat', initial: 'passing' }] });
    await put(server, 'c2', { checks: [{ type: 'heartbeat', initial: 'critical' }] });
    await server.call('PUT', '/v1/services/cart/policy', { whenAllUnhealthy: 'last-known' });
    const view = openClient(t, server.url).view('cart');
    await view.ready;
    assert.deepEqual(picks(view, 4), { c1: 4 });
    await put(server, 'c1', { checks: [{ type: 'heartbeat', id: 'other', initial: 'critical' }] });
    await until('it is unhealthy', () => view.service('cart')?.instances.get('c1')?.status !== 'healthy');
    const { lastAnswerable } = (await server.call('GET', '/v1/instances/c1')).body;
    assert.equal(typeof lastAnswerable, 'string');
    assert.deepEqual(picks(view, 4), { c1: 4 });
  });

  it('refuses what the server refuses, and lets it be tried again', async (t) => {
    const server = await openServer(t);
    const client = openClient(t, server.url);
    const view = client.view(['no spaces allowed']);
    await assert.rejects(view.ready, { status: 400 });
    await assert.rejects(client.pick('also not this'), { status: 400 });
    await put(server, 'c1');
    const lease = await client.pick('CART');
    assert.equal(lease.id, 'c1');
    await assert.rejects(client.pick('nobody'), { code: 'no_instance' });
  });
});
