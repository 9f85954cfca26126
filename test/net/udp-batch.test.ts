// udp-batch.test.ts -- batches of datagrams over real sockets: who gets which reply, and what is survived

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import os from 'node:os';
import { afterEach, describe, it } from 'node:test';
import type { BatchAnswerer } from '../../src/net/answerer.ts';
import { EAGAIN, EINTR, ENOBUFS, ENOMEM, loadSocketCalls, type SocketCalls } from '../../src/net/socket-calls.ts';
import { UdpBatch } from '../../src/net/udp-batch.ts';
import { openUdpDescriptor, type UdpDescriptor } from '../../src/net/udp-descriptor.ts';

const loaded = loadSocketCalls();
const unavailable = typeof loaded === 'string' ? `no shards here: ${loaded}` : false;
const real = loaded as SocketCalls;
const hasIpv6 = Object.values(os.networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));
const EBADF = 9;
const EPERM = 1;

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const each of cleanUp.splice(0)) each();
});

function listen(address: string, calls: SocketCalls = real): { batch: UdpBatch; descriptor: UdpDescriptor } {
  const descriptor = openUdpDescriptor(real, { address, port: 0 }, false);
  cleanUp.push(() => real.close(descriptor.fd));
  return { batch: new UdpBatch(calls, descriptor), descriptor };
}

/** The query behind `re:`; nothing to `hush`. */
const echo: BatchAnswerer = (slot, length, out) => {
  const query = Buffer.from(slot.subarray(0, length)).toString('latin1');
  if (query.startsWith('hush')) return 0;
  return Buffer.from(out.buffer, out.byteOffset, out.length).write(`re:${query}`, 'latin1');
};

class Client {
  readonly #socket: dgram.Socket;
  readonly replies: string[] = [];
  readonly from = new Set<string>();

