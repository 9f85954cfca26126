// client-library.test.ts -- the client library with the built server: restarts, kills, DNS alone, and a clean end

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetch } from 'undici';
import { createClient, type RollcallClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/client-options.ts';
import type { ServiceChange } from '../../src/client/service-document.ts';
import { startBuiltServer } from '../support/built-server.ts';
import { freePort } from '../support/free-port.ts';
import { run } from '../support/tools.ts';
import { until } from '../support/until.ts';

const CLIENT = fileURLToPath(new URL('../../src/client/client.ts', import.meta.url));

function openClient(t: TestContext, options: ClientOptions): RollcallClient {
  const client = createClient({ backOff: { firstMs: 10, mostMs: 100 }, ...options });
  t.after(() => client.close());
  return client;
}

async function startInstance(t: TestContext, name: string): Promise<Server & { readonly port: number }> {
  const server = createServer((_request, response) => response.end(name));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => stop(server));
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

function stop(server: Server): void {
  server.close();
  server.closeAllConnections();
}

describe('the client library', () => {
  it('is there again after the server was killed and has forgotten everything', async (t) => {
    const port = await freePort();
    const config = { store: { kind: 'memory' }, http: { listen: [`127.0.0.1:${port}`] } };
    const first = await startBuiltServer(t, { config });
    const client = openClient(t, { url: first.url });
    const registrations = ['c1', 'c2', 'c3'].map((id) =>
      client.register({ service: 'cart', id, address: '127.0.0.1', port: 8080 }, { heartbeatMs: 100 }),
    );
    await Promise.all(registrations.map(({ registered }) => registered));
    const heard: ServiceChange[] = [];
    const watch = client.watch('cart', (change) => void heard.push(change));
    const view = client.view('cart');
    await Promise.all([watch.ready, view.ready]);
    first.kill('SIGKILL');
    await first.exited;
    await until('it is noticed', () => view.isStale && registrations.every(({ state }) => state === 'away'));
    assert.equal(view.pick('cart').port, 8080);
    const second = await startBuiltServer(t, { folder: first.folder });
    await second.until('cart', (all) => all.length === 3);
    await until('the view is up to date', () => !view.isStale && view.service('cart')?.instances.size === 3);
    await until('they know it', () => registrations.every(({ state }) => state === 'registered'));
    // What came back before it was read was never gone, for a listener.
    const balance = heard.reduce(
      (sum, { kind }) => sum + (kind === 'register' ? 1 : kind === 'deregister' ? -1 : 0),
      0,
    );
    assert.equal(balance, 0, JSON.stringify(heard.map(({ kind, instance }) => `${kind} ${instance?.id}`)));
    assert.equal(watch.services.get('cart')?.instances.size, 3);
    await Promise.all(registrations.map((each) => each.deregister()));
  });

  it('finds instances by SRV records alone, and follows a kill within a second', async (t) => {
    const server = await startBuiltServer(t, { config: { store: { kind: 'memory' } } });
    const [c1, c2] = [await startInstance(t, 'c1'), await startInstance(t, 'c2')];
    const checks = [{ type: 'tcp', interval: '200ms', timeout: '200ms', rise: 1, fall: 1 }];
    await server.register('cart', 'c1', { address: '127.0.0.1', port: c1.port, checks });
    await server.register('cart', 'c2', { address: '127.0.0.1', port: c2.port, checks, tags: ['v2'] });
    await server.until('cart', (all) => all.every(({ status }) => status === 'healthy'));
    const client = openClient(t, {});
    const resolve = { source: 'dns', dns: { servers: [`${server.dns.address}:${server.dns.port}`] } } as const;
    const dispatcher = client.dispatcher(resolve);
    const ask = async (host = 'cart'): Promise<string> => {
      return await (await fetch(`http://${host}.service.local/`, { dispatcher })).text();
    };
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) seen.add(await ask());
    assert.deepEqual([...seen].sort(), ['c1', 'c2']);
    assert.equal(await ask('v2.cart'), 'c2');
    const agent = client.httpAgent(resolve);
    const [reply] = (await once(get('http://v2.cart.service.local/', { agent }), 'response')) as [IncomingMessage];
    assert.equal(await text(reply), 'c2');
    await assert.rejects(ask('nobody'), (error: Error) => (error.cause as { code?: string }).code === 'no_instance');
    stop(c2);
    for (let i = 0; i < 20; i++) assert.equal(await ask(), 'c1');
    await server.until('cart', (all) => all.some(({ status }) => status === 'unhealthy'));
    stop(c1);
    const third = await startInstance(t, 'c3');
    await server.register('cart', 'c3', { address: '127.0.0.1', port: third.port });
    const begunMs = performance.now();
    await until('the third is found', async () => (await ask().catch(() => '')) === 'c3');
    t.diagnostic(`a new instance was found after ${Math.round(performance.now() - begunMs)} ms`);
    // The answers it has hold for a while when the server is gone.
    await server.stop();
    assert.equal(await ask(), 'c3');
  });

  it('leaves nothing behind: the process ends by itself', async (t) => {
    const server = await startBuiltServer(t, { config: { store: { kind: 'memory' } } });
    const program = `
      import { createClient } from ${JSON.stringify(CLIENT)};
      const client = createClient({ url: ${JSON.stringify(server.url)} });
      const registration = client.register({ service: 'cart', port: 1 }, { drainOnSignals: ['SIGTERM'] });
      await registration.registered;
      const watch = client.watch(() => {});
      await watch.ready;
      const view = client.view('cart');
      await view.ready;
      await client.pick('cart', {});
      const dispatcher = client.dispatcher();
      await dispatcher.request({ origin: ${JSON.stringify(server.url)}, path: '/healthz', method: 'GET' }).then((r) => r.body.dump());
      client.httpAgent(); client.httpsAgent(); client.lookup(); client.dispatcher({ source: 'dns' });
      await registration.deregister();
      await client.close();
      if (process.listenerCount('SIGTERM') > 0) throw new Error('a listener is left');
      console.log('closed', process.getActiveResourcesInfo().filter((each) => /Timeout|TCP|Socket/i.test(each)).join());
    `;
    const { exitCode, stdout, stderr } = await run(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program],
      { timeoutMs: 30_000 },
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout.trim(), 'closed');
  });
});
