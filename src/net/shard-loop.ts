// shard-loop.ts -- what a shard does all its life: receive, take in news, answer, send
//
// The loop blocks its thread, so nothing else of Node runs here: news is fetched by hand, and a timeout on the sockets
// brings the loop back to look at its stop flag.

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { BatchAnswerer } from './answerer.ts';
import { CONTROL, type ShardReport, type SocketNews } from './shard-pool.ts';
import type { AskedDatagram } from './shard-questions.ts';
import { POLLIN, type SocketCalls } from './socket-calls.ts';
import { UdpBatch } from './udp-batch.ts';

const IDLE_MS = 100;
const POLLFD_BYTES = 8;
/** A socket that is left is read this often at most: as much as its buffer can hold. What comes later finds it closed. */
const MAX_LAST_TURNS = 256;

export interface ShardLoopOptions {
  readonly calls: SocketCalls;
  readonly control: Int32Array;
  readonly port: MessagePort;
  readonly answer: BatchAnswerer;
  /** News that is not about sockets. */
  onNews(news: unknown): void;
  /** Called before a batch is answered, and before the news that came until then is taken in. */
  onBatch(): void;
  /** A datagram was dropped because it came from port 0. */
  onPortZero(): void;
  /** A datagram that others answer. Returns the length of a reply in `out` after all, when they cannot. */
  onForward(asked: AskedDatagram, out: Uint8Array): number;
}

/** Runs until the stop flag is up. Throws when a socket is broken: the pool then starts a shard in its place. */
export class ShardLoop {
  readonly #options: ShardLoopOptions;
  readonly #sockets = new Map<number, UdpBatch>();
  /** Sockets to let go of, between two turns. */
  readonly #leaving: number[] = [];
  /** An array of pollfd, in the order of `#sockets`. */
  #descriptors = new DataView(new ArrayBuffer(0));
  #descriptorOctets = new Uint8Array(this.#descriptors.buffer);
  #seenNews = -1;

  constructor(options: ShardLoopOptions) {
    this.#options = options;
  }

  run(): void {
    const { control } = this.#options;
    // Made once: the loop must not allocate. State first: when it says that all is loaded, that is among the news.
    const prepare = (): void => {
      this.#options.onBatch();
      this.#takeNews();
    };
    while (Atomics.load(control, CONTROL.STOP) === 0) {
      this.#takeNews();
      for (let fd = this.#leaving.pop(); fd !== undefined; fd = this.#leaving.pop()) this.#leave(fd, prepare);
      // Not in a loop over the sockets: news may bring others, and those must not be waited for here.
      if (this.#sockets.size === 1) this.#turn(this.#sockets.values().next().value!, true, prepare);
      else if (this.#sockets.size === 0) Atomics.wait(control, CONTROL.STOP, 0, IDLE_MS / 10);
      else this.#poll(prepare);
    }
  }

  #poll(prepare: () => void): void {
    if (this.#options.calls.poll(this.#descriptorOctets, this.#sockets.size, IDLE_MS) <= 0) return;
    const descriptors = this.#descriptors;
    let at = 0;
    for (const batch of this.#sockets.values()) {
      // News may have brought another socket since.
      if (at === descriptors.byteLength) break;
      const events = descriptors.getInt16(at + 6, true);
      if (events !== 0) this.#turn(batch, false, prepare);
      at += POLLFD_BYTES;
    }
  }

  #layOutDescriptors(): void {
    this.#descriptors = new DataView(new ArrayBuffer(this.#sockets.size * POLLFD_BYTES));
    this.#descriptorOctets = new Uint8Array(this.#descriptors.buffer);
    for (const [i, fd] of [...this.#sockets.keys()].entries()) {
      this.#descriptors.setInt32(i * POLLFD_BYTES, fd, true);
      this.#descriptors.setInt16(i * POLLFD_BYTES + 4, POLLIN, true);
    }
  }

  #turn(batch: UdpBatch, wait: boolean, prepare: () => void): void {
    const count = batch.turn(wait, prepare, this.#options.answer);
    if (count < 0) throw new Error(`a UDP socket is broken (errno ${this.#options.calls.errno()})`);
  }

  #takeNews(): void {
    const { control, port } = this.#options;
    const count = Atomics.load(control, CONTROL.NEWS);
    if (count === this.#seenNews) return;
    this.#seenNews = count;
    for (let received = receiveMessageOnPort(port); received !== undefined; received = receiveMessageOnPort(port)) {
      this.#take(received.message as SocketNews);
    }
  }

  #take(news: SocketNews): void {
    if (news.op === 'listen') {
      const { calls } = this.#options;
      this.#sockets.set(news.descriptor.fd, new UdpBatch(calls, news.descriptor, this.#options));
      this.#layOutDescriptors();
    } else if (news.op === 'unlisten') this.#leaving.push(news.fd);
    else this.#options.onNews(news);
  }

  /** Answer what has arrived, then let go. */
  #leave(fd: number, prepare: () => void): void {
    const batch = this.#sockets.get(fd);
    this.#sockets.delete(fd);
    this.#layOutDescriptors();
    for (let turns = 0; batch !== undefined && turns < MAX_LAST_TURNS; turns++) {
      if (batch.turn(false, prepare, this.#options.answer) <= 0) break;
    }
    this.#options.port.postMessage({ unlistened: fd } satisfies ShardReport);
  }
}
