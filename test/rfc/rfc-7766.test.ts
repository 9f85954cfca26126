// rfc-7766.test.ts -- DNS over TCP: many queries a connection, in pieces or in one, idle ends (RFC 7766)

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Endpoint } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
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
    void this.closed.then(() => this.#wake());
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
      if (this.socket.closed) throw new Error(`closed after ${this.#messages.length} messages`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
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

  it('answers 10,000 pipelined queries by their ids, and nobody waits for all of them (6.2.1.1, 7)', async (t) => {
    const server = await NameServer.open();
    let answered = 0;
    const clock = new FakeClock();
    const listener = await TcpListener.open(
      { address: '127.0.0.1', port: 0 },
      {
        answer: (query, transport, out, client) => {
          answered++;
          return server.handler.respond(query, transport, out, client);
        },
        clock,
        log: silentLogger,
        table: new ConnectionTable(clock, STREAM_LIMITS),
      },
    );
    t.after(async () => {
      const closed = listener.close();
      await clock.advance(2000);
      await closed;
    });
    const question = (id: number): string =>
      Buffer.from(encodeMessage(queryMessage(id, parseQuestion('service.local. SOA')))).toString('latin1');
    const idOf = (reply: string | undefined): number => Buffer.from(reply ?? '', 'latin1').readUInt16BE(0);
    const [many, one] = [new Client(t, listener), new Client(t, listener)];
    one.socket.write(framed(question(1)));
    await one.take(1);
    const ids = Array.from({ length: 10_000 }, (_, i) => (i * 7919) & 0xffff);
    many.socket.write(framed(...ids.map(question)));
    const all = many.take(ids.length);
    while (answered === 1) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 5; i++) {
      const before = answered;
      one.socket.write(framed(question(i)));
      assert.equal(idOf((await one.take(1))[0]), i);
      // Some turns of the event loop, of 80 questions at most each.
      assert.ok(answered - before < 1500, `waited for ${answered - before} others`);
    }
    assert.ok(answered < ids.length, 'the flood was over before the others had asked');
    assert.deepEqual((await all).map(idOf), ids);
  });

  it('sends replies as they come, whatever waits for an upstream (6.2.1.1, 7)', async (t) => {
    const clock = new FakeClock();
    const replies: ((message: Uint8Array) => void)[] = [];
    const listener = await TcpListener.open(
      { address: '127.0.0.1', port: 0 },
      {
        answer: (query, transport, out) => (query[0] === 0x75 ? FORWARD : echo(query, transport, out)),
        deferred: {
          forward: (_query, _transport, _client, reply) => void replies.push(reply),
          transfer: () => assert.fail('no zone is asked for'),
        },
        clock,
        log: silentLogger,
      },
    );
    t.after(async () => {
      const closed = listener.close();
      await clock.advance(2000);
      await closed;
    });
    const client = new Client(t, listener);
    client.socket.write(framed('up 1', 'a', 'up 2', 'b'));
    assert.deepEqual(await client.take(2), ['ra', 'rb']);
    replies[1]!(Buffer.from('second'));
    replies[0]!(Buffer.from('first'));
    assert.deepEqual(await client.take(2), ['second', 'first']);
  });

  it('goes on when a client goes without a word, its queries half answered (6.2.4)', async (t) => {
    const listener = await listen(t);
    const staying = new Client(t, listener);
    for (const way of ['destroy', 'resetAndDestroy'] as const) {
      const leaving = new Client(t, listener);
      leaving.socket.write(framed(...Array<string>(500).fill('q'.repeat(1000))));
      await leaving.take(1);
      leaving.socket[way]();
      await leaving.closed;
    }
    staying.socket.write(framed('still here'));
    assert.deepEqual(await staying.take(1), ['rstill here']);
    while (listener.connectionCount > 1) await new Promise((resolve) => setImmediate(resolve));
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
