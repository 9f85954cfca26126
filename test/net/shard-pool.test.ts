// shard-pool.test.ts -- worker threads behind shared sockets: told, replaced, ended, and nothing of theirs left behind

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { ShardPool } from '../../src/net/shard-pool.ts';
import { loadSocketCalls, type SocketCalls } from '../../src/net/socket-calls.ts';
import type { UdpSide } from '../../src/net/udp-side.ts';
import type { EchoNews } from '../support/echo-shard.ts';

const loaded = loadSocketCalls();
const unavailable = typeof loaded === 'string' ? `no shards here: ${loaded}` : false;
const calls = loaded as SocketCalls;

const ECHO = new URL('../support/echo-shard.ts', import.meta.url);
const EADDRINUSE = 98;
const LOOPBACK = { address: '127.0.0.1', port: 0 };

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
});

interface Started {
  readonly pool: ShardPool;
  /** How often shards were started, the first time included. */
  readonly starts: () => number;
  readonly replaced: () => number;
  /** What shards are told, and their successors too. */
  readonly say: (text: string) => void;
}

interface PoolParts {
  readonly script?: URL;
  readonly leaveTimeoutMs?: number;
  readonly watchMs?: number;
  readonly calls?: SocketCalls;
  /** Called for each briefing, before anything is told. */
  readonly onBriefing?: () => void;
}

function startPool(count: number, options: PoolParts = {}): Started {
  let starts = 0;
  let replaced = 0;
  let text = '';
  const pool = new ShardPool({
    calls: options.calls ?? calls,
    count,
    script: options.script ?? ECHO,
    log: silentLogger,
    ...(options.leaveTimeoutMs === undefined ? {} : { leaveTimeoutMs: options.leaveTimeoutMs }),
    ...(options.watchMs === undefined ? {} : { watchMs: options.watchMs }),
    extra: () => ++starts,
    briefing: () => {
      options.onBriefing?.();
      return [{ op: 'say', text } satisfies EchoNews];
    },
    onReplaced: () => replaced++,
  });
  cleanUp.push(() => pool.close());
  const say = (next: string): void => {
    text = next;
    pool.post({ op: 'say', text } satisfies EchoNews);
  };
  return { pool, starts: () => starts, replaced: () => replaced, say };
}

class Client {
  readonly #socket = dgram.createSocket('udp4');
  readonly replies: string[] = [];

