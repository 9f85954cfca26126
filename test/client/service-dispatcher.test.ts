// service-dispatcher.test.ts -- names of services as hosts: for fetch, undici, node:http and whatever takes a lookup

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, get as getTls } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { request, fetch as undiciFetch } from 'undici';
import { createClient, type RollcallClient } from '../../src/client/client.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const URL_OF_CART = 'http://cart.service.local/path?q=1';

interface Rig {
  readonly api: ApiServer;
  readonly client: RollcallClient;
  /** Start an instance and register it. */
  start(id: string, about?: object, listener?: RequestListener): Promise<Server>;
}

async function openRig(t: TestContext): Promise<Rig> {
  const api = await openApiServer();
  t.after(() => api.close());
  const client = createClient({ url: api.url, backOff: { firstMs: 5, mostMs: 20 } });
  t.after(() => client.close());
  const start: Rig['start'] = async (
    id,
    about = {},
    listener = (asked, reply) => reply.end(`${id} ${asked.headers.host}`),
  ) => {
    const server = createServer(listener);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => stop(server));
    const { port } = server.address() as AddressInfo;
    const reply = await api.call('PUT', `/v1/services/cart/instances/${id}`, { address: '127.0.0.1', port, ...about });
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return server;
  };
  return { api, client, start };
}

/** As a process that is killed: connections end in the middle. */
function stop(server: Server): void {
  server.close();
  server.closeAllConnections();
}

async function read(pending: ReturnType<typeof get>): Promise<string> {
  const [reply] = (await once(pending, 'response')) as [IncomingMessage];
  return await text(reply);
}

