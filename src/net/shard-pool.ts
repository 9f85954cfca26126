// shard-pool.ts -- the worker threads that answer UDP, their sockets, and what they are told
//
// Every shard has a socket of its own for each listener, in a SO_REUSEPORT group, so the kernel spreads the load. News
// travels as messages, counted in shared memory: a shard looks at the count after each receive and takes in what is
// waiting before it answers, so nothing acknowledged before a query arrived is missing from its answer.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { errorMessage } from '../base/errors.ts';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { SocketCalls } from './socket-calls.ts';
import { isStillOpen, openUdpDescriptor, type UdpDescriptor } from './udp-descriptor.ts';
import type { UdpSide } from './udp-side.ts';

/** Words of the control memory, read by shards at every turn. */
export const CONTROL = { STOP: 0, NEWS: 1, SERIAL: 2, LOADED: 3, STALE: 4, WORDS: 8 } as const;

/** What a shard is started with. */
export interface ShardStart {
  readonly number: number;
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
  /** Whatever the composition root of the shard needs beside. */
  readonly extra: unknown;
}

/** What the pool itself tells a shard; everything else is between the composition roots. */
export type SocketNews =
  | { readonly op: 'listen'; readonly descriptor: UdpDescriptor }
  | { readonly op: 'unlisten'; readonly fd: number };

/** What a shard says: it has taken in a request to stop listening, and answered what had come. */
export interface ShardReport {
  readonly unlistened: number;
}

export interface ShardPoolOptions {
  readonly calls: SocketCalls;
  readonly count: number;
  /** The module that a shard runs. */
  readonly script: URL;
  readonly log: Logger;
  /** How long a shard may take to let go of a socket before it is ended. Default 10,000. */
  readonly leaveTimeoutMs?: number;
  /** Made anew for each shard: memory of its own and the like. */
  extra(number: number): unknown;
  /** Everything a new shard has to know, as news. */
  briefing(): Iterable<unknown>;
  /** A shard died and was replaced. */
  onReplaced(): void;
}

interface Shard {
  readonly number: number;
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly exited: Promise<void>;
  /** By fd: resolves when the shard no longer uses it. */
  readonly leaving: Map<number, () => void>;
}

/** A shard that keeps dying must not take the machine with it: the delay doubles with every death in a row. */
const REPLACE_DELAY_MS = 100;
const MAX_REPLACE_DELAY_MS = 10_000;
/** A shard that has lived so long does not belong in that row. */
const STEADY_MS = 30_000;
/** A shard that starts has all the news to take in before. */
const LEAVE_TIMEOUT_MS = 10_000;

export class ShardPool {
  readonly #options: ShardPoolOptions;
  readonly control = new Int32Array(new SharedArrayBuffer(CONTROL.WORDS * 4));
  readonly #shards: Shard[] = [];
  /** By listener, one descriptor for each shard. */
  readonly #listeners = new Map<symbol, readonly UdpDescriptor[]>();
  /** By shard, how often it died in a row. */
  readonly #deaths: number[];
  #closed = false;

