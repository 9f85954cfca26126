// clock.test.ts -- clocks that are set, and a process that stands still: neither sends anybody away

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, makeServerFolder, startBuiltServer } from '../support/built-server.ts';
import { FakeTime } from '../support/fake-time.ts';
import { Peer } from '../support/peer.ts';

const NAME = 'cart-service.service.local';
const LEASE_MS = 2000;

test('a server that was stopped for three times a lease reads the heartbeats that wait, and sends nobody away', async (t) => {
  const server = await startBuiltServer(t);
  for (const id of ['beats', 'late']) {
    await server.register('cart-service', id, { address: `10.1.0.${id.length}`, port: 80, leaseTtl: '2s' });
  }
  server.kill('SIGSTOP');
  await sleep(LEASE_MS);
  // Written to sockets that nobody reads.
  const waiting = [1, 2, 3].map(() => server.api('PUT', '/v1/instances/beats/heartbeat'));
  await sleep(2 * LEASE_MS);
  const continuedMs = performance.now();
  server.kill('SIGCONT');
  const replies = await Promise.all(waiting);
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 200],
  );
  const { status } = await server.api('PUT', '/v1/instances/late/heartbeat');
  // Who had no heartbeat on its way has what was left when the server stopped: nearly all.
  if (performance.now() - continuedMs < LEASE_MS / 2) assert.equal(status, 200, 'the time stood still for it too');
  await server.until('cart-service', (all) => all.length === 0);
  const silentMs = performance.now() - continuedMs;
  assert.ok(silentMs > LEASE_MS / 2, `silence counts from the last heartbeat: gone after ${silentMs} ms`);
});

for (const [name, offset] of [
  ['an hour ahead', '+1h'],
  ['a day back', '-1d'],
] as const) {
  test(`the wall clock is set ${name}: nothing expires, nothing flips`, async (t) => {
    const folder = makeServerFolder(t);
    const time = await FakeTime.prepare(t, folder);
    if (time === undefined) return;
    const server = await startBuiltServer(t, { folder, prefix: time.prefix });
    const target = await Peer.listen(createServer((_request, response) => response.end('well')));
    t.after(() => target.close());
    await fill(server, target.port);
    const before = await server.api('GET', '/v1/services/cart-service');
    const healthBefore = changesOf(before.body);
    const wallBefore = await wallOf(server, 'witness-1');

    time.jumpTo(offset);
    await untilClockJumped(server, wallBefore, offset);
    // Longer than the lease and the silence allowed, with heartbeats all the while.
    for (let i = 0; i < 12; i++) {
      await sleep(500);
      assert.equal((await server.api('PUT', '/v1/instances/leased/heartbeat')).status, 200);
    }
    const after = await server.api('GET', '/v1/services/cart-service');
    assert.deepEqual(changesOf(after.body), healthBefore, 'registered and in force since when they were');
    assert.deepEqual(await server.addresses(NAME), ['10.1.0.1', '10.1.0.2', '127.0.0.1']);
    const { body } = await server.api('GET', '/v1/instances/leased');
    const leftMs = Date.parse(body.lease.expiresAt) - (await wallOf(server, 'witness-2'));
    assert.ok(leftMs > 0 && leftMs <= 5000, `the lease shows ${leftMs} ms`);
    // And it does end.
    await server.until('cart-service', (all) => !all.some(({ id }) => id === 'leased'), 20_000);
  });
}

/** One of each that time could take away: a lease, a heartbeat check, a probed check. */
async function fill(server: BuiltServer, port: number): Promise<void> {
  await server.register('cart-service', 'leased', { address: '10.1.0.1', port: 80, leaseTtl: '5s' });
  const heartbeat = { type: 'heartbeat', interval: '10m', initial: 'passing', deregisterAfter: '1m' };
  await server.register('cart-service', 'beating', { address: '10.1.0.2', port: 80, checks: [heartbeat] });
  const http = { type: 'http', url: `http://127.0.0.1:${port}/`, interval: '1s', rise: 1, fall: 1 };
  await server.register('cart-service', 'probed', { address: '127.0.0.1', port, checks: [http] });
  await server.untilStatus('cart-service', 'probed', 'healthy');
}

/** When everybody came, and since when every check says what it says. */
function changesOf(service: { instances: { id: string; registeredAt: string; checks: { since?: string }[] }[] }) {
  return service.instances
    .map(({ id, registeredAt, checks }) => ({ id, registeredAt, since: checks.map(({ since }) => since) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What the server takes the time of day to be. */
async function wallOf(server: BuiltServer, id: string): Promise<number> {
  await server.register('witness', id, { address: '10.9.9.9', port: 80 });
  const { body } = await server.api('GET', `/v1/instances/${id}`);
  await server.api('DELETE', `/v1/instances/${id}`);
  return Date.parse(body.registeredAt);
}

async function untilClockJumped(server: BuiltServer, fromMs: number, offset: string): Promise<void> {
  const isBack = offset.startsWith('-');
  for (let i = 0; ; i++) {
    const nowMs = await wallOf(server, `jump-${i}`);
    if (isBack ? nowMs < fromMs - 3_600_000 : nowMs > fromMs + 3_000_000) return;
    assert.ok(i < 200, 'the clock of the server did not jump');
    await sleep(50);
  }
}
