// watch.test.ts -- changes are heard once each and in order, whatever happens to the connection

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { createClient, type RollcallClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/client-options.ts';
import { RollcallError } from '../../src/client/rollcall-error.ts';
import type { ServiceChange } from '../../src/client/service-document.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { CutProxy } from '../support/cut-proxy.ts';
import { until } from '../support/until.ts';

const BACK_OFF = { firstMs: 5, mostMs: 20 };

async function openServer(t: TestContext, options: Parameters<typeof openApiServer>[0] = {}): Promise<ApiServer> {
  const server = await openApiServer(options);
  t.after(() => server.close());
  return server;
}

function openClient(t: TestContext, url: string | string[], options: Partial<ClientOptions> = {}): RollcallClient {
  const client = createClient({ url, backOff: BACK_OFF, ...options });
  t.after(() => client.close());
  return client;
}

const put = (server: ApiServer, service: string, id: string, body: object = {}) =>
  server.call('PUT', `/v1/services/${service}/instances/${id}`, { address: '10.0.0.1', port: 80, ...body });

const word = ({ kind, service, instance }: ServiceChange): string => `${kind} ${service} ${instance?.id ?? ''}`.trim();

/** Random writes; how many changes they make is the server's to say. */
async function change(server: ApiServer, random: ReturnType<typeof seededRandom>): Promise<void> {
  const service = `s${random.below(3)}`;
  const id = `${service}-${random.below(4)}`;
  switch (random.below(6)) {
    case 0:
      await server.call('DELETE', `/v1/instances/${id}`);
      break;
    case 1:
      await server.call('PUT', `/v1/services/${service}/policy`, { maxAnswers: 1 + random.below(9) });
      break;
    case 2:
      await server.call('PUT', `/v1/instances/${id}/maintenance`, { enabled: random.below(2) === 0, reason: 'r' });
      break;
    case 3:
      await server.call('DELETE', `/v1/services/${service}/policy`);
      break;
    default:
      await put(server, service, id, { weight: 1 + random.below(100) });
  }
}

/** What the server has, and what a watch believes it has. */
async function statesOf(server: ApiServer, services: ReturnType<RollcallClient['watch']>['services']) {
  const { body } = await server.call('GET', '/v1/services');
  const there: [string, unknown][] = [];
  for (const { name } of body.services) {
    const { policy, index, instances } = (await server.call('GET', `/v1/services/${name}`)).body;
    there.push([name, { policy, index, instances: new Map(instances.map((each: { id: string }) => [each.id, each])) }]);
  }
  const believed = [...services].map(([name, { policy, index, instances }]) => [name, { policy, index, instances }]);
  return { there: new Map(there), believed: new Map(believed as [string, unknown][]) };
}

describe('a watch', () => {
  it('tells what happens from when it is ready on', async (t) => {
    const server = await openServer(t);
    await put(server, 'cart', 'c1');
    const heard: ServiceChange[] = [];
    const watch = openClient(t, server.url).watch('CART', (each) => void heard.push(each));
    await watch.ready;
    assert.deepEqual([...(watch.services.get('cart')?.instances.keys() ?? [])], ['c1']);
    await put(server, 'other', 'o1');
    await put(server, 'cart', 'c2', { tags: ['v2'] });
    await server.call('PUT', '/v1/services/cart/policy', { strategy: 'random' });
    await server.call('DELETE', '/v1/instances/c1');
    await until('three changes', () => heard.length === 3);
    assert.deepEqual(heard.map(word), ['register cart c2', 'policy cart', 'deregister cart c1']);
    assert.deepEqual(heard[0]?.instance?.tags, ['v2']);
    assert.deepEqual(heard[1]?.policy, { strategy: 'random' });
    assert.ok(!heard.some(({ isCaughtUp }) => isCaughtUp), 'nothing was caught up');
  });

  it('loses nothing and repeats nothing when its connection is cut at random', async (t) => {
    const server = await openServer(t);
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    const steady: ServiceChange[] = [];
    const cut: ServiceChange[] = [];
    const reference = openClient(t, server.url).watch((each) => void steady.push(each));
    const watch = openClient(t, proxy.url).watch((each) => void cut.push(each));
    await Promise.all([reference.ready, watch.ready]);
    const random = seededRandom(7);
    for (let i = 0; i < 300; i++) {
      await change(server, random);
      if (random.below(12) === 0) proxy.cut();
    }
    await put(server, 'last', 'last');
    const isLast = (heard: ServiceChange[]) => heard.at(-1)?.service === 'last';
    await until('the last change', () => isLast(steady) && isLast(cut));
    assert.ok(steady.length > 150 && proxy.accepted > 10, `${steady.length} changes, ${proxy.accepted} connections`);
    assert.deepEqual(cut, steady);
    const { there, believed } = await statesOf(server, watch.services);
    assert.deepEqual(believed, there);
  });

  it('reads anew where the server cannot go on, and tells real differences only', async (t) => {
    let server = await openApiServer();
    t.after(() => server.close());
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    for (const id of ['same', 'gone', 'moved']) await put(server, 'cart', id);
    await put(server, 'away', 'a1');
    await server.call('PUT', '/v1/services/cart/policy', { strategy: 'random' });
    const heard: ServiceChange[] = [];
    const watch = openClient(t, proxy.url).watch((each) => void heard.push(each));
    await watch.ready;
    // Another run of the server, which has forgotten all; what comes back there is as it was, or not.
    proxy.refuse(true);
    await until('it is noticed', () => watch.staleSince !== undefined);
    await server.close();
    server = await openApiServer();
    await put(server, 'cart', 'new', { meta: { b: '1', a: '2' } });
    await put(server, 'cart', 'same');
    await put(server, 'cart', 'moved', { port: 81 });
    await server.call('PUT', '/v1/services/cart/policy', { strategy: 'random' });
    proxy.refuse(false);
    await until('the differences', () => watch.staleSince === undefined);
    await put(server, 'cart', 'later');
    await until('the next change', () => heard.some(({ instance }) => instance?.id === 'later'));
    assert.deepEqual(heard.map((each) => `${word(each)}${each.isCaughtUp ? ' caught up' : ''}`).sort(), [
      'deregister away a1 caught up',
      'deregister cart gone caught up',
      'register cart later',
      'register cart new caught up',
      'update cart moved caught up',
    ]);
  });

  it('notices a connection that says nothing any more', async (t) => {
    const server = await openServer(t);
    const proxy = await CutProxy.open(() => server.port);
    t.after(() => proxy.close());
    const errors: string[] = [];
    const heard: string[] = [];
    const options = { silenceMs: 1000, timeoutMs: 1000, onError: ({ code }: RollcallError) => void errors.push(code) };
    const watch = openClient(t, proxy.url, options).watch('cart', (each) => void heard.push(word(each)));
    await watch.ready;
    proxy.hold(true);
    await put(server, 'cart', 'c1');
    await until('the silence is noticed', () => errors.length > 0);
    proxy.hold(false);
    proxy.cut();
    await until('the change', () => heard.length > 0);
    assert.deepEqual(heard, ['register cart c1']);
  });

  it('waits for a slow listener, and lives with one that fails', async (t) => {
    const server = await openServer(t);
    const errors: string[] = [];
    const client = openClient(t, server.url, { onError: ({ code }) => void errors.push(code) });
    const heard: string[] = [];
    let running = 0;
    const watch = client.watch('cart', async (each) => {
      assert.equal(++running, 1, 'one call at a time');
      heard.push(word(each));
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      if (heard.length === 2) throw new Error('a fault of the program');
    });
    await watch.ready;
    for (let i = 0; i < 20; i++) await put(server, 'cart', `c${i}`);
    await until('all changes', () => heard.length === 20);
    assert.deepEqual(errors, ['listener_failed']);
  });

  it('can be closed by its own listener', async (t) => {
    const server = await openServer(t);
    let heard = 0;
    let isClosed = false;
    const watch = openClient(t, server.url).watch('cart', async () => {
      heard++;
      await watch.close();
      isClosed = true;
    });
    await watch.ready;
    await put(server, 'cart', 'c1');
    await put(server, 'cart', 'c2');
    await until('it is closed', () => isClosed);
    assert.equal(heard, 1);
  });

  it('says at once when the server refuses, and comes in with a new token', async (t) => {
    const tokens = [tokenEntry('reader', 'services:read:cart')];
    const server = await openServer(t, { access: { tokens, allowHosts: [] } });
    const codeOf = async (token: string | undefined, service: string): Promise<string> => {
      const client = openClient(t, server.url, token === undefined ? {} : { token });
      const watch = client.watch(service, () => {});
      return await watch.ready.then(
        () => 'ready',
        (error) => `${error.code} ${error.status}`,
      );
    };
    assert.equal(await codeOf('reader', 'cart'), 'ready');
    assert.equal(await codeOf(undefined, 'cart'), 'unauthorized 401');
    assert.equal(await codeOf('wrong', 'cart'), 'unauthorized 401');
    assert.equal(await codeOf('reader', 'stock'), 'forbidden 403');
    const asked: boolean[] = [];
    const token = ({ refused }: { refused: boolean }): string => {
      asked.push(refused);
      return refused ? 'reader' : 'old';
    };
    await openClient(t, server.url, { token }).watch('cart', () => {}).ready;
    assert.deepEqual(asked, [false, true]);
  });

  it('goes to the next server when one is away', async (t) => {
    const server = await openServer(t);
    const heard: string[] = [];
    const watch = openClient(t, ['http://127.0.0.1:1', server.url]).watch((each) => void heard.push(word(each)));
    await watch.ready;
    await put(server, 'cart', 'c1');
    await until('the change', () => heard.length === 1);
  });

  it('gives up on nothing but what is refused: what is no Rollcall server is asked again', async (t) => {
    const server = createServer((_request, response) => response.end('<html>'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    const codes: string[] = [];
    const { port } = server.address() as AddressInfo;
    const client = openClient(t, `http://127.0.0.1:${port}`, { onError: ({ code }) => void codes.push(code) });
    const watch = client.watch('cart', () => {});
    await until('several tries', () => codes.length > 3);
    assert.deepEqual([...new Set(codes)], ['bad_reply']);
    await client.close();
    await assert.rejects(watch.ready, (error) => error instanceof RollcallError && error.code === 'closed');
  });
});
