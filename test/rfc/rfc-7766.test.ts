// rfc-7766.test.ts -- DNS over TCP: many queries a connection, in pieces or in one, idle ends (RFC 7766, RFC 9210)

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Endpoint } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { ConnectionTable, STREAM_LIMITS, type StreamLimits } from '../../src/net/connection-table.ts';
import { DnsListener } from '../../src/net/dns-listener.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { NameServer, parseQuestion } from '../support/name-server.ts';

/** Answers a message with itself behind an `r`; nothing to one that begins with `-`. */
function echo(query: Uint8Array, _transport: string, out: Uint8Array): number {
  if (query[0] === 0x2d) return 0;
  out[0] = 0x72;
  out.set(query, 1);
  return query.length + 1;
}

async function listen(
  t: TestContext,
  limits: Partial<StreamLimits> = {},
  clock = new FakeClock(),
): Promise<TcpListener> {
  const table = new ConnectionTable(clock, { ...STREAM_LIMITS, ...limits });
  const options = { answer: echo, clock, log: silentLogger, table };
  const listener = await TcpListener.open({ address: '127.0.0.1', port: 0 }, options);
  t.after(async () => {
    const closed = listener.close();
    await clock.advance(2000);
    await closed;
  });
  return listener;
}

/** A client that takes messages apart. */
class Client {
  readonly socket: Socket;
  readonly #messages: string[] = [];
  /** Sizes of the chunks as they came in. */
  readonly chunks: number[] = [];
  readonly closed: Promise<unknown>;
  #pending = Buffer.alloc(0);
  #wake: () => void = () => {};

  constructor(t: TestContext, listener: { readonly endpoint: Endpoint }) {
    this.socket = connect(listener.endpoint.port, listener.endpoint.address);
    this.socket.setNoDelay(true);
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    t.after(() => this.socket.destroy());
  }

  #take(chunk: Buffer): void {
    this.chunks.push(chunk.length);
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= 2 && this.#pending.length >= 2 + this.#pending.readUInt16BE(0)) {
      const end = 2 + this.#pending.readUInt16BE(0);
      this.#messages.push(this.#pending.toString('latin1', 2, end));
      this.#pending = this.#pending.subarray(end);
    }
    this.#wake();
  }

  async take(count: number): Promise<string[]> {
    while (this.#messages.length < count) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        this.socket.once('close', () => reject(new Error(`closed after ${this.#messages.length} messages`)));
      });
    }
    return this.#messages.splice(0, count);
  }
}

function framed(...messages: string[]): Buffer {
  return Buffer.concat(
    messages.map((message) => {
      const frame = Buffer.alloc(2 + message.length);
      frame.writeUInt16BE(message.length);
      frame.write(message, 2, 'latin1');
      return frame;
    }),
  );
}

