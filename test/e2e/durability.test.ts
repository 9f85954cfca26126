// durability.test.ts -- kill -9, restart, orderly stop, and what keeps a server from starting

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Address,
  type BuiltServer,
  makeServerFolder,
  runRollcall,
  startBuiltServer,
  writeConfig,
} from '../support/built-server.ts';
import { Peer } from '../support/peer.ts';
import { ToyInstance } from '../support/toy-instance.ts';

const NAME = 'cart-service.service.local';
const STOP_LIMIT_MS = 5000;

test('what was acknowledged before a kill -9 is there after the restart, and nothing else is broken', async (t) => {
  const server = await startBuiltServer(t);
  const acknowledged = new Set<string>();
  const wanted = 400;
  let started = 0;
  const write = async (): Promise<void> => {
    while (started < wanted) {
      const id = `cart-${started++}`;
      await server.register('cart-service', id, { address: `10.1.${started >> 8}.${started & 255}`, port: 8080 });
      acknowledged.add(id);
      // In the middle of a burst from eight writers, with commits under way.
      if (acknowledged.size === wanted / 2) server.kill('SIGKILL');
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: 8 }, write));
  assert.ok(ends.every(({ status }) => status === 'rejected'));
  assert.equal((await server.exited).signal, 'SIGKILL');

  const again = await startBuiltServer(t, { folder: server.folder });
  const { body } = await again.api('GET', '/v1/services/cart-service');
  const found = new Set((body.instances as { id: string }[]).map(({ id }) => id));
  t.diagnostic(`${acknowledged.size} acknowledged, ${found.size} there after the restart`);
  assert.deepEqual(
    [...acknowledged].filter((id) => !found.has(id)),
    [],
  );
  assert.equal((await again.addresses(NAME)).length, 8);
  await again.register('cart-service', 'cart-late', { address: '10.9.9.9', port: 8080 });
  assert.equal((await again.stop()).exitCode, 0);
});

test('deregistrations, policies and maintenance survive a kill -9 as well', async (t) => {
  const server = await startBuiltServer(t);
  for (const [i, id] of ['stays', 'goes', 'rests'].entries()) {
    await server.register('cart-service', id, { address: `10.1.0.${i}`, port: 8080 });
  }
  await server.api('PUT', '/v1/services/cart-service/policy', { strategy: 'random', ttl: '33s' });
  await server.api('PUT', '/v1/instances/rests/maintenance', { enabled: true, reason: 'new disk' });
  await server.api('DELETE', '/v1/instances/goes');
  server.kill('SIGKILL');
  await server.exited;

  const again = await startBuiltServer(t, { folder: server.folder });
  assert.deepEqual(await again.addresses(NAME), ['10.1.0.0']);
  const { body } = await again.api('GET', '/v1/services/cart-service');
  assert.deepEqual([body.policy.strategy, body.policy.ttl], ['random', '33s']);
  const states = (body.instances as { id: string; status: string; reason: string }[]).map(
    ({ id, status }) => `${id} ${status}`,
  );
  assert.deepEqual(states.sort(), ['rests maintenance', 'stays healthy']);
});

test('a lease goes on over a kill -9: it is renewed, or it ends', async (t) => {
  const server = await startBuiltServer(t);
  const lease = { port: 8080, leaseTtl: '3s' };
  await server.register('cart-service', 'beats', { address: '10.1.0.1', ...lease });
  await server.register('cart-service', 'silent', { address: '10.1.0.2', ...lease });
  server.kill('SIGKILL');
  await server.exited;

  const again = await startBuiltServer(t, { folder: server.folder });
  assert.deepEqual(await again.addresses(NAME), ['10.1.0.1', '10.1.0.2'], 'at once after the restart');
  const beat = setInterval(() => void again.api('PUT', '/v1/instances/beats/heartbeat').catch(() => {}), 500);
  t.after(() => clearInterval(beat));
  await again.until('cart-service', (all) => all.length === 1);
  assert.deepEqual(await again.addresses(NAME), ['10.1.0.1']);
});