describe('the dispatcher', () => {
  it('sends each request to an instance, with the host as it was asked for', async (t) => {
    const { client, start } = await openRig(t);
    for (const id of ['c1', 'c2']) await start(id);
    await start('c3', { tags: ['v2'] });
    const dispatcher = client.dispatcher();
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add(await (await undiciFetch(URL_OF_CART, { dispatcher })).text());
    assert.deepEqual(
      [...seen].sort(),
      ['c1', 'c2', 'c3'].map((id) => `${id} cart.service.local`),
    );
    const tagged = await request('http://v2.cart.service.local:8080/', { dispatcher, headers: { 'x-a': '1' } });
    assert.equal(await tagged.body.text(), 'c3 v2.cart.service.local:8080');
    const named = await request('http://v2.cart.service.local/', { dispatcher, headers: ['Host', 'shop.example'] });
    assert.equal(await named.body.text(), 'c3 shop.example');
    // The fetch of Node itself, which has an undici of its own.
    const own = await fetch('http://V2.cart.service.local./', { dispatcher } as object);
    assert.match(await own.text(), /^c3 v2\.cart\.service\.local/);
  });

  it('lets all other hosts through, and says when a service has no instance', async (t) => {
    const { api, client } = await openRig(t);
    const dispatcher = client.dispatcher();
    const reply = await request(`${api.url}/healthz`, { dispatcher });
    assert.equal(reply.statusCode, 200);
    await reply.body.dump();
    await assert.rejects(request('http://nobody.service.local/', { dispatcher }), { code: 'no_instance' });
    await assert.rejects(undiciFetch('http://nobody.service.local/', { dispatcher }), (error: Error) => {
      assert.equal((error.cause as { code?: string }).code, 'no_instance');
      return true;
    });
  });

  it('passes over an instance that cannot be reached, for bodies too', async (t) => {
    const { api, client, start } = await openRig(t);
    const echo: RequestListener = (asked, reply) => void asked.pipe(reply);
    await start('c1', {}, echo);
    for (const id of ['dead1', 'dead2']) {
      await api.call('PUT', `/v1/services/cart/instances/${id}`, { address: '127.0.0.1', port: await freePort() });
    }
    const dispatcher = client.dispatcher();
    async function* body() {
      yield 'some ';
      yield 'body';
    }
    for (let i = 0; i < 6; i++) {
      const reply = await request(URL_OF_CART, { dispatcher, method: 'POST', body: body() as never });
      assert.equal(await reply.body.text(), 'some body');
    }
    const none = client.dispatcher({ retries: 0, domain: ['other.local', 'service.local'] });
    const failures = [];
    for (let i = 0; i < 6; i++) {
      const reply = await request(URL_OF_CART, { dispatcher: none }).catch((error) => void failures.push(error.code));
      await reply?.body.dump();
    }
    assert.equal(failures.length <= 2, true, 'suspects are passed over without another try');
  });

  it('sends a request again when its connection broke without a reply, unless it might have done something', async (t) => {
    const { client, start } = await openRig(t);
    let broken = 0;
    const breaking: RequestListener = (asked) => {
      broken++;
      asked.socket.destroy();
    };
    await start('bad', { weight: 1 }, breaking);
    await start('good');
    const dispatcher = client.dispatcher();
    for (let i = 0; i < 10; i++) {
      const reply = await request(URL_OF_CART, { dispatcher });
      assert.match(await reply.body.text(), /^good/);
    }
    assert.equal(broken, 1);
    // It answered something else meanwhile, and is not passed over any more.
    (await client.pick('cart', { exclude: ['good'] })).done({ failed: false });
    const posts = [];
    for (let i = 0; i < 2; i++) {
      const reply = await request(URL_OF_CART, { dispatcher, method: 'POST', body: 'x' }).catch((error) => error);
      posts.push(reply instanceof Error ? 'failed' : await reply.body.text());
    }
    assert.equal(posts.filter((each) => each === 'failed').length, 1, String(posts));
  });

  it('follows an instance that is killed, and one that comes, without a failure', async (t) => {
    const { client, start, api } = await openRig(t);
    const servers = new Map([
      ['c1', await start('c1')],
      ['c2', await start('c2')],
    ]);
    const dispatcher = client.dispatcher();
    const ask = async (): Promise<string> =>
      (await (await undiciFetch(URL_OF_CART, { dispatcher })).text()).slice(0, 2);
    for (let i = 0; i < 4; i++) await ask();
    stop(servers.get('c1')!);
    for (let i = 0; i < 50; i++) assert.equal(await ask(), 'c2');
    await start('c3');
    await until('the new one is asked', async () => (await ask()) === 'c3');
    await api.call('DELETE', '/v1/instances/c2');
    stop(servers.get('c2')!);
    for (let i = 0; i < 50; i++) assert.equal(await ask(), 'c3');
  });

  it('can be aborted, and ends with the client', async (t) => {
    const { client, start } = await openRig(t);
    await start('c1', {}, () => {});
    const dispatcher = client.dispatcher();
    const abort = new AbortController();
    const pending = undiciFetch(URL_OF_CART, { dispatcher, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await assert.rejects(pending, { name: 'AbortError' });
    const open = request(URL_OF_CART, { dispatcher });
    const rejected = assert.rejects(open);
    await client.close();
    await rejected;
    assert.throws(() => client.dispatcher(), { code: 'closed' });
  });
});

describe('agents of node:http', () => {
  it('pick an instance for each connection, and another when one is not there', async (t) => {
    const { api, client, start } = await openRig(t);
    for (const id of ['c1', 'c2']) await start(id);
    await api.call('PUT', '/v1/services/cart/instances/dead', { address: '127.0.0.1', port: await freePort() });
    const agent = client.httpAgent();
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add(await read(get(URL_OF_CART, { agent })));
    assert.deepEqual([...seen].sort(), ['c1 cart.service.local', 'c2 cart.service.local']);
    assert.match(await read(get(`${api.url}/healthz`, { agent })), /^/);
    const pending = get('http://nobody.service.local/', { agent });
    const [error] = await once(pending, 'error').catch((thrown) => [thrown]);
    assert.equal(error.code, 'no_instance');
    const keeping = client.httpAgent({ agent: { keepAlive: true, maxSockets: 1 } });
    const first = await read(get(URL_OF_CART, { agent: keeping }));
    for (let i = 0; i < 4; i++) assert.equal(await read(get(URL_OF_CART, { agent: keeping })), first);
  });

  it('speak TLS with the name of the service', async (t) => {
    const { api, client } = await openRig(t);
    const { cert, key, remove } = makeCertificate();
    t.after(remove);
    const server = createTlsServer({ cert, key }, (asked, reply) => reply.end(`tls ${asked.headers.host}`));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => stop(server as unknown as Server));
    const { port } = server.address() as AddressInfo;
    await api.call('PUT', '/v1/services/cart/instances/c1', { address: '127.0.0.1', port });
    const agent = client.httpsAgent({ domain: 'example', agent: { ca: cert } });
    const url = 'https://cart.example/';
    assert.equal(await read(getTls(url, { agent }) as never), 'tls cart.example');
    const dispatcher = client.dispatcher({ domain: 'Example.', agent: { connect: { ca: cert } } });
    const reply = await request(url, { dispatcher });
    assert.equal(await reply.body.text(), 'tls cart.example');
    const strict = client.dispatcher({ domain: 'example', retries: 0 });
    await assert.rejects(request(url, { dispatcher: strict }), /certificate/);
  });

  it('have a lookup for those who know the port', async (t) => {
    const { client, start } = await openRig(t);
    const server = await start('c1');
    const { port } = server.address() as AddressInfo;
    const lookup = client.lookup() as never;
    assert.match(await read(get({ host: 'cart.service.local', port, lookup })), /^c1/);
    const socket = connect({ host: 'cart.service.local', port, lookup });
    await once(socket, 'connect');
    socket.destroy();
    const plain = connect({ host: 'localhost', port, lookup, family: 4 });
    await once(plain, 'connect');
    plain.destroy();
    const none = connect({ host: 'nobody.service.local', port, lookup });
    const [error] = await once(none, 'error').catch((thrown) => [thrown]);
    assert.equal(error.code, 'no_instance');
  });
});
