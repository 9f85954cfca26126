// shard-loop.ts -- what a shard does all its life: receive, take in news, answer, send
//
// The loop blocks its thread, so nothing else of Node runs here: news is fetched by hand, and a timeout on the sockets
// brings the loop back to look at its stop flag.

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { BatchAnswerer } from './answerer.ts';
import { CONTROL, type ShardReport, type SocketNews } from './shard-pool.ts';
import { POLLIN, type SocketCalls } from './socket-calls.ts';
import { UdpBatch } from './udp-batch.ts';

const IDLE_MS = 100;
const POLLFD_BYTES = 8;
const MAX_SOCKETS = 256;

export interface ShardLoopOptions {
  readonly calls: SocketCalls;
  readonly control: Int32Array;
  readonly port: MessagePort;
  readonly answer: BatchAnswerer;
  /** News that is not about sockets. */
  onNews(news: unknown): void;
  /** Called before a batch is answered, with all news taken in. */
  onBatch(): void;
}

/** Runs until the stop flag is up. Throws when a socket is broken: the pool then starts a shard in its place. */
export class ShardLoop {
  readonly #options: ShardLoopOptions;
  readonly #sockets = new Map<number, UdpBatch>();
  readonly #descriptors = new Uint8Array(MAX_SOCKETS * POLLFD_BYTES);
  readonly #descriptorView = new DataView(this.#descriptors.buffer);
  #seenNews = -1;

  constructor(options: ShardLoopOptions) {
    this.#options = options;
  }

  run(): void {
    const { control } = this.#options;
    // Made once: the loop must not allocate.
    const prepare = (): void => {
      this.#takeNews();
      this.#options.onBatch();
    };
    while (Atomics.load(control, CONTROL.STOP) === 0) {
      this.#takeNews();
      if (this.#sockets.size === 1) for (const batch of this.#sockets.values()) this.#turn(batch, true, prepare);
      else if (this.#sockets.size === 0) Atomics.wait(control, CONTROL.STOP, 0, IDLE_MS / 10);
      else this.#poll(prepare);
    }
  }

  #poll(prepare: () => void): void {
    let count = 0;
    for (const fd of this.#sockets.keys()) {
      this.#descriptorView.setInt32(count * POLLFD_BYTES, fd, true);
      this.#descriptorView.setInt16(count * POLLFD_BYTES + 4, POLLIN, true);
      count++;
    }
    if (this.#options.calls.poll(this.#descriptors, count, IDLE_MS) <= 0) return;
    let at = 0;
    for (const batch of this.#sockets.values()) {
      const events = this.#descriptorView.getInt16(at * POLLFD_BYTES + 6, true);
      if (events !== 0) this.#turn(batch, false, prepare);
      at++;
    }
  }

  #turn(batch: UdpBatch, wait: boolean, prepare: () => void): number {
    const count = batch.turn(wait, prepare, this.#options.answer);
    if (count < 0) throw new Error(`a UDP socket is broken (errno ${this.#options.calls.errno()})`);
    return count;
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
      this.#sockets.set(news.descriptor.fd, new UdpBatch(this.#options.calls, news.descriptor));
    } else if (news.op === 'unlisten') this.#leave(news.fd);
    else this.#options.onNews(news);
  }

  /** Answer what has arrived, then let go. */
  #leave(fd: number): void {
    const batch = this.#sockets.get(fd);
    this.#sockets.delete(fd);
    if (batch !== undefined) while (batch.turn(false, () => {}, this.#options.answer) > 0);
    this.#options.port.postMessage({ unlistened: fd } satisfies ShardReport);
  }
}