  constructor() {
    this.#socket.on('message', (reply) => this.replies.push(reply.toString('latin1')));
    cleanUp.push(() => this.#socket.close());
  }

  async send(query: string, { endpoint }: UdpSide): Promise<void> {
    await new Promise((resolve) => this.#socket.send(query, endpoint.port, endpoint.address, resolve));
  }

  async replied(count: number): Promise<string[]> {
    const signal = AbortSignal.timeout(10_000);
    while (this.replies.length < count) await once(this.#socket, 'message', { signal });
    return this.replies;
  }

  async ask(query: string, side: UdpSide): Promise<string> {
    await this.send(query, side);
    return (await this.replied(this.replies.length + 1)).at(-1)!;
  }
}

/** Asks from new sockets until each of `count` shards has answered; returns what they said. */
async function askAll(side: UdpSide, count: number): Promise<Set<string>> {
  const replies = new Set<string>();
  for (let i = 0; i < 200 && replies.size < count; i++) replies.add(await new Client().ask('?', side));
  return replies;
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, 'it takes too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * A socket of somebody else's, not blocking, as all of Node's own: a shard that waits inside a system call for one that
 * blocks can be neither told nor ended.
 */
function openStranger(): number {
  const [AF_INET, SOCK_DGRAM, SOCK_NONBLOCK] = [2, 2, 0o4000] as const;
  return calls.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}

/** How many sockets this process has. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').filter(isSocket).length;
}

function isSocket(fd: number | string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
  } catch {
    return false;
  }
}

describe('a pool of shards', { skip: unavailable }, () => {
  it('answers at several endpoints, each shard at each of them, with what it was told last', async () => {
    const { pool, say } = startPool(2);
    const sides = [pool.open(LOOPBACK), pool.open(LOOPBACK), pool.open({ address: '0.0.0.0', port: 0 })];
    for (const text of ['one:', 'two:']) {
      say(text);
      for (const { endpoint, ...rest } of sides) {
        const side = { endpoint: { ...endpoint, address: '127.0.0.1' }, ...rest };
        assert.deepEqual(await askAll(side, 2), new Set([`0${text}?`, `1${text}?`]));
      }
    }
    await sides[0]!.close();
    assert.deepEqual(await askAll(sides[1]!, 2), new Set(['0two:?', '1two:?']), 'the others go on');
  });

  it('answers what had arrived when a listener is closed, under load as well', async () => {
    const { pool } = startPool(2);
    const [leaving, staying] = [pool.open(LOOPBACK), pool.open(LOOPBACK)];
    await askAll(staying, 2);
    const clients = Array.from({ length: 8 }, () => new Client());
    // Several batches for each shard, all there before it hears of the close.
    pool.post({ op: 'nap', ms: 400 } satisfies EchoNews);
    for (let i = 0; i < 50; i++) for (const client of clients) await client.send(`${i}`, leaving);
    await leaving.close();
    for (const client of clients) assert.equal(new Set(await client.replied(50)).size, 50);
  });

  it('holds its endpoint alone, and lets go of it', async () => {
    const sockets = openSockets();
    const { pool } = startPool(2);
    const side = pool.open(LOOPBACK);
    const other = startPool(1).pool;
    assert.throws(() => other.open(side.endpoint), { code: 'EADDRINUSE' });
    await side.close();
    const again = other.open(side.endpoint);
    assert.equal(again.endpoint.port, side.endpoint.port);
    await Promise.all([pool.close(), other.close()]);
    assert.equal(openSockets(), sockets, 'no socket is left open');
  });

  it('brings shards back with what they have to know, and with listeners opened meanwhile', async () => {
    const { pool, say, replaced } = startPool(2);
    const before = pool.open(LOOPBACK);
    say('told:');
    await askAll(before, 2);
    pool.post({ op: 'die' });
    const meanwhile = pool.open(LOOPBACK);
    const both = new Set(['0told:?', '1told:?']);
    // What a shard has received when it dies is lost with it.
    await until(() => replaced() === 2);
    for (const side of [before, meanwhile]) assert.deepEqual(await askAll(side, 2), both);
    // Closed while nobody is there.
    pool.post({ op: 'die' });
    await before.close();
    assert.deepEqual(await askAll(meanwhile, 2), both);
  });

  it('opens sockets anew that were closed under it, and leaves those alone that took their numbers', async () => {
    const { pool, replaced } = startPool(2);
    const side = pool.open(LOOPBACK);
    await askAll(side, 2);
    const lost = pool.descriptors();
    for (const fd of lost) calls.close(fd);
    // Whoever opens a socket now gets one of the numbers.
    const strangers = lost.map(openStranger);
    cleanUp.push(() => strangers.forEach((fd) => void calls.close(fd)));
    assert.deepEqual([...strangers].sort(), [...lost].sort());
    // Nothing arrives at the strangers, so shards cannot notice by themselves.
    pool.post({ op: 'die' });
    await until(() => replaced() === 2);
    assert.deepEqual(await askAll(side, 2), new Set(['0?', '1?']));
    await pool.close();
    for (const fd of strangers) assert.ok(isSocket(fd), `${fd} is open`);
  });

  it('notices by itself that its sockets are gone when their numbers are in use again', async () => {
    const { pool, replaced } = startPool(2, { watchMs: 50 });
    const side = pool.open(LOOPBACK);
    await askAll(side, 2);
    const lost = pool.descriptors();
    for (const fd of lost) calls.close(fd);
    const strangers = lost.map(openStranger);
    cleanUp.push(() => strangers.forEach((fd) => void calls.close(fd)));
    assert.deepEqual([...strangers].sort(), [...lost].sort());
    await until(() => replaced() === 2);
    assert.deepEqual(await askAll(side, 2), new Set(['0?', '1?']));
    for (const fd of strangers) assert.ok(isSocket(fd), `${fd} is open`);
  });

  it('goes on elsewhere while a lost socket cannot be opened anew, and tries until it can', async () => {
    let isTaken = false;
    const refusing: SocketCalls = {
      ...calls,
      bind: (...rest) => (isTaken ? -1 : calls.bind(...rest)),
      errno: () => (isTaken ? EADDRINUSE : calls.errno()),
    };
    const { pool, replaced } = startPool(1, { watchMs: 50, calls: refusing });
    const [lost, other] = [pool.open(LOOPBACK), pool.open(LOOPBACK)];
    await askAll(lost, 1);
    isTaken = true;
    calls.close(pool.descriptors()[0]!);
    const stranger = openStranger();
    cleanUp.push(() => void calls.close(stranger));
    await until(() => replaced() === 1);
    assert.deepEqual(await askAll(other, 1), new Set(['0?']));
    assert.equal(pool.descriptors().includes(stranger), false, 'the shard does not read from who has the number');
    // Several looks later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(replaced(), 1, 'no shard is ended for a socket that it does not have');
    isTaken = false;
    await until(() => pool.descriptors().length === 2);
    assert.deepEqual(await askAll(lost, 1), new Set(['0?']));
    assert.equal(replaced(), 1);
  });

  it('ends a shard that cannot be told everything, and starts one other in its place', async () => {
    let isBroken = false;
    const { pool, starts, replaced } = startPool(1, {
      onBriefing: () => {
        if (!isBroken) return;
        isBroken = false;
        throw new Error('no');
      },
    });
    const side = pool.open(LOOPBACK);
    await askAll(side, 1);
    isBroken = true;
    pool.post({ op: 'die' });
    await until(() => replaced() === 2);
    assert.deepEqual(await askAll(side, 1), new Set(['0?']));
    assert.equal(starts(), 3);
  });

  it('closes none but its own sockets, even when it has not noticed yet that they are gone', async () => {
    const { pool } = startPool(1);
    const side = pool.open(LOOPBACK);
    await askAll(side, 1);
    const [lost] = pool.descriptors();
    calls.close(lost!);
    const stranger = openStranger();
    cleanUp.push(() => void calls.close(stranger));
    assert.equal(stranger, lost);
    await pool.close();
    assert.ok(isSocket(stranger));
  });

  it('ends a shard that does not let go of a socket, before the socket is closed', async () => {
    const { pool, replaced } = startPool(1, { leaveTimeoutMs: 300 });
    const [stuck, other] = [pool.open(LOOPBACK), pool.open(LOOPBACK)];
    await askAll(stuck, 1);
    const fds = pool.descriptors();
    pool.post({ op: 'hang' } satisfies EchoNews);
    await stuck.close();
    assert.equal(openSockets() > 0 && pool.descriptors().length, 1);
    assert.ok(pool.descriptors().every((fd) => fds.includes(fd)));
    await until(() => replaced() === 1);
    assert.deepEqual(await askAll(other, 1), new Set(['0?']));
  });

  it('ends a shard that does not stop, though it listens nowhere', async () => {
    const { pool, replaced } = startPool(2, { leaveTimeoutMs: 300 });
    await askAll(pool.open(LOOPBACK), 2);
    await pool.open(LOOPBACK).close();
    pool.post({ op: 'hang' } satisfies EchoNews);
    await pool.close();
    assert.equal(replaced(), 0);
  });

  it('waits longer and longer for a shard that cannot live, and closes all the same', async () => {
    const { pool, starts } = startPool(1, { script: new URL('data:text/javascript,throw new Error("no")') });
    pool.open(LOOPBACK);
    await until(() => starts() >= 4);
    const before = starts();
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.ok(starts() - before <= 1, `${starts()} starts`);
    const startedMs = performance.now();
    await pool.close();
    await pool.close();
    assert.ok(performance.now() - startedMs < 5000, 'nobody is waited for');
  });
});
