// steady-stream.ts -- asks one question after the other over one connection, TCP or TLS, for as long as it lasts

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Address } from './built-server.ts';
import { framed } from './stream-client.ts';

/** One question and what came back; times by performance.now(). */
export interface StreamExchange {
  readonly sentMs: number;
  reply: { readonly receivedMs: number; readonly octets: Uint8Array } | undefined;
}

const PAUSE_MS = 5;
const PATIENCE_MS = 10_000;

export class SteadyStream {
  readonly exchanges: StreamExchange[] = [];
  readonly #socket: Socket;
  readonly #query: Uint8Array;
  readonly #isOver: Promise<void>;
  #received = Buffer.alloc(0);
  #answered = 0;
  #isStopped = false;
  #isClosed = false;

  private constructor(socket: Socket, query: Uint8Array) {
    this.#socket = socket;
    this.#query = query;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    this.#isOver = new Promise((resolve) =>
      socket.once('close', () => {
        this.#isClosed = true;
        resolve();
      }),
    );
    this.#ask();
  }

  /** Over TLS, any certificate will do. */
  static async start(kind: 'tcp' | 'tls', { address, port }: Address, query: Uint8Array): Promise<SteadyStream> {
    const socket =
      kind === 'tcp'
        ? connect({ host: address, port, noDelay: true })
        : connectTls({ host: address, port, rejectUnauthorized: false });
    await once(socket, kind === 'tcp' ? 'connect' : 'secureConnect');
    return new SteadyStream(socket, query);
  }

  /** Did the connection end before it was stopped? */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Questions without an answer. */
  get lost(): number {
    return this.exchanges.length - this.#answered;
  }

  /** Ask no more, wait for the last answer, close. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (this.lost > 0 && !this.#isClosed && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#socket.destroy();
    await this.#isOver;
  }

  /** So many questions at once, in one piece; they are counted with the others. */
  burst(count: number): void {
    const one = framed(this.#query);
    for (let i = 0; i < count; i++) this.exchanges.push({ sentMs: performance.now(), reply: undefined });
    this.#socket.write(Buffer.concat(Array(count).fill(one)));
  }

  #ask(): void {
    if (this.#isStopped || this.#isClosed || !this.#socket.writable) return;
    this.burst(1);
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 2) {
      const end = 2 + this.#received.readUInt16BE(0);
      if (this.#received.length < end) return;
      // Answers that are at hand come in the order of their questions.
      const exchange = this.exchanges[this.#answered];
      if (exchange !== undefined) {
        this.#answered++;
        exchange.reply = { receivedMs: performance.now(), octets: Uint8Array.from(this.#received.subarray(2, end)) };
      }
      this.#received = this.#received.subarray(end);
      if (this.lost === 0) setTimeout(() => this.#ask(), PAUSE_MS);
    }
  }
}
