// honest-probe.ts -- a client that asks at a steady rate, and remembers of every question how long its answer took

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Address } from './built-server.ts';
import { percentile } from './query-load.ts';
import { queryOctets } from './query-text.ts';

export interface ProbeOptions {
  readonly server: Address;
  /** The address to ask from; default 127.0.0.1. */
  readonly source?: string;
  /** As query-text.ts has them, asked in turn. */
  readonly questions: readonly string[];
  readonly perSecond: number;
}

/** One question. */
export interface Probe {
  readonly sentMs: number;
  /** Undefined while nothing has come. */
  tookMs: number | undefined;
  /** The first reply. */
  reply: Buffer | undefined;
}

export interface ProbeReport {
  readonly asked: number;
  readonly lost: number;
  /** Replies with TC, or with an rcode other than NOERROR. */
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

const TICK_MS = 1;
/** When this process itself was held up, it asks no more than this at once: its own buffers would overflow. */
const MAX_AT_ONCE = 64;
/** No reply after that is lost. */
const PATIENCE_MS = 2000;

export class HonestProbe {
  readonly probes: Probe[] = [];
  readonly #socket: Socket;
  readonly #queries: readonly Buffer[];
  readonly #perSecond: number;
  readonly #startMs = performance.now();
  /** Questions that were due while this process was held up. */
  #unasked = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: Socket, { questions, perSecond }: ProbeOptions) {
    this.#socket = socket;
    this.#queries = questions.map((question) => queryOctets(question, 0));
    this.#perSecond = perSecond;
    socket.on('message', (reply) => this.#take(reply));
    // A port that nobody listens at: that shows in what is lost.
    socket.on('error', () => {});
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  static async start(options: ProbeOptions): Promise<HonestProbe> {
    const socket = createSocket('udp4');
    socket.bind(0, options.source ?? '127.0.0.1');
    await once(socket, 'listening');
    socket.connect(options.server.port, options.server.address);
    await once(socket, 'connect');
    return new HonestProbe(socket, options);
  }

  /** Ask no more, wait for what is on its way, and report. */
  async stop(): Promise<ProbeReport> {
    clearInterval(this.#timer);
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (this.probes.some(({ tookMs }) => tookMs === undefined) && performance.now() < deadlineMs)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#socket.close();
    return summarise(this.probes);
  }

  #sendDue(): void {
    const elapsed = Math.floor(((performance.now() - this.#startMs) * this.#perSecond) / 1000);
    this.#unasked = Math.max(this.#unasked, elapsed - this.probes.length - MAX_AT_ONCE);
    const due = elapsed - this.#unasked;
    while (this.probes.length < due) {
      const number = this.probes.length;
      const query = Buffer.from(this.#queries[number % this.#queries.length]!);
      query.writeUInt16BE(number & 0xffff, 0);
      this.probes.push({ sentMs: performance.now(), tookMs: undefined, reply: undefined });
      this.#socket.send(query);
    }
  }

  /** An id belongs to the last question that had it. */
  #take(reply: Buffer): void {
    const nowMs = performance.now();
    const last = this.probes.length - 1;
    const probe = this.probes[last - ((last - reply.readUInt16BE(0)) & 0xffff)];
    if (probe === undefined || probe.tookMs !== undefined) return;
    probe.tookMs = nowMs - probe.sentMs;
    probe.reply = reply;
  }
}

/** Of some of the questions of a probe. */
export function summarise(probes: readonly Probe[]): ProbeReport {
  const times = probes.map(({ tookMs }) => tookMs).filter((each) => each !== undefined && each <= PATIENCE_MS);
  const took = times as number[];
  return {
    asked: probes.length,
    lost: probes.length - took.length,
    refused: probes.filter(({ reply }) => reply !== undefined && ((reply[2]! & 2) !== 0 || (reply[3]! & 0xf) !== 0))
      .length,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
    worstMs: took.reduce((most, each) => Math.max(most, each), 0),
  };
}
