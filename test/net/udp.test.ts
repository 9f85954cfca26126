// udp.test.ts -- datagrams in and out of real sockets on loopback

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { Endpoint } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Answerer } from '../../src/net/answerer.ts';
import { UdpListener } from '../../src/net/udp.ts';

const ALL = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
const NO_IPV6 = ALL.some(({ address }) => address === '::1') ? false : 'no ::1 here';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  mock.restoreAll();
  for (const each of opened.splice(0)) await each.close();
});

/** Answers with the query behind `re:`; says nothing to `hush`. */
const echo: Answerer = (query, transport, out) => {
  assert.equal(transport, 'udp');
  assert.ok(out.length >= 65_535);
  if (Buffer.from(query).toString() === 'hush') return 0;
  out.set(Buffer.from('re:'));
  out.set(query, 3);
  return 3 + query.length;
};

async function listen(address: string, answer = echo, port = 0): Promise<UdpListener> {
  const listener = await UdpListener.open({ address, port }, { answer, log: silentLogger });
  opened.push(listener);
  return listener;
}

class Client {
  readonly #socket: dgram.Socket;
  readonly replies: { readonly text: string; readonly from: dgram.RemoteInfo }[] = [];

  private constructor(family: 4 | 6) {
    this.#socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
    this.#socket.on('message', (message, from) => this.replies.push({ text: message.toString('latin1'), from }));
  }

