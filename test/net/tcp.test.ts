// tcp.test.ts -- DNS over TCP on real sockets on loopback, with the clock in the test's hand

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, it } from 'node:test';
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { silentLogger } from '../../src/base/log.ts';
import { FORWARD, TRANSFER } from '../../src/nameserver/verdict.ts';
import type { Answerer, Deferred } from '../../src/net/answerer.ts';
import { ConnectionTable, type StreamLimits } from '../../src/net/connection-table.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const LOOPBACK = { address: '127.0.0.1', port: 0 };
const LIMITS: StreamLimits = {
  maxConnections: 100,
  maxPerSource: 50,
  idleTimeoutMs: 10_000,
  firstQueryTimeoutMs: 10_000,
  writeTimeoutMs: 5000,
};

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** Answers with the query behind `re:`, blown up to 60,000 octets when it begins with `big`; nothing to `hush`. */
const echo: Answerer = (query, _transport, out) => {
  const text = Buffer.from(query).toString('latin1');
  if (text === 'hush') return 0;
  const reply = `re:${text}`;
  const length = text.startsWith('big') ? 60_000 : reply.length;
  return Buffer.from(out.buffer, out.byteOffset, length).fill('.').write(reply, 'latin1') === 0 ? 0 : length;
};

async function setUp(limits: Partial<StreamLimits> = {}) {
  const clock = new FakeClock();
  const table = new ConnectionTable(clock, { ...LIMITS, ...limits });
  let answered = 0;
  const answer: Answerer = (query, transport, out, client) => {
    assert.equal(transport, 'tcp');
    answered += 1;
    return echo(query, transport, out, client);
  };
  const listener = await TcpListener.open(LOOPBACK, {
    answer,
    clock,
    log: silentLogger,
    table,
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= listener.close();
    return closing;
  };
  opened.push({
    close: async () => {
      const closed = close();
      await clock.advance(2000);
      await closed;
    },
  });
  const dial = async (): Promise<StreamClient> => {
    const client = await StreamClient.connect(listener.endpoint);
    opened.push({ close: () => client.socket.destroy() });
    return client;
  };
  /** A client whose connection the server has taken up. */
  const greeted = async (): Promise<StreamClient> => {
    const client = await dial();
    client.socket.write(framed('hello'));
    assert.equal(await client.next(), 're:hello');
    return client;
  };
  return { clock, table, listener, dial, greeted, close, answered: () => answered };
}

/** Until `look` says the same three times in a row. */
async function settled(look: () => number): Promise<number> {
  for (let last = -1, same = 0; ; ) {
    await pause(15);
    same = look() === last ? same + 1 : 0;
    last = look();
    if (same === 3) return last;
  }
}

describe('a TCP connection', () => {
  it('answers, length and message in one segment', async () => {
    const { greeted } = await setUp();
    const client = await greeted();
    assert.deepEqual(client.chunks, [2 + 're:hello'.length]);
  });
  it('answers 1,000 queries of one segment in their order', async () => {
    const { dial, answered } = await setUp();
    const client = await dial();
    const queries = Array.from({ length: 1000 }, (_, i) => `query ${i} ${'x'.repeat(i % 90)}`);
    client.socket.write(Buffer.concat(queries.map(framed)));
    for (const query of queries) assert.equal(await client.next(), `re:${query}`);
    assert.equal(answered(), 1000);
  });
  it('answers octets that dribble in one by one', async () => {
    const { dial } = await setUp();
    const client = await dial();
    for (const octet of Buffer.concat([framed('one'), framed('two')])) {
      client.socket.write(Uint8Array.of(octet));
      await immediate();
    }
    assert.deepEqual([await client.next(), await client.next()], ['re:one', 're:two']);
  });
  it('does not care where segments are cut', async () => {
    const { dial } = await setUp();
    const client = await dial();
    const message = fc.oneof(
      fc.string({ minLength: 1, maxLength: 30, unit: 'binary-ascii' }),
      fc.constant('y'.repeat(3000)),
    );
    const input = fc.array(message, { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(input, fc.array(fc.nat(400), { maxLength: 8 }), async (messages, cuts) => {
        let rest = Buffer.concat(messages.map(framed));
        for (const cut of cuts) {
          client.socket.write(rest.subarray(0, cut));
          rest = rest.subarray(cut);
          await immediate();
        }
        client.socket.write(rest);
        for (const each of messages.filter((text) => text !== 'hush')) {
          const reply = await client.next();
          if (!each.startsWith('big')) assert.equal(reply, `re:${each}`);
        }
      }),
      { numRuns: 60 },
    );
  });
  it('takes the longest message there is', async () => {
    const { dial } = await setUp();
    const client = await dial();
    client.socket.write(framed(`big${'x'.repeat(65_532)}`));
    assert.equal((await client.next())?.length, 60_000);
  });
  it('says nothing where there is nothing to say, and goes on', async () => {
    const { dial } = await setUp();
    const client = await dial();
    client.socket.write(Buffer.concat([framed('hush'), framed('query')]));
    assert.equal(await client.next(), 're:query');
  });
  it('answers what came before the client closed its side, then closes', async () => {
    const { dial } = await setUp();
    const client = await dial();
    client.socket.end(Buffer.concat([framed('one'), framed('two'), framed('cut off').subarray(0, 5)]));
    assert.deepEqual([await client.next(), await client.next(), await client.next()], ['re:one', 're:two', undefined]);
    assert.equal(await client.closed(), undefined);
  });
  it('answers all that came before the client closed its side, even if it takes the replies late', async () => {
    const { dial } = await setUp();
    const client = await dial();
    client.socket.pause();
    client.socket.end(Buffer.concat(Array.from({ length: 300 }, (_, i) => framed(`big ${i} `))));
    await pause(50);
    client.socket.resume();
    for (let i = 0; i < 300; i++) assert.ok((await client.next())?.startsWith(`re:big ${i} `), `reply ${i}`);
    assert.equal(await client.next(), undefined);
    assert.equal(await client.closed(), undefined);
  });
  it('is closed by a message without length, with what was asked before answered', async () => {
    const { dial, answered, listener } = await setUp();
    const client = await dial();
    client.socket.write(Buffer.concat([framed('one'), framed(''), framed('two')]));
    assert.deepEqual([await client.next(), await client.next()], ['re:one', undefined]);
    assert.deepEqual([answered(), listener.connectionCount], [1, 0]);
  });
  it('that is reset in the middle of its replies harms nobody', async () => {
    const { dial, greeted, listener } = await setUp();
    for (let i = 0; i < 5; i++) {
      const client = await dial();
      client.socket.write(Buffer.concat(Array(100).fill(framed('big'))));
      await client.next();
      client.socket.resetAndDestroy();
    }
    const honest = await greeted();
    honest.socket.destroy();
    assert.equal(await settled(() => listener.connectionCount), 0);
  });
  it('works on IPv6', async (t) => {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    if (!all.some(({ address }) => address === '::1')) return t.skip('no ::1 here');
    const endpoint = { address: '::1', port: 0 };
    const listener = await TcpListener.open(endpoint, { answer: echo, clock: new FakeClock(), log: silentLogger });
    opened.push(listener);
    const client = await StreamClient.connect(listener.endpoint);
    client.socket.end(framed('query'));
    assert.equal(await client.next(), 're:query');
    await client.closed();
  });
});

describe('patience ends', () => {
  it('with a client that asks nothing: both sides close in order', async () => {
    const { clock, greeted, listener } = await setUp();
    const client = await greeted();
    await clock.advance(10_000);
    assert.equal(listener.connectionCount, 1);
    await clock.advance(1000);
    assert.equal(await client.next(), undefined);
    client.socket.end();
    assert.equal(await client.closed(), undefined);
  });
  it('with one that does not close its own side then', async () => {
    const { clock, greeted, listener } = await setUp();
    const client = await greeted();
    await clock.advance(11_000);
    assert.equal(await client.next(), undefined);
    assert.equal(listener.connectionCount, 1);
    await clock.advance(3000);
    assert.equal(listener.connectionCount, 0);
  });
  it('with one that announces 65,535 octets and says no more', async () => {
    const { clock, dial, listener, greeted } = await setUp();
    const client = await dial();
    client.socket.write(Uint8Array.of(255, 255, 1));
    const honest = await greeted();
    await clock.advance(9000);
    honest.socket.write(framed('query'));
    assert.equal(await honest.next(), 're:query');
    assert.equal(listener.connectionCount, 2);
    await clock.advance(2000);
    assert.equal(await client.next(), undefined);
    assert.equal(listener.connectionCount, 1);
  });
  it('with one that dribbles: an octet is no sign of life', async () => {
    const { clock, greeted, listener } = await setUp();
    const client = await greeted();
    for (let second = 0; second < 13 && listener.connectionCount > 0; second++) {
      client.socket.write(Uint8Array.of(1));
      await pause(2);
      await clock.advance(1000);
    }
    assert.equal(listener.connectionCount, 0);
  });
  it('with nobody who keeps asking', async () => {
    const { clock, greeted } = await setUp();
    const client = await greeted();
    for (let i = 0; i < 6; i++) {
      await clock.advance(9000);
      client.socket.write(framed(`query ${i}`));
      assert.equal(await client.next(), `re:query ${i}`);
    }
  });
  it('with one that takes no replies, after the write timeout', async () => {
    const { clock, dial, listener, answered } = await setUp();
    const client = await dial();
    client.socket.pause();
    client.socket.on('error', () => {});
    client.socket.write(Buffer.concat(Array(2000).fill(framed('big'))));
    const count = await settled(answered);
    assert.ok(count < 500, `${count} replies of 60,000 octets made for a client that reads none`);
    await clock.advance(5000);
    assert.equal(listener.connectionCount, 1);
    await clock.advance(2000);
    assert.equal(listener.connectionCount, 0);
  });
});

describe('a client that does not take its replies', () => {
  it('is not read from, and gets everything in order when it does', async () => {
    const { dial, answered } = await setUp();
    const client = await dial();
    client.socket.pause();
    const total = 1000;
    client.socket.write(Buffer.concat(Array.from({ length: total }, (_, i) => framed(`big ${i} `))));
    const before = process.memoryUsage().arrayBuffers;
    assert.ok((await settled(answered)) < 500);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 2 ** 20, 'replies are not piled up here');
    client.socket.resume();
    for (let i = 0; i < total; i++) assert.ok((await client.next())?.startsWith(`re:big ${i} `), `reply ${i}`);
  });
  it('does not keep others waiting', async () => {
    const { dial, greeted } = await setUp();
    for (let i = 0; i < 3; i++) {
      const client = await dial();
      client.socket.pause();
      client.socket.write(Buffer.concat(Array(500).fill(framed('big'))));
    }
    await greeted();
  });
});

describe('at the most connections', () => {
  it('one more makes the longest idle give way', async () => {
    const { clock, greeted, listener } = await setUp({ maxConnections: 3 });
    const clients: StreamClient[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(await greeted());
      await clock.advance(10);
    }
    clients[0]!.socket.write(framed('still here'));
    assert.equal(await clients[0]!.next(), 're:still here');
    const newcomer = await greeted();
    assert.equal(await clients[1]!.next(), undefined);
    assert.equal(listener.connectionCount, 3);
    for (const client of [clients[0]!, clients[2]!, newcomer]) {
      client.socket.write(framed('query'));
      assert.equal(await client.next(), 're:query');
    }
  });
  it('a flood of silent ones keeps nobody from asking', async () => {
    const { greeted, dial, listener } = await setUp({ maxConnections: 10 });
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 10 }, dial));
      await greeted();
      assert.ok(listener.connectionCount <= 10);
    }
  });
});