  constructor(family: 4 | 6 = 4) {
    this.#socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
    this.#socket.on('message', (reply, { address, port }) => {
      this.replies.push(reply.toString('latin1'));
      this.from.add(`${address} ${port}`);
    });
    cleanUp.push(() => this.#socket.close());
  }

  /** Resolves when the system has it; on loopback that is when it has arrived. */
  async send(query: string, port: number, address = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(Buffer.from(query), port, address, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async replied(count: number): Promise<string[]> {
    const signal = AbortSignal.timeout(5000);
    while (this.replies.length < count) await once(this.#socket, 'message', { signal });
    return this.replies;
  }
}

const nothing = (): void => {};

describe('a batch', { skip: unavailable }, () => {
  it('gives each peer its own replies, when some queries get none as well', async () => {
    const { batch, descriptor } = listen('127.0.0.1');
    const clients = [new Client(), new Client(), new Client()];
    for (let round = 0; round < 3; round++) {
      for (const [i, client] of clients.entries()) {
        await client.send(`${i} ${round}`, descriptor.endpoint.port);
        await client.send('hush'.repeat(round + 1), descriptor.endpoint.port);
      }
      assert.equal(batch.turn(true, nothing, echo), 6);
    }
    for (const [i, client] of clients.entries()) {
      assert.deepEqual(await client.replied(3), [`re:${i} 0`, `re:${i} 1`, `re:${i} 2`]);
    }
  });

  for (const [family, wildcard, asked] of [
    [4, '0.0.0.0', ['127.0.0.1', '127.0.0.9', '127.1.2.3']],
    [6, '::', ['::1']],
  ] as const) {
    it(`answers from the address that was asked behind ${wildcard}`, { skip: family === 6 && !hasIpv6 }, async () => {
      const { batch, descriptor } = listen(wildcard);
      const { port } = descriptor.endpoint;
      const client = new Client(family);
      // A query without a reply in front: addresses move up with their replies.
      await client.send('hush', port, asked[0]);
      for (const address of asked) await client.send(address, port, address);
      assert.equal(batch.turn(true, nothing, echo), asked.length + 1);
      await client.replied(asked.length);
      assert.deepEqual(
        [...client.from],
        asked.map((address) => `${address} ${port}`),
      );
    });
  }

  it('takes 64 at a time, and calls for news between receiving and answering', async () => {
    const { batch, descriptor } = listen('127.0.0.1');
    const client = new Client();
    for (let i = 0; i < 100; i++) await client.send(`${i}`, descriptor.endpoint.port);
    const order: string[] = [];
    const answer: BatchAnswerer = (slot, length, out, client) => {
      order.push('answer');
      return echo(slot, length, out, client);
    };
    const turns = [1, 2, 3].map(() => batch.turn(false, () => order.push('news'), answer));
    assert.deepEqual(turns, [64, 36, 0]);
    assert.deepEqual([order.indexOf('news'), order.lastIndexOf('news'), order.length], [0, 65, 102]);
    assert.deepEqual(new Set(await client.replied(100)), new Set(Array.from({ length: 100 }, (_, i) => `re:${i}`)));
  });

  it('hands over what is empty, what is small again, and what is cut off at 4096 octets', async () => {
    const { batch, descriptor } = listen('127.0.0.1');
    const client = new Client();
    const lengths: number[] = [];
    for (const length of [9000, 0, 4096, 4097, 17]) {
      await client.send('x'.repeat(length), descriptor.endpoint.port);
      batch.turn(true, nothing, (_slot, received) => {
        lengths.push(received);
        return 0;
      });
    }
    assert.deepEqual(lengths, [4096, 0, 4096, 4096, 17]);
  });

  it('sends the largest reply whole', async () => {
    const { batch, descriptor } = listen('127.0.0.1');
    const client = new Client();
    await client.send('query', descriptor.endpoint.port);
    batch.turn(true, nothing, (_slot, _length, out) => out.fill(0x61).length);
    assert.deepEqual(await client.replied(1), ['a'.repeat(4096)]);
  });

  it('comes back by itself when nothing arrives', () => {
    const { batch } = listen('127.0.0.1');
    const startedMs = performance.now();
    assert.equal(batch.turn(true, nothing, echo), 0);
    assert.ok(performance.now() - startedMs < 2000);
  });

  for (const [errno, expected] of [
    [EAGAIN, 0],
    [EINTR, 0],
    [ENOMEM, 0],
    [ENOBUFS, 0],
    [EBADF, -1],
  ] as const) {
    it(`says ${expected} when receiving fails with errno ${errno}, and goes on`, async () => {
      let failing = true;
      const calls: SocketCalls = {
        ...real,
        recvmmsg: (...rest) => (failing ? -1 : real.recvmmsg(...rest)),
        errno: () => (failing ? errno : real.errno()),
      };
      const { batch, descriptor } = listen('127.0.0.1', calls);
      const client = new Client();
      await client.send('query', descriptor.endpoint.port);
      assert.equal(batch.turn(false, nothing, echo), expected);
      failing = false;
      assert.equal(batch.turn(true, nothing, echo), 1);
      assert.deepEqual(await client.replied(1), ['re:query']);
    });
  }

  for (const [errno, replies] of [
    [EPERM, ['re:0', 're:2', 're:3']],
    [EINTR, ['re:0', 're:1', 're:2', 're:3']],
  ] as const) {
    it(`sends ${replies.length} of 4 replies when sending one fails once with errno ${errno}`, async () => {
      const results = [1, -1];
      const calls: SocketCalls = {
        ...real,
        sendmmsg: (fd, messages, count, flags) => {
          const result = results.shift();
          return result === -1 ? -1 : real.sendmmsg(fd, messages, result ?? count, flags);
        },
        errno: () => errno,
      };
      const { batch, descriptor } = listen('127.0.0.1', calls);
      const client = new Client();
      for (let i = 0; i < 4; i++) await client.send(`${i}`, descriptor.endpoint.port);
      assert.equal(batch.turn(true, nothing, echo), 4);
      assert.deepEqual(await client.replied(replies.length), replies);
    });
  }
});
