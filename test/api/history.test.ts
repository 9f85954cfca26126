// history.test.ts -- GET /v1/services/{service}/history: when, what, by whom, why; and what of it outlives a restart

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';

const BEARER = { authorization: 'Bearer deploy' };
const ACCESS = { tokens: [tokenEntry('deploy', 'operator')], allowHosts: [] };
const DEPLOY = { kind: 'token', id: 'id-deploy', address: '127.0.0.1' };

async function historyOf(server: ApiServer, service: string, query = '') {
  const { status, body } = await server.call('GET', `/v1/services/${service}/history${query}`, undefined, BEARER);
  assert.equal(status, 200);
  return body.changes;
}

it('tells each change with its author and its reason, newest first', async () => {
  const clock = new FakeClock();
  const registry = await Registry.open({ store: openMemoryStore(), clock, log: silentLogger });
  const server = await openApiServer({ registry, clock, access: ACCESS });
  try {
    const call = (method: string, path: string, body?: object) => server.call(method, path, body, BEARER);
    const checks = [{ type: 'heartbeat' }];
    await call('PUT', '/v1/services/cart/instances/c-1', { address: '10.0.0.7', port: 80, leaseTtl: '10s', checks });
    registry.reportResult('c-1', 'heartbeat', { outcome: 'critical', output: 'x'.repeat(5000), latencyMs: 1 });
    await call('PUT', '/v1/instances/c-1/maintenance', { enabled: true, reason: 'new disk' });
    await call('PUT', '/v1/services/cart/policy', { ttl: '3s' });
    await call('PATCH', '/v1/instances/c-1', { weight: 3 });
    await registry.setServiceMaintenance('cart', 'night', { kind: 'schedule', id: 'nightly' });
    registry.setStatic([anInstance({ id: 'fixed', service: 'cart' })]);
    await clock.advance(10_001);
    const changes = await historyOf(server, 'cart');
    const seen = changes.map(({ at: _, output: __, ...rest }: Record<string, unknown>) => rest);
    const c1 = { instance: 'c-1' };
    const held = { status: 'maintenance', reason: 'new disk' };
    assert.deepEqual(seen, [
      { kind: 'deregister', by: { kind: 'lease' }, ...c1, ...held },
      { kind: 'health', by: { kind: 'lease' }, ...c1, ...held },
      { kind: 'register', by: { kind: 'config' }, instance: 'fixed', status: 'maintenance', reason: 'night' },
      { kind: 'health', by: { kind: 'schedule', id: 'nightly' }, ...c1, ...held },
      { kind: 'update', by: DEPLOY, ...c1, ...held },
      { kind: 'policy', by: DEPLOY, policy: { ttl: '3s' } },
      { kind: 'health', by: DEPLOY, ...c1, ...held },
      {
        ...{ kind: 'health', by: { kind: 'check', id: 'heartbeat' }, ...c1 },
        ...{ status: 'unhealthy', reason: 'check heartbeat is critical' },
      },
      { kind: 'register', by: DEPLOY, ...c1, status: 'pending', reason: 'check heartbeat has no result yet' },
    ]);
    assert.equal(changes[7].output, 'x'.repeat(256));
    assert.ok(changes[0].at > changes[8].at, 'times');
    assert.deepEqual(
      (await historyOf(server, 'cart', '?limit=2')).map(({ kind }: { kind: string }) => kind),
      ['deregister', 'health'],
    );
    for (const limit of ['0', '101', 'x']) {
      assert.equal((await call('GET', `/v1/services/cart/history?limit=${limit}`)).status, 400, limit);
    }
  } finally {
    await server.close();
  }
});

it('outlives the service and a restart, but for a flood', async () => {
  const clock = new FakeClock();
  const store = openMemoryStore();
  const open = () => Registry.open({ store, clock, log: silentLogger, keepHistory: true });
  const by = { kind: 'local' } as const;
  const first = await open();
  await first.register(anInstance({ id: 'a', service: 'calm' }), false, undefined, by);
  await first.deregister('a');
  await clock.advance(1000);
  for (let i = 0; i < 500; i++) await first.setPolicy(`flood-${i}`, {});
  await first.stop();
  const second = await open();
  const kinds = (service: string) => second.history(service, 10)?.map((each) => [each.kind, each.by]);
  assert.deepEqual(kinds('calm'), [
    ['deregister', null],
    ['register', by],
  ]);
  assert.deepEqual([kinds('flood-0'), kinds('flood-499')], [undefined, [['policy', null]]]);
  // The ring goes on where it was.
  await second.setPolicy('later', {});
  await second.stop();
  const third = await open();
  assert.deepEqual(third.history('later', 10)?.length, 1);
  assert.deepEqual(third.history('calm', 10)?.length, 2);
  await third.stop();
});
