// watch.test.ts -- GET /v1/watch: who hears of what, going on after a cut, and watchers that do not keep up

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';
import { EventClient } from '../support/event-client.ts';

const clients: EventClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function watch(server: ApiServer, query = '', headers: Record<string, string> = {}): Promise<EventClient> {
  const client = await EventClient.open(server.url, query, headers);
  clients.push(client);
  return client;
}

const put = (server: ApiServer, service: string, id: string, rest: object = {}, headers = {}) =>
  server.call('PUT', `/v1/services/${service}/instances/${id}`, { address: '10.0.0.7', port: 80, ...rest }, headers);

/** The next events as `event service/instance`. */
async function heard(client: EventClient, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) {
    const { event, data } = (await client.next()) ?? {};
    seen.push(`${event} ${data?.service}/${data?.instance?.id ?? ''}`);
  }
  return seen;
}

describe('watching', () => {
  let server: ApiServer;
  before(async () => {
    server = await openApiServer();
  });
  after(() => server.close());

  it('tells every kind of change, in order, with ids that count up', async () => {
    const client = await watch(server, '?service=CART');
    assert.match(client.headers.get('content-type') ?? '', /^text\/event-stream/);
    await put(server, 'cart', 'c-1', { checks: [{ type: 'heartbeat' }] });
    await put(server, 'other', 'o-1');
    await server.call('PATCH', '/v1/instances/c-1', { weight: 7 });
    server.registry.reportResult('c-1', 'heartbeat', { outcome: 'critical', output: 'sick', latencyMs: 1 });
    await server.call('PUT', '/v1/services/cart/policy', { ttl: '9s' });
    await server.call('DELETE', '/v1/services/cart/policy');
    await server.call('DELETE', '/v1/instances/c-1');
    const events = [];
    for (let i = 0; i < 6; i++) events.push((await client.next())!);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['register', 'update', 'health', 'policy', 'policy', 'deregister'],
    );
    const [registered, updated, sick, policy, none] = events.map(({ data }) => data);
    assert.deepEqual([registered.service, registered.instance.status, updated.instance.weight], ['cart', 'pending', 7]);
    assert.deepEqual([sick.instance.status, sick.by], ['unhealthy', { kind: 'check', id: 'heartbeat' }]);
    assert.deepEqual([policy.policy, none.policy], [{ ttl: '9s' }, null]);
    assert.deepEqual(registered.by, { kind: 'local', address: '127.0.0.1' });
    const sequences = events.map(({ id }) => Number(id!.split('.')[1]));
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
  });

  it('read, then watch from there: nothing is missed in between', async () => {
    for (const path of ['/v1/services', '/v1/services/nobody']) {
      const { headers } = await server.call('GET', path);
      await put(server, 'between', 'b-1');
      await server.call('DELETE', '/v1/instances/b-1');
      const client = await watch(server, `?service=between&since=${headers.get('x-rollcall-event-id')}`);
      assert.deepEqual(await heard(client, 2), ['register between/b-1', 'deregister between/b-1'], path);
    }
  });

  it('goes on behind Last-Event-ID, which wins over since, and repeats nothing', async () => {
    const first = await watch(server);
    await put(server, 'a', 'a-1');
    await put(server, 'a', 'a-2');
    const start = first.headers.get('x-rollcall-event-id')!;
    const id = (await first.next())!.id!;
    await put(server, 'a', 'a-3');
    const second = await watch(server, `?since=${start}`, { 'last-event-id': id });
    assert.deepEqual(await heard(second, 2), ['register a/a-2', 'register a/a-3']);
    await put(server, 'a', 'a-4');
    assert.deepEqual(await heard(second, 1), ['register a/a-4']);
  });

  it('without an id begins now, and says where that is', async () => {
    const client = await watch(server);
    assert.equal(await client.nextId(), client.headers.get('x-rollcall-event-id'));
    await put(server, 'a', 'a-5');
    assert.deepEqual(await heard(client, 1), ['register a/a-5']);
  });

  it('a batch is heard in its order', async () => {
    const client = await watch(server, '?service=batch');
    const operations = Array.from({ length: 50 }, (_, i) => ({
      ...{ op: 'register', service: 'batch', id: `x-${i}`, address: '10.0.0.1', port: 1 },
    }));
    await server.call('POST', '/v1/batch', { operations });
    assert.deepEqual(
      await heard(client, 50),
      operations.map(({ id }) => `register batch/${id}`),
    );
  });

  it('an id of another node, of the future, or no id at all: 410', async () => {
    const { headers } = await server.call('GET', '/v1/services');
    const [epoch, sequence] = headers.get('x-rollcall-event-id')!.split('.');
    for (const id of [`0000000000000000.${sequence}`, `${epoch}.${Number(sequence) + 1}`, 'x', `${epoch}.-1`, '']) {
      const { status, body } = await server.call('GET', `/v1/watch?since=${id}`);
      assert.deepEqual([status, body.error.code], [410, 'event_gone'], id);
    }
  });

  it('a client that goes away leaves nothing behind', async () => {
    const before = (await server.call('GET', '/v1/status')).body.watchers;
    const client = await EventClient.open(server.url);
    assert.equal((await server.call('GET', '/v1/status')).body.watchers, before + 1);
    client.close();
    for (let tries = 0; (await server.call('GET', '/v1/status')).body.watchers !== before; tries++) {
      assert.ok(tries < 1000, 'the watcher stays');
    }
  });
});

