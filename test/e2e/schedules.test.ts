// schedules.test.ts -- a cron schedule takes a service out of the answers and lets it back in

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBuiltServer, writeConfig } from '../support/built-server.ts';

const NAME = 'cart-service.service.local';

function everySecond(maintenance: 'on' | 'off', target: object): object {
  return { name: `always ${maintenance}`, cron: '* * * * * *', timezone: 'UTC', action: { maintenance, ...target } };
}

test('a service goes into maintenance and comes back, as the schedules say', async (t) => {
  const server = await startBuiltServer(t);
  for (const i of [1, 2]) {
    await server.register('cart-service', `cart-${i}`, { address: `10.1.0.${i}`, port: 8080 });
  }
  await server.register('other-service', 'other-1', { address: '10.2.0.1', port: 8080 });
  const follow = async (...schedules: object[]): Promise<void> => {
    writeConfig(server.folder, { schedules });
    assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  };
  const both = (status: string) => server.until('cart-service', (all) => all.every((each) => each.status === status));

  await follow(everySecond('on', { service: 'cart-service' }));
  await both('maintenance');
  assert.deepEqual(await server.addresses(NAME), []);
  assert.deepEqual(await server.addresses('other-service.service.local'), ['10.2.0.1']);
  const { body } = await server.api('GET', '/v1/instances/cart-1');
  assert.match(body.reason, /always on/);

  await follow(everySecond('off', { service: 'cart-service' }));
  await both('healthy');
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1', '10.1.0.2']);

  await follow(everySecond('on', { instance: 'cart-2' }));
  await server.untilStatus('cart-service', 'cart-2', 'maintenance');
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);

  // Without schedules nothing is switched any more.
  await follow();
  await server.api('PUT', '/v1/instances/cart-2/maintenance', { enabled: false });
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1', '10.1.0.2']);
});

test('a schedule that names what does not exist yet does no harm', async (t) => {
  const server = await startBuiltServer(t, {
    config: {
      schedules: [everySecond('on', { service: 'late-service' }), everySecond('on', { instance: 'late-1' })].map(
        (each, i) => ({ ...each, name: `${i}` }),
      ),
    },
  });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  await server.register('late-service', 'late-1', { address: '10.1.0.9', port: 8080 });
  await server.untilStatus('late-service', 'late-1', 'maintenance');
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);
});