describe('what is seen to later', () => {
  /** Forwards `up...`, transfers `zone...`, echoes the rest. */
  async function setUpDeferred() {
    const clock = new FakeClock();
    const table = new ConnectionTable(clock, LIMITS);
    const replies: ((message: Uint8Array) => void)[] = [];
    let made = 0;
    const zone = function* (): Generator<Uint8Array> {
      for (; made < 1000; made++) yield Buffer.from(`${made} `.padEnd(20_000, '.'));
    };
    const deferred: Deferred = {
      forward: (_query, _transport, _client, reply) => void replies.push(reply),
      transfer: () => zone(),
    };
    const answer: Answerer = (query, transport, out, client) => {
      const text = String(Buffer.from(query));
      return text.startsWith('up') ? FORWARD : text.startsWith('zone') ? TRANSFER : echo(query, transport, out, client);
    };
    const listener = await TcpListener.open(LOOPBACK, { answer, deferred, clock, log: silentLogger, table });
    opened.push({
      close: async () => {
        const closed = listener.close();
        await clock.advance(2000);
        await closed;
      },
    });
    const client = await StreamClient.connect(listener.endpoint);
    client.socket.on('error', () => {});
    opened.push({ close: () => client.socket.destroy() });
    return { clock, table, client, replies, made: () => made };
  }

  it('a slow upstream holds up no other reply, however long it takes', async () => {
    const { clock, client, replies } = await setUpDeferred();
    client.socket.write(Buffer.concat([framed('one'), framed('up'), framed('two')]));
    assert.deepEqual([await client.next(), await client.next()], ['re:one', 're:two']);
    await clock.advance(30_000);
    replies[0]!(Buffer.from('late'));
    assert.equal(await client.next(), 'late');
  });
  it('a client that closed its side gets the late reply, then the end', async () => {
    const { client, replies } = await setUpDeferred();
    client.socket.end(Buffer.concat([framed('up'), framed('one')]));
    assert.equal(await client.next(), 're:one');
    replies[0]!(Buffer.from('late'));
    assert.deepEqual([await client.next(), await client.next()], ['late', undefined]);
  });
  it('a reply for a client that has gone harms nobody', async () => {
    const { client, replies, table } = await setUpDeferred();
    client.socket.write(Buffer.concat([framed('up'), framed('one')]));
    await client.next();
    client.socket.resetAndDestroy();
    await settled(() => table.size);
    assert.equal(table.size, 0);
    replies[0]!(Buffer.from('late'));
  });
  it('only so many questions of one client wait at once', async () => {
    const { client, replies } = await setUpDeferred();
    client.socket.write(Buffer.concat(Array(100).fill(framed('up'))));
    assert.equal(await settled(() => replies.length), 32);
    for (let i = 0; i < 100; i++) {
      while (replies.length <= i) await immediate();
      replies[i]!(Buffer.from(`${i}`));
      assert.equal(await client.next(), `${i}`);
    }
  });
  it('a zone is made as it is taken, and what is asked behind it waits', async () => {
    const { client, made } = await setUpDeferred();
    client.socket.pause();
    client.socket.write(Buffer.concat([framed('zone'), framed('one')]));
    const before = await settled(made);
    assert.ok(before > 0 && before < 900, `${before} messages made for a client that reads none`);
    client.socket.resume();
    for (let i = 0; i < 1000; i++) assert.ok((await client.next())?.startsWith(`${i} `), `message ${i}`);
    assert.equal(await client.next(), 're:one');
  });
  it('a zone that nobody takes is dropped after the write timeout', async () => {
    const { client, made, clock, table } = await setUpDeferred();
    client.socket.pause();
    client.socket.write(framed('zone'));
    await settled(made);
    await clock.advance(7000);
    assert.deepEqual([table.size, table.droppedCount('unread')], [0, 1]);
  });
});