  static async open(family: 4 | 6 = 4): Promise<Client> {
    const client = new Client(family);
    await new Promise<void>((resolve) => client.#socket.bind(0, resolve));
    opened.push({ close: () => client.#socket.close() });
    return client;
  }

  send(message: string | Uint8Array, to: Endpoint): void {
    this.#socket.send(message, to.port, to.address);
  }

  async replied(count: number): Promise<void> {
    const signal = AbortSignal.timeout(5000);
    while (this.replies.length < count) await once(this.#socket, 'message', { signal });
  }
}

describe('a UDP listener', () => {
  it('answers, and tells the port that the system chose', async () => {
    const listener = await listen('127.0.0.1');
    assert.equal(listener.endpoint.address, '127.0.0.1');
    assert.ok(listener.endpoint.port > 0);
    const client = await Client.open();
    client.send('query', listener.endpoint);
    await client.replied(1);
    const [{ text, from }] = client.replies as [(typeof client.replies)[0]];
    assert.deepEqual([text, from.address, from.port], ['re:query', '127.0.0.1', listener.endpoint.port]);
  });
  it('answers on IPv6', { skip: NO_IPV6 }, async () => {
    const listener = await listen('::1');
    const client = await Client.open(6);
    client.send('query', listener.endpoint);
    await client.replied(1);
    assert.deepEqual([client.replies[0]?.text, client.replies[0]?.from.address], ['re:query', '::1']);
  });
  it('answers from the address that was asked', async () => {
    const first = await listen('127.0.0.2');
    await listen('127.0.0.3', echo, first.endpoint.port);
    const client = await Client.open();
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) {
      client.send(`to ${address}`, { address, port: first.endpoint.port });
      await client.replied(client.replies.length + 1);
      const { text, from } = client.replies.at(-1)!;
      assert.deepEqual([text, from.address, from.port], [`re:to ${address}`, address, first.endpoint.port]);
    }
  });
  it('on a wildcard answers from the loopback addresses of the machine', async () => {
    const listener = await listen('0.0.0.0');
    assert.equal(listener.endpoint.address, '0.0.0.0');
    const client = await Client.open();
    const addresses = ALL.map(({ address }) => address).filter((address) => address.startsWith('127.'));
    for (const address of addresses) client.send('query', { address, port: listener.endpoint.port });
    await client.replied(addresses.length);
    assert.deepEqual(client.replies.map(({ from }) => from.address).sort(), [...addresses].sort());
  });
  it('on the wildcard of IPv6 leaves IPv4 to others', { skip: NO_IPV6 }, async () => {
    const six = await listen('::');
    await listen('127.0.0.1', echo, six.endpoint.port);
    const client = await Client.open(6);
    client.send('query', { address: '::1', port: six.endpoint.port });
    await client.replied(1);
    assert.equal(client.replies[0]?.from.address, '::1');
  });
  it('stays silent when there is nothing to say, and goes on', async () => {
    const listener = await listen('127.0.0.1');
    const client = await Client.open();
    client.send('hush', listener.endpoint);
    client.send('query', listener.endpoint);
    await client.replied(1);
    assert.deepEqual(
      client.replies.map(({ text }) => text),
      ['re:query'],
    );
  });
  it('takes what is empty and what is as long as can be', async () => {
    const lengths: number[] = [];
    const listener = await listen('127.0.0.1', (query, _transport, out) => {
      lengths.push(query.length);
      out[0] = 33;
      return 1;
    });
    const client = await Client.open();
    client.send('', listener.endpoint);
    client.send(new Uint8Array(65_507), listener.endpoint);
    await client.replied(2);
    assert.deepEqual(lengths, [0, 65_507]);
  });
  it('survives a reply that no datagram holds', async () => {
    const listener = await listen('127.0.0.1', (query, _transport, out) => (query[0] === 76 ? out.length : 1));
    const client = await Client.open();
    client.send('Long', listener.endpoint);
    client.send('short', listener.endpoint);
    await client.replied(1);
    assert.equal(client.replies[0]?.text.length, 1);
  });
  it('keeps replies apart that wait to be sent together', async () => {
    const listener = await listen('127.0.0.1');
    const client = await Client.open();
    const queries = Array.from({ length: 200 }, (_, i) => `query ${i}`);
    for (const query of queries) client.send(query, listener.endpoint);
    await client.replied(queries.length);
    assert.deepEqual(client.replies.map(({ text }) => text).sort(), queries.map((query) => `re:${query}`).sort());
  });
  it('drops what comes from port 0, where nobody can be answered', async () => {
    const create = mock.method(dgram, 'createSocket');
    let asked = 0;
    await listen('127.0.0.1', () => {
      asked += 1;
      return 1;
    });
    const socket = create.mock.calls[0]!.result!;
    const from = { address: '127.0.0.1', family: 'IPv4', size: 5 };
    socket.emit('message', Buffer.from('query'), { ...from, port: 0 });
    assert.equal(asked, 0);
    socket.emit('message', Buffer.from('query'), { ...from, port: 9 });
    assert.equal(asked, 1);
  });
  it('cannot be opened twice, and says why', async () => {
    const { endpoint } = await listen('127.0.0.1');
    await assert.rejects(UdpListener.open(endpoint, { answer: echo, log: silentLogger }), {
      code: 'EADDRINUSE',
      message: `bind EADDRINUSE 127.0.0.1:${endpoint.port}`,
    });
  });
  it('cannot be opened on an address of another machine', async () => {
    const endpoint = { address: '192.0.2.1', port: 0 };
    await assert.rejects(UdpListener.open(endpoint, { answer: echo, log: silentLogger }), { code: 'EADDRNOTAVAIL' });
  });
  it('releases its port when closed, twice as well', async () => {
    const listener = await listen('127.0.0.1');
    await listener.close();
    await listener.close();
    await listen('127.0.0.1', echo, listener.endpoint.port);
  });
});

describe('behind a wildcard', () => {
  let create: ReturnType<typeof mock.method<typeof dgram, 'createSocket'>>;
  beforeEach(() => {
    create = mock.method(dgram, 'createSocket');
  });
  afterEach(() => haveAddresses());

  /** What the machine's addresses seem to be from now on; the real ones without any. */
  function haveAddresses(...addresses: string[]): void {
    interfaces?.mock.restore();
    const lo = addresses.map((address) => ({ ...ALL[0]!, family: 'IPv4' as const, address }));
    interfaces = addresses.length === 0 ? undefined : mock.method(os, 'networkInterfaces', () => ({ lo }));
    syncBuiltinESMExports();
  }
  let interfaces: { readonly mock: { restore(): void } } | undefined;

  function listeningOn(): string[] {
    return create.mock.calls.flatMap(({ result }) => {
      try {
        return [result!.address().address];
      } catch {
        return []; // closed
      }
    });
  }

  it('refresh takes up new addresses and lets go of vanished ones', async () => {
    haveAddresses('127.0.0.1', '127.0.0.2');
    const listener = await listen('0.0.0.0');
    const { port } = listener.endpoint;
    assert.deepEqual(listeningOn(), ['127.0.0.1', '127.0.0.2']);
    haveAddresses('127.0.0.2', '127.0.0.3', '192.0.2.1');
    await listener.refresh();
    assert.deepEqual(listeningOn(), ['127.0.0.2', '127.0.0.3']);
    const client = await Client.open();
    client.send('query', { address: '127.0.0.3', port });
    await client.replied(1);
    assert.equal(client.replies[0]?.from.address, '127.0.0.3');
  });
  it('an address that is not ready yet does not keep the others closed', async () => {
    haveAddresses('192.0.2.1', '127.0.0.1');
    const listener = await listen('0.0.0.0');
    assert.deepEqual(listeningOn(), ['127.0.0.1']);
    assert.ok(listener.endpoint.port > 0);
  });
  it('an address where the port is taken keeps all closed', async () => {
    const taken = await listen('127.0.0.2');
    haveAddresses('127.0.0.1', '127.0.0.2');
    const opening = UdpListener.open(
      { address: '0.0.0.0', port: taken.endpoint.port },
      { answer: echo, log: silentLogger },
    );
    await assert.rejects(opening, { code: 'EADDRINUSE' });
    assert.deepEqual(listeningOn(), ['127.0.0.2']);
  });
  it('a refresh that close overtakes leaves nothing open', async () => {
    haveAddresses('127.0.0.1');
    const listener = await listen('0.0.0.0');
    haveAddresses('127.0.0.1', '127.0.0.2');
    const refreshing = listener.refresh();
    await listener.close();
    await refreshing;
    await listener.refresh();
    assert.deepEqual(listeningOn(), []);
  });
});

it('a listener that is closed answers what the system has received and nobody has read yet', async () => {
  const listener = await listen('127.0.0.1');
  const client = await Client.open();
  for (let i = 0; i < 300; i++) client.send(`${i}`, listener.endpoint);
  const closed = listener.close();
  await client.replied(300);
  await closed;
});
