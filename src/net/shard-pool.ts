// shard-pool.ts -- the worker threads that answer UDP, their sockets, and what they are told
//
// Every shard has a socket of its own for each listener, in a SO_REUSEPORT group, so the kernel spreads the load. News
// travels as messages, counted in shared memory: a shard looks at the count after each receive and takes in what is
// waiting before it answers, so nothing acknowledged before a query arrived is missing from its answer.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Client } from '../nameserver/client.ts';
import {
  type AskedDatagram,
  type AskedReport,
  askerOf,
  createQuestionMemory,
  DatagramSender,
  takenIn,
} from './shard-questions.ts';
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
  /** Counts the questions on their way to the main thread. */
  readonly questions: SharedArrayBuffer;
  /** Whatever the composition root of the shard needs beside. */
  readonly extra: unknown;
}

/** What the pool itself tells a shard; everything else is between the composition roots. */
export type SocketNews =
  | { readonly op: 'listen'; readonly descriptor: UdpDescriptor }
  | { readonly op: 'unlisten'; readonly fd: number };

/** What a shard says. */
export type ShardReport =
  /** It has taken in a request to stop listening, and answered what had come. */
  | { readonly unlistened: number }
  /** Answering failed, for this reason. Not said of every query, or a flood of them would be a flood of these. */
  | { readonly failure: string }
  /** A question for others to answer. */
  | AskedReport;

export interface ShardPoolOptions {
  readonly calls: SocketCalls;
  readonly count: number;
  /** The module that a shard runs. */
  readonly script: URL;
  readonly log: Logger;
  /** How long a shard may take to let go of a socket, or to end, before it is ended. Default 10,000. */
  readonly leaveTimeoutMs?: number;
  /** How often sockets are looked after. Default 1,000. */
  readonly watchMs?: number;
  /** Made anew for each shard: memory of its own and the like. */
  extra(number: number): unknown;
  /** Everything a new shard has to know, as news. */
  briefing(): Iterable<unknown>;
  /** FORWARD: have a query asked upstream. Without it, no shard may come to such verdicts. */
  readonly forward?: (query: Uint8Array, client: Client, reply: (message: Uint8Array) => void) => void;
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
  isAlive: boolean;
}

interface Listener {
  readonly endpoint: Endpoint;
  /** By shard; undefined while a lost one cannot be opened anew. */
  readonly descriptors: (UdpDescriptor | undefined)[];
  /** Questions that came in there and wait for their answers. */
  waiting: number;
  /** Called when there are none any more. */
  onIdle: () => void;
}

/**
 * A shard that dies is replaced at once. One that keeps dying must not take the machine with it: it is waited for, and
 * the delay doubles with every death in a row.
 */
const REPLACE_DELAY_MS = 100;
const MAX_REPLACE_DELAY_MS = 10_000;
/** A shard that has lived so long does not belong in that row. */
const STEADY_MS = 30_000;
/** A shard that starts has all the news to take in before. */
const LEAVE_TIMEOUT_MS = 10_000;
const WATCH_MS = 1000;
/** Answering makes next to no garbage. V8's own bound is eight times as much, and what it once took it keeps. */
const YOUNG_MIB = 6;

export class ShardPool {
  readonly #options: ShardPoolOptions;
  readonly control = new Int32Array(new SharedArrayBuffer(CONTROL.WORDS * 4));
  readonly #shards: Shard[] = [];
  readonly #listeners = new Set<Listener>();
  /** Those that nobody listens at any more, and that have answers to give yet. */
  readonly #left = new Set<Listener>();
  readonly #sender: DatagramSender;
  /** By shard, how often it died in a row. */
  readonly #deaths: number[];
  readonly #watch: NodeJS.Timeout;
  #closed = false;

