// rollout.test.ts -- slow start and a progressive canary on the built server, as resolvers see them, over restarts

import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';

const NAME = 'cart.service.local';
const OLD = '10.0.0.1';
const NEW = '10.0.0.2';

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What eight answers in a row begin with, each of them once. */
async function seen(server: BuiltServer): Promise<string> {
  const addresses = new Set<string>();
  for (let i = 0; i < 8; i++) for (const each of await server.addresses(NAME)) addresses.add(each);
  return [...addresses].sort().join(' ');
}

test('a canary goes forward by itself, is taken back when it fails, and stays where it was over a restart', async (t) => {
  const server = await startBuiltServer(t);
  await server.register('cart', 'old', { address: OLD, port: 80 });
  await server.register('cart', 'new', {
    address: NEW,
    port: 80,
    tags: ['v2'],
    checks: [{ id: 'beat', type: 'heartbeat', interval: '1h', initial: 'passing' }],
  });
  const put = await server.api('PUT', '/v1/services/cart/policy', {
    routes: [{ match: { tags: ['v2'] } }],
    steps: [
      { percent: 0, for: '1s' },
      { percent: 100, at: '* * * * * *', for: '1h' },
    ],
  });
  assert.deepEqual([put.status, put.body.rollout.step, await seen(server)], [200, 1, OLD]);
  await until('the canary gets all', async () => (await seen(server)) === NEW);

  await server.stop();
  const again = await startBuiltServer(t, { folder: server.folder });
  assert.equal(await seen(again), NEW);
  const { body } = await again.api('GET', '/v1/services/cart/rollout');
  assert.deepEqual([body.state, body.step, body.percent], ['running', 2, 100]);

  // The general pool takes over at once, since nobody behind the route is well; that it is taken back shows when it is.
  await again.api('PUT', '/v1/instances/new/heartbeat', { status: 'critical' });
  assert.equal(await seen(again), OLD);
  const rolledBack = async () =>
    (await again.api('GET', '/v1/services/cart/policy')).body.rollout.state === 'rolled-back';
  await until('it is taken back', rolledBack);
  await again.api('PUT', '/v1/instances/new/heartbeat', { status: 'passing' });
  assert.equal(await seen(again), OLD);
  await again.api('POST', '/v1/services/cart/rollout', { action: 'restart' });
  await until('it goes forward again', async () => (await seen(again)) === NEW);
});

test('an instance that begins has a part of its weight, and all of it after a restart', async (t) => {
  const server = await startBuiltServer(t);
  const weights = async ({ dns }: BuiltServer): Promise<number[]> => {
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`${dns.address}:${dns.port}`]);
    const records = await resolver.resolveSrv(NAME);
    return records.sort((a, b) => a.port - b.port).map(({ weight }) => weight);
  };
  await server.register('cart', 'first', { address: OLD, port: 1, weight: 10 });
  await server.api('PUT', '/v1/services/cart/policy', { strategy: 'weighted', slowStart: '1h' });
  await server.register('cart', 'second', { address: NEW, port: 2, weight: 10 });
  assert.deepEqual(await weights(server), [10, 1]);
  assert.equal((await server.api('GET', '/v1/instances/second')).body.warmth, 0.1);
  await server.stop();
  const again = await startBuiltServer(t, { folder: server.folder });
  assert.deepEqual(await weights(again), [10, 10]);
});