test('the last status holds from the restart until the first probe has ended', async (t) => {
  const check = { interval: '2s', timeout: '1500ms', rise: 1, fall: 1 };
  const server = await startBuiltServer(t);
  const [well, dead] = await Promise.all(['127.0.0.2', '127.0.0.3'].map((address) => ToyInstance.start(t, address)));
  await server.register('cart-service', 'well', well!.registration(check));
  await server.register('cart-service', 'dead', dead!.registration(check));
  await server.until('cart-service', (all) => all.every(({ status }) => status === 'healthy'));
  await dead!.kill();
  await server.untilStatus('cart-service', 'dead', 'unhealthy');
  server.kill('SIGKILL');
  await server.exited;

  // Whoever probes `well` now hears nothing until the timeout: the result of the first probe comes late.
  await well!.kill();
  const silent = await Peer.listen(createServer(), well!.address, well!.port);
  t.after(() => silent.close());
  const again = await startBuiltServer(t, { folder: server.folder });
  assert.deepEqual(await again.addresses(NAME), ['127.0.0.2'], 'at once after the restart');
  await again.untilStatus('cart-service', 'well', 'unhealthy');
  assert.deepEqual(await again.addresses(NAME), []);
  await dead!.restart();
  await again.untilStatus('cart-service', 'dead', 'healthy');
  assert.deepEqual(await again.addresses(NAME), ['127.0.0.3']);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends it in order, whoever is still connected`, async (t) => {
    const server = await startBuiltServer(t);
    await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080, checks: [{ type: 'tcp' }] });
    // An idle DNS client, half a DNS question, a kept-alive HTTP connection, a blocking read.
    const [idle, half] = await Promise.all([openTcp(server.dns), openTcp(server.dns)]);
    half.write(Uint8Array.of(0, 40, 1, 2, 3));
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const warm = request(`${server.url}/healthz`, { agent }).end();
    (await once(warm, 'response'))[0].resume();
    const blocked = server.api('GET', '/v1/services/nobody?index=0&wait=60s').catch(() => undefined);
    await once(warm, 'close');
    const startMs = performance.now();
    server.kill(signal);
    const end = await server.exited;
    const tookMs = performance.now() - startMs;
    t.diagnostic(`stopped after ${Math.round(tookMs)} ms`);
    assert.deepEqual(end, { exitCode: 0, signal: null });
    assert.ok(tookMs < STOP_LIMIT_MS, `it took ${tookMs} ms`);
    await blocked;
    idle.destroy();
    half.destroy();
    const again = await startBuiltServer(t, { folder: server.folder });
    assert.equal((await again.api('GET', '/v1/instances/cart-1')).status, 200);
  });
}

async function openTcp({ address, port }: Address) {
  const socket = connect(port, address);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

test('a second server on the same store is refused, the first goes on', async (t) => {
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const second = await runRollcall(['serve', '--config', join(server.folder, 'rollcall.yaml')]);
  assert.equal(second.exitCode, 1, second.stdout + second.stderr);
  assert.match(second.stderr, new RegExp(`data.*in use by process ${server.pid}\\b`));
  assert.doesNotMatch(second.stderr, /^ {4}at /m);
  await assertServes(server);
});

async function assertServes(server: BuiltServer): Promise<void> {
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
}

test('a taken port is named, and nothing is left open', async (t) => {
  const holder: Server = createServer();
  const taken = await Peer.listen(holder);
  t.after(() => taken.close());
  const at = `127.0.0.1:${taken.port}`;
  for (const [what, config] of [
    ['dns', { dns: { listen: [at] } }],
    ['http', { http: { listen: [at] } }],
  ] as const) {
    await t.test(what, async (each) => {
      const folder = makeServerFolder(each, { config });
      const { exitCode, stderr, timedOut } = await runRollcall(['serve', '--config', join(folder, 'rollcall.yaml')]);
      assert.ok(!timedOut, 'it does not end');
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, new RegExp(`${at.replaceAll('.', '\\.')}`));
      assert.match(stderr, /EADDRINUSE|in use/);
      assert.doesNotMatch(stderr, /^ {4}at /m);
      // Not even the lock of the store stays behind.
      writeConfig(folder);
      await startBuiltServer(each, { folder });
    });
  }
});

test('configurations that cannot be used end with file, line and column', async (t) => {
  const cases: readonly (readonly [name: string, config: object, zones: Record<string, string>, error: RegExp])[] = [
    ['unknown key', { dns: { listen: [] } }, {}, /rollcall\.yaml:\d+:\d+: .*listen/],
    ['bare number for a time', { dns: { ttl: 5 } }, {}, /rollcall\.yaml:\d+:\d+: .*unit/],
    ['not built yet', { dns: { dnssec: true } }, {}, /rollcall\.yaml:\d+:\d+: .*not supported/],
    [
      'broken zone',
      {},
      { 'a.example.zone': '@ SOA ns host 1 1 1 1 1\n@ NS ns\nns A 1.2.3\n' },
      /a\.example\.zone:3:6: /,
    ],
    ['store where no folder can be', { store: { path: '/proc/nowhere' } }, {}, /\/proc\/nowhere/],
    ['store in a file', { store: { path: './rollcall.yaml/data' } }, {}, /rollcall\.yaml\/data/],
  ];
  for (const [name, config, zones, error] of cases) {
    await t.test(name, async (each) => {
      const folder = makeServerFolder(each, { config: config as never, zones });
      const { exitCode, stderr } = await runRollcall(['serve', '--config', join(folder, 'rollcall.yaml')]);
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, error);
      assert.doesNotMatch(stderr, /^ {4}at /m);
    });
  }
});
