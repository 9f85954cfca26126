// answer-paths.ts -- the same messages to the query handler in process, to a UDP shard and to node:dgram, and compared

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { silentLogger } from '../../src/base/log.ts';
import type { Random } from '../../src/base/random.ts';
import { createCursorMemory } from '../../src/nameserver/cursors.ts';
import { DROP_REASONS, type QueryCounters } from '../../src/nameserver/query-counters.ts';
import { createRateLimitMemory } from '../../src/nameserver/rate-limit.ts';
import { ServicePlaces } from '../../src/nameserver/service-places.ts';
import { UdpListener } from '../../src/net/udp.ts';
import { Shards } from '../../src/wiring/shards.ts';
import type { Address } from './built-server.ts';
import type { NameServer } from './name-server.ts';
import { CORPUS_SETTINGS, openCorpusServer, queryCorpus } from './query-corpus.ts';
import { hexOf, octets } from './wire.ts';

/** What a shard reads of a datagram. */
const SHARD_SLOT_BYTES = 4096;
/** At once under way; well within every buffer. */
const BATCH = 50;
/** REFUSED on every path, so a reply that comes behind all others tells that there will be no more. */
const LAST = octets('0000 0100 0001 0000 0000 0000 06 6f72646572 04 7a7a7a7a 00 0001 0001');
const PATIENCE_MS = 10_000;
const BUFFER_BYTES = 4 * 1024 * 1024;

/** Three equal servers behind three paths. Every message goes through each of them once, so that turns stay equal. */
export class AnswerPaths {
  readonly #reference: NameServer;
  readonly #shards: Shards;
  readonly #dgram: NameServer;
  readonly #paths: readonly Path[];

  private constructor(reference: NameServer, shards: Shards, dgram: NameServer, paths: readonly Path[]) {
    this.#reference = reference;
    this.#shards = shards;
    this.#dgram = dgram;
    this.#paths = paths;
  }

  static async open(scope: { after(cleanup: () => unknown): void }): Promise<AnswerPaths> {
    const [reference, dgram] = [await openCorpusServer(), await openCorpusServer()];
    const { registry, plan } = reference;
    const places = new ServicePlaces();
    const shards = Shards.start({
      workers: 1,
      cursorMemory: createCursorMemory(1 << 12),
      limits: { memory: createRateLimitMemory(), seed: 1 },
      places,
      log: silentLogger,
    });
    assert.ok(typeof shards !== 'string', 'shards can be started');
    scope.after(() => shards.pool.close());
    shards.setView(plan, CORPUS_SETTINGS);
    shards.introduce(registry);
    shards.setState({ serialOffset: registry.sequence, isLoaded: true, isStale: false });
    const endpoint = { address: '127.0.0.1', port: 0 };
    const side = shards.pool.open(endpoint);
    const respond = dgram.handler.respond.bind(dgram.handler);
    const listener = await UdpListener.open(endpoint, { answer: respond, log: silentLogger });
    scope.after(() => listener.close());
    const paths = [
      await Path.open('a shard', side.endpoint, SHARD_SLOT_BYTES),
      await Path.open('node:dgram', listener.endpoint, 65_535),
    ];
    for (const path of paths) scope.after(() => path.close());
    return new AnswerPaths(reference, shards, dgram, paths);
  }

  /** Put `count` messages, and all that once went wrong, to the paths; throws at the first reply that differs. */
  async fuzz(random: Random, count: number, onProgress: (done: number) => void = () => {}): Promise<number> {
    let batch: Uint8Array[] = [];
    let done = 0;
    for (const message of queryCorpus(random, count)) {
      if (batch.push(message) < BATCH) continue;
      done += await this.#exchange(batch);
      batch = [];
      onProgress(done);
    }
    return done + (await this.#exchange(batch));
  }

  /** One message alone, of any size. */
  async send(message: Uint8Array): Promise<void> {
    await this.#exchange([message]);
  }

  /** Throws when what was counted differs from what the handler in process counted. */
  assertSameCounts(): void {
    const [shard, ...others] = this.#shards.counters();
    assert.ok(shard !== undefined && others.length === 0, 'one shard');
    const expected = countsOf(this.#reference.counters);
    assert.deepEqual(countsOf(this.#dgram.counters), expected, 'node:dgram counts the same');
    assert.deepEqual(countsOf(shard), expected, 'a shard counts the same');
    assert.deepEqual([this.#reference.failures, this.#dgram.failures], [[], []]);
    assert.equal(this.#shards.replaced, 0, 'no shard died');
  }

  async #exchange(messages: readonly Uint8Array[]): Promise<number> {
    const numbered = [...messages, LAST].map((message, i) => withId(message, i));
    const whole = numbered.map((message) => this.#reference.respond(message));
    for (const path of this.#paths) {
      const isCut = numbered.some(({ length }) => length > path.reads);
      assert.ok(!isCut || messages.length === 1, 'what is cut off is sent alone');
      // No turn is taken by what is malformed, so asking again changes nothing.
      const expected = isCut ? numbered.map((each) => this.#reference.respond(each.subarray(0, path.reads))) : whole;
      await path.exchange(numbered, expected);
    }
    return messages.length;
  }
}

/** A socket to one of the servers. */
class Path {
  readonly reads: number;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #replies: Buffer[] = [];

  private constructor(name: string, socket: Socket, reads: number) {
    this.#name = name;
    this.#socket = socket;
    this.reads = reads;
    socket.on('message', (reply) => this.#replies.push(reply));
  }

  static async open(name: string, server: Address, reads: number): Promise<Path> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
    socket.connect(server.port, server.address);
    await once(socket, 'connect');
    return new Path(name, socket, reads);
  }

  /** Send all; compare what comes back until the last one is answered. */
  async exchange(messages: readonly Uint8Array[], expected: readonly (Uint8Array | undefined)[]): Promise<void> {
    this.#replies.length = 0;
    for (const message of messages) this.#socket.send(message);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const last = messages.length - 1;
    while (this.#replies.at(-1)?.readUInt16BE(0) !== last) {
      await once(this.#socket, 'message', { signal }).catch(() => {
        throw new Error(`${this.#name} is silent after one of\n${messages.map(hexOf).join('\n')}`);
      });
    }
    for (const [i, message] of messages.entries()) {
      const mine = this.#replies.filter((reply) => reply.readUInt16BE(0) === i).map(comparable);
      const wanted = expected[i] === undefined ? [] : [comparable(expected[i])];
      assert.deepEqual(mine, wanted, `${this.#name} answers differently: ${hexOf(message)}`);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Hexadecimal, without what hangs on the time of day: when a server cookie was made, and its hash. */
function comparable(reply: Uint8Array): string {
  return hexOf(reply).replace(/(?<=000a0018.{16}01000000).{24}/g, 'cookie');
}

/** The message with a number for its id, where it has one, so that replies can be told apart. */
function withId(message: Uint8Array, id: number): Uint8Array {
  const numbered = new Uint8Array(message);
  if (numbered.length >= 2) numbered.set([id >> 8, id & 0xff]);
  return numbered;
}

function countsOf(counters: QueryCounters): object {
  return {
    queries: [...counters.queries()],
    dropped: DROP_REASONS.map((reason) => `${reason} ${counters.droppedCount(reason)}`),
    unknownNames: counters.unknownNames,
    failures: counters.failures,
  };
}