describe('a siege', () => {
  it('of one that asks 5,000 questions at once keeps nobody waiting until they are answered', async () => {
    const { dial, greeted, answered } = await setUp();
    const flooder = await dial();
    const honest = await greeted();
    const before = answered();
    flooder.socket.write(Buffer.concat(Array(5000).fill(framed('flood'))));
    while (answered() === before) await immediate();
    honest.socket.write(framed('query'));
    assert.equal(await honest.next(), 're:query');
    assert.ok(answered() < before + 5000, `${answered() - before} were answered first`);
    for (let i = 0; i < 5000; i++) assert.equal(await flooder.next(), 're:flood', `reply ${i}`);
  });
  it('of unfinished messages holds 4 MiB at most, and honest long messages pass', async () => {
    const { dial, table, greeted } = await setUp({ maxConnections: 300 });
    const long = framed('x'.repeat(60_000));
    for (let i = 0; i < 200; i++) {
      const client = await dial();
      client.socket.on('error', () => {});
      client.socket.write(long.subarray(0, 59_000));
    }
    await settled(() => table.droppedCount('memory'));
    assert.ok(table.held.total <= 4 * 2 ** 20, `${table.held.total} octets held`);
    assert.ok(table.droppedCount('memory') > 0, 'some gave way');
    const honest = await greeted();
    honest.socket.write(long);
    assert.equal((await honest.next())?.length, 60_003);
  });
  it('of lengths without messages costs next to nothing', async () => {
    const { dial, table, listener } = await setUp();
    for (let i = 0; i < 50; i++) (await dial()).socket.write(Uint8Array.of(255, 255, 1));
    await settled(() => table.held.total);
    assert.equal(listener.connectionCount, 50);
    assert.ok(table.held.total <= 50 * 256, `${table.held.total} octets held`);
  });
  it('of silence ends before the time that those have who asked', async () => {
    const { clock, dial, greeted, listener } = await setUp({ firstQueryTimeoutMs: 3000 });
    const silent = await dial();
    const honest = await greeted();
    await clock.advance(4000);
    assert.equal(await silent.next(), undefined);
    honest.socket.write(framed('query'));
    assert.equal(await honest.next(), 're:query');
    silent.socket.destroy();
    assert.equal(await settled(() => listener.connectionCount), 1);
  });
});