describe('scopes', () => {
  it('each watcher hears of what it may read, and is ended when it may no longer', async () => {
    const tokens = [
      tokenEntry('all', 'operator'),
      tokenEntry('carts', 'services:read:cart-*'),
      tokenEntry('shops', 'services:write:shop'),
    ];
    const server = await openApiServer({ access: { tokens, allowHosts: [] } });
    try {
      const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
      const [all, carts, shops] = await Promise.all(
        ['all', 'carts', 'shops'].map((token) => watch(server, '', bearer(token))),
      );
      for (const service of ['cart-a', 'shop', 'cart', 'cart-b'])
        await put(server, service, service, {}, bearer('all'));
      const names = ['cart-a', 'shop', 'cart', 'cart-b'].map((name) => `register ${name}/${name}`);
      assert.deepEqual(await heard(all!, 4), names);
      assert.deepEqual(await heard(carts!, 2), [names[0], names[3]]);
      assert.deepEqual(await heard(shops!, 1), [names[1]]);
      const refused = await server.call('GET', '/v1/watch?service=shop', undefined, bearer('carts'));
      assert.deepEqual([refused.status, refused.body.error.code], [403, 'forbidden']);
      // One token goes, one has other scopes, one stays as it is.
      server.api.setAccess({ tokens: [tokens[0]!, tokenEntry('carts', 'services:read:x')], allowHosts: [] });
      for (const client of [carts!, shops!]) {
        assert.deepEqual((await client.next())!.data, { reason: 'access' });
        assert.equal(await client.next(), undefined);
      }
      await put(server, 'still', 's-1', {}, bearer('all'));
      assert.deepEqual(await heard(all!, 1), ['register still/s-1']);
    } finally {
      await server.close();
    }
  });
});

/** A connection that asks to watch and then reads nothing. */
async function openDeaf(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'readable');
  return socket;
}

describe('limits', () => {
  it('a watcher that does not keep up is dropped with a reason; others hear everything', async () => {
    const metrics = new MetricsRegistry();
    const server = await openApiServer({ metrics, watch: { maxChanges: 256, maxStallMs: 500, heartbeatMs: 1600 } });
    const deaf = await openDeaf(server.port);
    try {
      const client = await watch(server);
      // Sockets take megabytes before they are full.
      const meta = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`k${i}`, 'x'.repeat(1000)]));
      let sent = 0;
      const isDropped = async () => (await metrics.metrics()).includes('dropped_total{reason="slow"} 1');
      while (!(await isDropped())) {
        assert.ok(sent < 20_000, 'never dropped');
        for (let i = 0; i < 50; i++) await put(server, 'big', 'b-1', { meta: { ...meta, n: String(sent++) } });
        for (let i = sent - 50; i < sent; i++) assert.equal((await client.next())!.data.instance.meta.n, String(i));
      }
      const closed = once(deaf, 'close');
      let text = '';
      deaf.setEncoding('latin1');
      deaf.on('data', (chunk) => {
        text = (text + chunk).slice(-1000);
      });
      await closed;
      assert.match(text, /event: end\ndata: \{"reason":"slow"\}\n\n$/);
      await put(server, 'big', 'b-2');
      assert.deepEqual(await heard(client, 1), ['register big/b-2']);
    } finally {
      deaf.destroy();
      await server.close();
    }
  });

  it('what the log has forgotten is a 410', async () => {
    const server = await openApiServer({ watch: { maxChanges: 3 } });
    try {
      const id = (await server.call('GET', '/v1/services')).headers.get('x-rollcall-event-id');
      for (let i = 0; i < 3; i++) await put(server, 'cart', `c-${i}`);
      const client = await watch(server, `?since=${id}`);
      assert.deepEqual(await heard(client, 3), ['register cart/c-0', 'register cart/c-1', 'register cart/c-2']);
      await put(server, 'cart', 'c-3');
      const { status, body } = await server.call('GET', `/v1/watch?since=${id}`);
      assert.deepEqual([status, body.error.code], [410, 'event_gone']);
    } finally {
      await server.close();
    }
  });

  it('one more than there may be: 429', async () => {
    const server = await openApiServer({ watch: { maxWatchers: 2 } });
    try {
      await watch(server);
      await watch(server);
      const { status, body } = await server.call('GET', '/v1/watch');
      assert.deepEqual([status, body.error.code], [429, 'rate_limited']);
    } finally {
      await server.close();
    }
  });

  it('quiet watchers get a comment that moves their id on', async () => {
    const server = await openApiServer({ watch: { heartbeatMs: 160 } });
    try {
      const client = await watch(server, '?service=quiet');
      await client.nextId();
      await put(server, 'loud', 'l-1');
      const now = (await server.call('GET', '/v1/services')).headers.get('x-rollcall-event-id');
      let id = await client.nextId();
      while (id !== now) id = await client.nextId();
    } finally {
      await server.close();
    }
  });

  it('stopping ends them all with a reason', async () => {
    const server = await openApiServer();
    const client = await watch(server);
    await client.nextId();
    const closed = server.close();
    assert.deepEqual((await client.next())!.data, { reason: 'stopping' });
    assert.equal(await client.next(), undefined);
    await closed;
  });
});