  constructor(options: ShardPoolOptions) {
    this.#options = options;
    this.#deaths = new Array(options.count).fill(0);
    try {
      for (let number = 0; number < options.count; number++) this.#shards.push(this.#start(number));
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  get count(): number {
    return this.#options.count;
  }

  /** The sockets of all listeners. */
  descriptors(): number[] {
    return [...this.#listeners.values()].flatMap((descriptors) => descriptors.map(({ fd }) => fd));
  }

  /** Tell every shard; they know before they answer anything that arrives after this call. */
  post(news: unknown): void {
    for (const { port } of this.#shards) port.postMessage(news);
    Atomics.add(this.control, CONTROL.NEWS, 1);
  }

  /** Listen on one more endpoint, with a socket for each shard. Throws the system's error. */
  open(endpoint: Endpoint): UdpSide {
    const { calls, count } = this.#options;
    const descriptors: UdpDescriptor[] = [];
    let bound = endpoint;
    try {
      for (let i = 0; i < count; i++) {
        const descriptor = openUdpDescriptor(calls, bound, i > 0);
        descriptors.push(descriptor);
        bound = descriptor.endpoint;
      }
    } catch (error) {
      for (const { fd } of descriptors) calls.close(fd);
      throw error;
    }
    const key = Symbol('listener');
    this.#listeners.set(key, descriptors);
    for (const [i, shard] of this.#shards.entries()) {
      shard.port.postMessage({ op: 'listen', descriptor: descriptors[i]! } satisfies SocketNews);
    }
    Atomics.add(this.control, CONTROL.NEWS, 1);
    // A socket on a wildcard is at every address, those to come too.
    return { endpoint: bound, refresh: async () => {}, close: () => this.#unlisten(key) };
  }

  /** Stop listening on an endpoint: what has arrived is answered, then the sockets are closed. */
  async #unlisten(key: symbol): Promise<void> {
    const descriptors = this.#listeners.get(key);
    this.#listeners.delete(key);
    if (descriptors === undefined) return;
    const left = this.#shards.map((shard, i) => this.#leave(shard, descriptors[i]!.fd));
    Atomics.add(this.control, CONTROL.NEWS, 1);
    await Promise.all(left);
    const { calls } = this.#options;
    for (const each of descriptors) if (isStillOpen(calls, each)) calls.close(each.fd);
  }

  /** Stop listening everywhere, then stop all shards. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#listeners.keys()].map((key) => this.#unlisten(key)));
    Atomics.store(this.control, CONTROL.STOP, 1);
    Atomics.notify(this.control, CONTROL.STOP);
    await Promise.all(this.#shards.map(({ exited }) => exited));
  }

  /** Resolves when the shard does not use a socket any more: its number may be another file's as soon as it is closed. */
  async #leave(shard: Shard, fd: number): Promise<void> {
    const left = new Promise<void>((resolve) => {
      shard.leaving.set(fd, resolve);
      void shard.exited.then(resolve);
    });
    shard.port.postMessage({ op: 'unlisten', fd } satisfies SocketNews);
    const timer = setTimeout(() => {
      this.#options.log.error({ shard: shard.number }, 'a UDP shard does not let go of a socket and is ended');
      void shard.worker.terminate();
    }, this.#options.leaveTimeoutMs ?? LEAVE_TIMEOUT_MS);
    await left;
    clearTimeout(timer);
    shard.leaving.delete(fd);
  }

  #start(number: number): Shard {
    const { port1, port2 } = new MessageChannel();
    const start: ShardStart = {
      number,
      control: this.control.buffer as SharedArrayBuffer,
      port: port2,
      extra: this.#options.extra(number),
    };
    const worker = startWorker(this.#options.script, start, [port2]);
    const leaving = new Map<number, () => void>();
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const shard = { number, worker, port: port1, exited, leaving };
    worker.on('error', (error) => {
      this.#options.log.error({ shard: number, reason: errorMessage(error) }, 'a UDP shard failed');
    });
    port1.on('message', (report: ShardReport) => leaving.get(report.unlistened)?.());
    port1.unref();
    const steady = setTimeout(() => {
      this.#deaths[number] = 0;
    }, STEADY_MS).unref();
    void exited.then(() => {
      clearTimeout(steady);
      port1.close();
      this.#replace(number);
    });
    for (const news of this.#options.briefing()) port1.postMessage(news);
    for (const descriptors of this.#listeners.values()) {
      port1.postMessage({ op: 'listen', descriptor: descriptors[number]! } satisfies SocketNews);
    }
    Atomics.add(this.control, CONTROL.NEWS, 1);
    return shard;
  }

  #replace(number: number): void {
    if (this.#closed) return;
    const deaths = this.#deaths[number]!++;
    setTimeout(
      () => {
        if (this.#closed) return;
        this.#reopenLost(number);
        try {
          this.#shards[number] = this.#start(number);
        } catch (error) {
          this.#options.log.error({ shard: number, reason: errorMessage(error) }, 'a UDP shard could not be started');
          this.#replace(number);
          return;
        }
        this.#options.log.warn({ shard: number }, 'the UDP shard was replaced');
        this.#options.onReplaced();
      },
      Math.min(REPLACE_DELAY_MS * 2 ** deaths, MAX_REPLACE_DELAY_MS),
    ).unref();
  }

  /** A descriptor that is no socket of ours any more is opened anew; the others go on where they were. */
  #reopenLost(number: number): void {
    const { calls, log } = this.#options;
    for (const [key, descriptors] of this.#listeners) {
      const descriptor = descriptors[number]!;
      if (isStillOpen(calls, descriptor)) continue;
      try {
        const fresh = openUdpDescriptor(calls, descriptor.endpoint, true);
        this.#listeners.set(key, descriptors.with(number, fresh));
      } catch (error) {
        log.error({ reason: errorMessage(error) }, 'a lost UDP socket could not be opened again');
      }
    }
  }
}

/** A worker on a module; from TypeScript sources (in tests) through tsx, which Node 20 cannot be told by flags. */
function startWorker(script: URL, start: ShardStart, transferList: MessagePort[]): Worker {
  const options = { workerData: start, transferList };
  if (!script.pathname.endsWith('.ts')) return new Worker(script, options);
  // Found from here: the worker's code has no place of its own to find it from.
  const [api, module] = [import.meta.resolve('tsx/esm/api'), script.href].map((url) => JSON.stringify(url));
  const loader = `import(${api}).then(({ register }) => { register(); return import(${module}); })`;
  return new Worker(loader, { ...options, eval: true });
}
