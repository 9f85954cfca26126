// registration.test.ts -- a program registers itself, stays registered whatever happens to the server, and takes its leave

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient, type RollcallClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/client-options.ts';
import type { RegistrationState } from '../../src/client/registration-options.ts';
import type { RollcallError } from '../../src/client/rollcall-error.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { CutProxy } from '../support/cut-proxy.ts';
import { until } from '../support/until.ts';

const BACK_OFF = { firstMs: 5, mostMs: 20 };
const CHILD = fileURLToPath(new URL('../support/client-child.ts', import.meta.url));

async function openServer(t: TestContext, options: Parameters<typeof openApiServer>[0] = {}): Promise<ApiServer> {
  const server = await openApiServer(options);
  t.after(() => server.close());
  return server;
}

function openClient(t: TestContext, url: string, options: Partial<ClientOptions> = {}): RollcallClient {
  const client = createClient({ url, backOff: BACK_OFF, ...options });
  t.after(() => client.close());
  return client;
}

const shown = async (server: ApiServer, id: string) => (await server.call('GET', `/v1/instances/${id}`)).body;

describe('a registration', () => {
  it('is made with the address of this machine and a lease, and is kept by heartbeats', async (t) => {
    const server = await openServer(t);
    let loads = 0;
    const registration = openClient(t, server.url).register(
      { service: 'Cart', port: 8080, tags: ['v1'], leaseTtl: '1s', ttl: '2s' },
      { load: () => ({ connections: ++loads }), heartbeatMs: 20 },
    );
    assert.equal(registration.state, 'registering');
    await registration.registered;
    const instance = await registration.ready();
    assert.equal(registration.state, 'registered');
    const { id, address, leaseTtl, ttl, tags } = instance;
    assert.deepEqual(
      { id, address, leaseTtl, ttl, tags },
      { id: 'cart-127.0.0.1:8080', address: '127.0.0.1', leaseTtl: '1s', ttl: '2s', tags: ['v1'] },
    );
    assert.equal(registration.id, id);
    await until('the load', async () => (await shown(server, id)).load?.connections > 2);
    await registration.deregister();
    assert.equal(registration.state, 'closed');
    assert.equal((await server.call('GET', `/v1/instances/${id}`)).status, 404);
  });

  it('waits until it is healthy, and tells what heartbeat checks are to hear', async (t) => {
    const server = await openServer(t);
    const registration = openClient(t, server.url).register(
      { service: 'cart', id: 'c1', port: 1, checks: [{ type: 'heartbeat', interval: '1s', initial: 'critical' }] },
      { health: () => ({ status: 'warning', output: 'busy' }), heartbeatMs: 20 },
    );
    await registration.registered;
    await assert.rejects(registration.ready({ timeoutMs: 50 }), { code: 'timeout' });
    await until('a report', () => server.beats.length > 0);
    assert.deepEqual(server.beats[0], { id: 'c1', report: { status: 'warning', output: 'busy' } });
  });

  it('is made anew at once by a server that forgot it, with what changed meanwhile', async (t) => {
    const server = await openServer(t);
    const registration = openClient(t, server.url).register(
      { service: 'cart', id: 'c1', port: 1, weight: 3, meta: { a: '1', b: '2' } },
      { heartbeatMs: 20 },
    );
    await registration.registered;
    await registration.update({ weight: 7, meta: { b: '3' }, zone: 'eu' });
    assert.deepEqual((await shown(server, 'c1')).meta, { a: '1', b: '3' });
    await server.call('DELETE', '/v1/instances/c1');
    await until('it is back', async () => (await shown(server, 'c1')).weight === 7);
    const { meta, zone } = await shown(server, 'c1');
    assert.deepEqual([meta, zone], [{ a: '1', b: '3' }, 'eu']);
    await assert.rejects(registration.update({ weight: -1 }), { code: 'invalid', status: 400 });
    await registration.update({ zone: null });
    await server.call('DELETE', '/v1/instances/c1');
    await until('it is back again', async () => (await shown(server, 'c1')).id === 'c1');
    assert.equal((await shown(server, 'c1')).zone, undefined);
    assert.equal((await shown(server, 'c1')).weight, 7);
  });

  it('goes on when the server is away, in the beginning and later, and says so', async (t) => {
    const server = await openServer(t);
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    proxy.refuse(true);
    const states: RegistrationState[] = [];
    const errors: RollcallError[] = [];
    const client = openClient(t, proxy.url, { onError: (error) => void errors.push(error) });
    const registration = client.register(
      { service: 'cart', id: 'c1', port: 1 },
      { heartbeatMs: 20, onState: (state) => void states.push(state) },
    );
    await until('it is away', () => registration.state === 'away');
    assert.equal(registration.id, 'c1');
    proxy.refuse(false);
    await registration.registered;
    proxy.refuse(true);
    await until('it is away again', () => registration.state === 'away');
    // A server that was started anew knows nothing.
    await server.call('DELETE', '/v1/instances/c1');
    proxy.refuse(false);
    await until('it is back', async () => (await shown(server, 'c1')).id === 'c1');
    await until('it says so', () => registration.state === 'registered');
    assert.deepEqual(states, ['away', 'registered', 'away', 'registered']);
    assert.ok(
      errors.every(({ code }) => code === 'unreachable'),
      'codes',
    );
  });

  it('is refused at once where the server will never have it', async (t) => {
    const tokens = [tokenEntry('writer', 'services:write:cart')];
    const server = await openServer(t, { access: { tokens, allowHosts: [] } });
    const cases: readonly (readonly [string, object, string])[] = [
      ['wrong', { service: 'cart' }, 'unauthorized'],
      ['writer', { service: 'stock' }, 'forbidden'],
      ['writer', { service: 'cart', port: 0 }, 'invalid'],
      ['writer', { service: 'cart', tags: ['a b'] }, 'invalid'],
    ];
    for (const [token, about, code] of cases) {
      const client = openClient(t, server.url, { token });
      const registration = client.register({ service: '', port: 1, ...about });
      await assert.rejects(registration.registered, { name: 'RollcallError', code });
      assert.equal(registration.state, 'closed');
    }
  });

  it('goes on with another token when the one it had is taken away', async (t) => {
    const tokens = [tokenEntry('second', 'services:write:cart')];
    const server = await openServer(t, { access: { tokens, allowHosts: [] } });
    const client = openClient(t, server.url, { token: async ({ refused }) => (refused ? 'second' : 'first') });
    await client.register({ service: 'cart', id: 'c1', port: 1 }).registered;
  });

  it('waits until nobody has it any more when it drains, by the clock of the server', async (t) => {
    const server = await openServer(t, { ttlInForceSeconds: () => 1 });
    const registration = openClient(t, server.url).register(
      { service: 'cart', id: 'c1', port: 1 },
      { heartbeatMs: 50 },
    );
    await registration.registered;
    const begunMs = performance.now();
    const safeAfter = await registration.drain();
    assert.ok(performance.now() - begunMs >= 990, 'it waited');
    assert.ok(safeAfter.getTime() <= Date.now(), 'it waited for long enough');
    assert.equal(registration.state, 'draining');
    assert.equal((await shown(server, 'c1')).status, 'draining');
    // Whoever has taken leave does not come back.
    await server.call('DELETE', '/v1/instances/c1');
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal((await server.call('GET', '/v1/instances/c1')).status, 404);
    await registration.deregister();
  });

  it('takes its leave in a bounded time when the server is away', async (t) => {
    const server = await openServer(t);
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    const errors: string[] = [];
    const client = openClient(t, proxy.url, { onError: ({ code }) => void errors.push(code) });
    const registration = client.register({ service: 'cart', id: 'c1', port: 1 });
    await registration.registered;
    proxy.refuse(true);
    await registration.leave();
    assert.equal(registration.state, 'closed');
    assert.ok(errors.length >= 2, 'both failures were told');
  });

  for (const own of ['none', 'own']) {
    it(`drains on SIGTERM and ends with 0, with ${own} listener of the program`, async (t) => {
      const server = await openServer(t, { ttlInForceSeconds: () => 1 });
      const child = spawn(process.execPath, ['--import', 'tsx', CHILD, server.url, 'c1', own], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
      await until('it is registered', () => output.includes('registered'));
      const events: string[] = [];
      server.registry.onChange(({ kind, instance }) => void events.push(`${kind} ${instance?.status}`));
      child.kill('SIGTERM');
      const [code, signal] = await once(child, 'exit');
      assert.deepEqual([code, signal], [0, null], output);
      assert.deepEqual(events, ['health draining', 'deregister draining']);
      const expected = ['registered', ...(own === 'own' ? ['own listener'] : []), 'draining', 'closed', 'drained'];
      assert.deepEqual(output.trim().split('\n').sort(), expected.sort());
    });
  }
});