describe('close', () => {
  it('answers what has arrived, lets the replies be taken, and takes no more queries', async () => {
    const { dial, close, listener, answered } = await setUp();
    const client = await dial();
    client.socket.pause();
    client.socket.write(Buffer.concat(Array(50).fill(framed('big'))));
    await settled(answered);
    const closed = close();
    client.socket.resume();
    for (let i = 0; i < 50; i++) assert.equal((await client.next())?.length, 60_000, `reply ${i}`);
    assert.equal(await client.next(), undefined);
    client.socket.write(framed('too late'));
    client.socket.end();
    assert.equal(await client.closed(), undefined);
    await closed;
    assert.deepEqual([await settled(() => listener.connectionCount), answered()], [0, 50]);
    await assert.rejects(StreamClient.connect(listener.endpoint), { code: 'ECONNREFUSED' });
  });
  it('answers what the system has received and nobody has read yet', async () => {
    const { greeted, close, answered } = await setUp();
    const clients = [await greeted(), await greeted()];
    const before = answered();
    for (const { socket } of clients) socket.write(Buffer.concat(Array(100).fill(framed('hello'))));
    const closed = close();
    for (const client of clients) {
      for (let i = 0; i < 100; i++) assert.equal(await client.next(), 're:hello', `reply ${i}`);
      assert.equal(await client.next(), undefined);
      client.socket.end();
    }
    await closed;
    assert.equal(answered() - before, 200);
  });
  it('does not wait for clients that never close', async () => {
    const { clock, greeted, close, listener } = await setUp();
    const client = await greeted();
    const closed = close();
    assert.equal(await client.next(), undefined);
    assert.equal(listener.connectionCount, 1);
    await clock.advance(1000);
    await closed;
    assert.deepEqual([await settled(() => listener.connectionCount), clock.pendingCount], [0, 0]);
  });
});