describe('RFC 7766', () => {
  it('answers query after query on one connection (6.2.1)', async (t) => {
    const client = new Client(t, await listen(t));
    for (const message of ['one', 'two', 'three']) {
      client.socket.write(framed(message));
      assert.deepEqual(await client.take(1), [`r${message}`]);
    }
  });

  it('answers pipelined queries, all of them (6.2.1.1)', async (t) => {
    const client = new Client(t, await listen(t));
    const messages = Array.from({ length: 1000 }, (_, i) => `query ${i}`);
    client.socket.write(framed(...messages));
    assert.deepEqual(
      await client.take(1000),
      messages.map((message) => `r${message}`),
    );
  });

  it('takes messages in pieces of any size, and several in a piece (8)', async (t) => {
    const client = new Client(t, await listen(t));
    const messages = ['a', 'bc'.repeat(300), '', 'd'.repeat(65534)].filter(Boolean);
    const stream = framed(...messages);
    for (let at = 0, size = 1; at < stream.length; at += size, size = Math.min(size * 2, 20_000)) {
      client.socket.write(stream.subarray(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      (await client.take(3)).map((message) => message.length),
      [2, 601, 65535],
    );
  });

  it('sends length and message in one piece (8)', async (t) => {
    const client = new Client(t, await listen(t));
    client.socket.write(framed('x'));
    await client.take(1);
    assert.deepEqual(client.chunks, [4]);
  });

  it('says nothing to what deserves no reply, and goes on', async (t) => {
    const client = new Client(t, await listen(t));
    client.socket.write(framed('-', 'a', '--', 'b'));
    assert.deepEqual(await client.take(2), ['ra', 'rb']);
  });

  it('answers what it was asked before the client closed its side (6.2.3)', async (t) => {
    const client = new Client(t, await listen(t));
    client.socket.end(framed('a', 'b'));
    assert.deepEqual(await client.take(2), ['ra', 'rb']);
    await client.closed;
  });

  it('closes on a length of 0', async (t) => {
    const client = new Client(t, await listen(t));
    client.socket.write(Buffer.alloc(2));
    await client.closed;
  });

  it('closes idle connections, and those that never finish a message, but not busy ones (6.2.3)', async (t) => {
    const clock = new FakeClock();
    const listener = await listen(t, { idleTimeoutMs: 5000 }, clock);
    const [idle, half, busy] = [new Client(t, listener), new Client(t, listener), new Client(t, listener)];
    for (const client of [idle, half, busy]) {
      client.socket.write(framed('hello'));
      await client.take(1);
    }
    half.socket.write('\0');
    for (let second = 1; second <= 8; second++) {
      await clock.advance(1000);
      busy.socket.write(framed('again'));
      await busy.take(1);
    }
    await Promise.all([idle.closed, half.closed]);
    assert.equal(listener.connectionCount, 1);
  });

  it('makes room for a new connection when there are too many (9210 section 4.4)', async (t) => {
    const clock = new FakeClock();
    const listener = await listen(t, { maxConnections: 2 }, clock);
    const clients: Client[] = [];
    for (let i = 0; i < 3; i++) {
      await clock.advance(10);
      const client = new Client(t, listener);
      clients.push(client);
      client.socket.write(framed(`${i}`));
      assert.deepEqual(await client.take(1), [`r${i}`]);
    }
    await clients[0]!.closed;
    assert.equal(listener.connectionCount, 2);
    clients[1]!.socket.write(framed('still'));
    assert.deepEqual(await clients[1]!.take(1), ['rstill']);
  });

  it('drops a client that asks and never reads, and holds little for it meanwhile', async (t) => {
    const clock = new FakeClock();
    const listener = await listen(t, { writeTimeoutMs: 2000 }, clock);
    const client = new Client(t, listener);
    await once(client.socket, 'connect');
    client.socket.pause();
    const query = framed('q'.repeat(60_000));
    const before = process.memoryUsage().arrayBuffers;
    let written = 0;
    // Until the system takes no more: the server has stopped reading.
    while (written < 400 && client.socket.writableLength < 4_000_000) {
      client.socket.write(query);
      written++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(written < 400, 'the server stops reading');
    const held = process.memoryUsage().arrayBuffers - before;
    assert.ok(held < 24_000_000, `${held}`);
    for (let i = 0; i < 5; i++) await clock.advance(1000);
    client.socket.resume();
    await client.closed;
  });

  it('is there on the same port as UDP, with the same answers (5)', async (t) => {
    const server = await NameServer.open();
    const answer = server.handler.respond.bind(server.handler);
    const endpoint = { address: '127.0.0.1', port: 0 };
    const listener = await DnsListener.open(endpoint, { answer, clock: server.clock, log: silentLogger });
    t.after(() => listener.close());
    const query = encodeMessage(queryMessage(7, parseQuestion('service.local. SOA')));
    const udp = dgram.createSocket('udp4');
    t.after(() => udp.close());
    udp.send(query, listener.endpoint.port, listener.endpoint.address);
    const [overUdp] = (await once(udp, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    const client = new Client(t, listener);
    client.socket.end(framed(Buffer.from(query).toString('latin1')));
    assert.deepEqual(await client.take(1), [overUdp.toString('latin1')]);
    await client.closed;
  });
});