  constructor(options: ShardPoolOptions) {
    this.#options = options;
    this.#sender = new DatagramSender(options.calls);
    this.#deaths = new Array(options.count).fill(0);
    this.#watch = setInterval(() => this.#lookAfterSockets(), options.watchMs ?? WATCH_MS).unref();
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
    return [...this.#listeners].flatMap(({ descriptors }) => descriptors.flatMap((each) => each?.fd ?? []));
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
    const listener: Listener = { endpoint: bound, descriptors, waiting: 0, onIdle: () => {} };
    this.#listeners.add(listener);
    for (const [i, shard] of this.#shards.entries()) listen(shard, descriptors[i]!);
    Atomics.add(this.control, CONTROL.NEWS, 1);
    // A socket on a wildcard is at every address, those to come too.
    return { endpoint: bound, refresh: async () => {}, close: () => this.#unlisten(listener) };
  }

  /** Stop listening on an endpoint: what has arrived is answered, then the sockets are closed. */
  async #unlisten(listener: Listener): Promise<void> {
    if (!this.#listeners.delete(listener)) return;
    this.#left.add(listener);
    const left = listener.descriptors.map((each, i) => each && this.#leave(this.#shards[i]!, each.fd));
    Atomics.add(this.control, CONTROL.NEWS, 1);
    await Promise.all(left);
    await this.#idle(listener);
    this.#left.delete(listener);
    const { calls } = this.#options;
    for (const each of listener.descriptors) if (each !== undefined && isStillOpen(calls, each)) calls.close(each.fd);
  }

  /** Resolves when what came in there is answered, or has had its time. */
  async #idle(listener: Listener): Promise<void> {
    if (listener.waiting === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      listener.onIdle = resolve;
      timer = setTimeout(resolve, this.#leaveTimeoutMs);
    });
    clearTimeout(timer);
  }

  /** A question of a shard; its answer leaves through the socket that it came in at, if that is still there. */
  #forward(asked: AskedDatagram): void {
    const at = (listener: Listener): UdpDescriptor | undefined =>
      listener.descriptors.find((each) => each?.fd === asked.fd);
    const listener = [...this.#listeners, ...this.#left].find((each) => at(each) !== undefined);
    const descriptor = listener === undefined ? undefined : at(listener);
    const { forward } = this.#options;
    if (listener === undefined || descriptor === undefined || forward === undefined) return;
    listener.waiting++;
    forward(asked.query, askerOf(asked, descriptor.family), (message) => {
      if (isStillOpen(this.#options.calls, descriptor)) this.#sender.send(descriptor, asked, message);
      if (--listener.waiting === 0) listener.onIdle();
    });
  }

  /** Stop listening everywhere, then stop all shards. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    await Promise.all([...this.#listeners].map((listener) => this.#unlisten(listener)));
    Atomics.store(this.control, CONTROL.STOP, 1);
    Atomics.notify(this.control, CONTROL.STOP);
    const timer = setTimeout(() => {
      for (const shard of this.#shards) if (shard.isAlive) this.#end(shard, 'does not stop');
    }, this.#leaveTimeoutMs);
    await Promise.all(this.#shards.map(({ exited }) => exited));
    clearTimeout(timer);
  }

  get #leaveTimeoutMs(): number {
    return this.#options.leaveTimeoutMs ?? LEAVE_TIMEOUT_MS;
  }

  #end({ number, worker }: Shard, reason: string): void {
    this.#options.log.error({ shard: number, reason }, 'a UDP shard is ended');
    void worker.terminate();
  }

  /** Resolves when the shard does not use a socket any more: its number may be another file's as soon as it is closed. */
  async #leave(shard: Shard, fd: number): Promise<void> {
    const left = new Promise<void>((resolve) => {
      shard.leaving.set(fd, resolve);
      void shard.exited.then(resolve);
    });
    shard.port.postMessage({ op: 'unlisten', fd } satisfies SocketNews);
    const timer = setTimeout(() => this.#end(shard, 'does not let go of a socket'), this.#leaveTimeoutMs);
    await left;
    clearTimeout(timer);
    shard.leaving.delete(fd);
  }

  #start(number: number): Shard {
    const { port1, port2 } = new MessageChannel();
    const questions = createQuestionMemory();
    const start: ShardStart = {
      number,
      control: this.control.buffer as SharedArrayBuffer,
      port: port2,
      questions,
      extra: this.#options.extra(number),
    };
    const worker = startWorker(this.#options.script, start, [port2]);
    const leaving = new Map<number, () => void>();
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const shard = { number, worker, port: port1, exited, leaving, isAlive: true };
    worker.on('error', (error) => {
      this.#options.log.error({ shard: number, reason: errorMessage(error) }, 'a UDP shard failed');
    });
    port1.on('message', (report: ShardReport) => {
      if ('asked' in report) {
        takenIn(questions);
        this.#forward(report.asked);
      } else if ('unlistened' in report) leaving.get(report.unlistened)?.();
      else this.#options.log.error({ shard: number, reason: report.failure }, 'a query could not be answered');
    });
    port1.unref();
    const steady = setTimeout(() => {
      this.#deaths[number] = 0;
    }, STEADY_MS).unref();
    void exited.then(() => {
      shard.isAlive = false;
      clearTimeout(steady);
      port1.close();
      this.#replace(number);
    });
    this.#brief(shard);
    return shard;
  }

  /** Tell a new shard everything. One that cannot be told is ended, and so replaced. */
  #brief(shard: Shard): void {
    try {
      for (const news of this.#options.briefing()) shard.port.postMessage(news);
      for (const { descriptors } of this.#listeners) listen(shard, descriptors[shard.number]);
    } catch (error) {
      this.#end(shard, `cannot be told what it has to know: ${errorMessage(error)}`);
    }
    Atomics.add(this.control, CONTROL.NEWS, 1);
  }

  #replace(number: number): void {
    if (this.#closed) return;
    const deaths = this.#deaths[number]!++;
    const delayMs = deaths === 0 ? 0 : REPLACE_DELAY_MS * 2 ** (deaths - 1);
    setTimeout(() => this.#startAgain(number), Math.min(delayMs, MAX_REPLACE_DELAY_MS)).unref();
  }

  #startAgain(number: number): void {
    if (this.#closed) return;
    const { log } = this.#options;
    for (const listener of this.#listeners) {
      if (this.#isOpen(listener, number)) continue;
      // Its number may be another file's by now, which a shard must not read from.
      listener.descriptors[number] = undefined;
      this.#openAgain(listener, number, 'error');
    }
    try {
      this.#shards[number] = this.#start(number);
    } catch (error) {
      log.error({ shard: number, reason: errorMessage(error) }, 'a UDP shard could not be started');
      this.#replace(number);
      return;
    }
    log.warn({ shard: number }, 'the UDP shard was replaced');
    this.#options.onReplaced();
  }

  /**
   * A shard notices by itself that its socket is gone, unless another file has got the number. And a socket that could
   * not be opened anew is tried again.
   */
  #lookAfterSockets(): void {
    for (const shard of this.#shards) {
      if (!shard.isAlive) continue;
      const { number } = shard;
      for (const listener of this.#listeners) {
        if (this.#isOpen(listener, number)) continue;
        if (listener.descriptors[number] !== undefined) {
          this.#end(shard, 'has lost a socket');
          break;
        }
        if (!this.#openAgain(listener, number, 'debug')) continue;
        listen(shard, listener.descriptors[number]);
        Atomics.add(this.control, CONTROL.NEWS, 1);
      }
    }
  }

  #isOpen({ descriptors }: Listener, number: number): boolean {
    const descriptor = descriptors[number];
    return descriptor !== undefined && isStillOpen(this.#options.calls, descriptor);
  }

  /** `level`: at which a failure is logged, as there is one every second while an endpoint is taken. */
  #openAgain({ endpoint, descriptors }: Listener, number: number, level: 'error' | 'debug'): boolean {
    const { calls, log } = this.#options;
    const about = { shard: number, endpoint: formatEndpoint(endpoint) };
    try {
      descriptors[number] = openUdpDescriptor(calls, endpoint, true);
      log.warn(about, 'a lost UDP socket was opened anew');
      return true;
    } catch (error) {
      log[level]({ ...about, reason: errorMessage(error) }, 'a lost UDP socket cannot be opened anew yet');
      return false;
    }
  }
}

function listen(shard: Shard, descriptor: UdpDescriptor | undefined): void {
  if (descriptor !== undefined) shard.port.postMessage({ op: 'listen', descriptor } satisfies SocketNews);
}

/** A worker on a module; from TypeScript sources (in tests) through tsx, which Node 20 cannot be told by flags. */
function startWorker(script: URL, start: ShardStart, transferList: MessagePort[]): Worker {
  const options = { workerData: start, transferList, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB } };
  if (!script.pathname.endsWith('.ts')) return new Worker(script, options);
  // Found from here: the worker's code has no place of its own to find it from.
  const [api, module] = [import.meta.resolve('tsx/esm/api'), script.href].map((url) => JSON.stringify(url));
  const loader = `import(${api}).then(({ register }) => { register(); return import(${module}); })`;
  return new Worker(loader, { ...options, eval: true });
}