describe('a TCP listener that cannot be opened says why', () => {
  const options = { answer: echo, clock: new FakeClock(), log: silentLogger };
  it('when the port is taken', async () => {
    const { listener } = await setUp();
    const { port } = listener.endpoint;
    await assert.rejects(TcpListener.open(listener.endpoint, options), {
      code: 'EADDRINUSE',
      message: `listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    });
    assert.equal(options.clock.pendingCount, 0);
  });
  it('when the port is not for everybody', async (t) => {
    if (process.platform !== 'linux') return t.skip('ports below 1024 may be free to take here');
    const firstFree = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    if (firstFree < 2) return t.skip('every port may be taken by everybody here');
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      await assert.rejects(TcpListener.open({ address: '127.0.0.1', port: 1 }, options), {
        code: 'EACCES',
        message: 'listen EACCES: permission denied 127.0.0.1:1',
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

it('a wildcard serves every address, in its own family only', async () => {
  const endpoint = { address: '0.0.0.0', port: 0 };
  const listener = await TcpListener.open(endpoint, { answer: echo, clock: new FakeClock(), log: silentLogger });
  opened.push(listener);
  for (const address of ['127.0.0.1', '127.0.0.9']) {
    const client = await StreamClient.connect({ ...listener.endpoint, address });
    client.socket.end(framed(address));
    assert.equal(await client.next(), `re:${address}`);
  }
  const six = connect(listener.endpoint.port, '::1');
  const [error] = (await once(six, 'error')) as [NodeJS.ErrnoException];
  assert.ok(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH'].includes(error.code ?? ''), error.code);
});
