// query-load.ts -- a steady stream of UDP queries, every one of which is accounted for

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import type { Address } from './built-server.ts';

/** One query and what came back; times by performance.now(). */
export interface Exchange {
  readonly sentMs: number;
  readonly type: 'A' | 'SRV';
  /** Undefined while nothing has come. */
  reply: { readonly receivedMs: number; readonly octets: Uint8Array } | undefined;
}

/** A reply taken apart. */
export interface Answer {
  readonly rcode: number;
  /** The data of the answer's records as text. */
  readonly data: readonly string[];
}

const TICK_MS = 5;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** One in four asks for SRV. */
const SRV_EVERY = 4;
const MAX_QUERIES = 65_536;

/** Sends from one socket with an id of its own for each query, so that replies can be told apart: 65,536 at most. */
export class QueryLoad {
  readonly exchanges: Exchange[] = [];
  readonly #socket: Socket;
  readonly #queries: Readonly<Record<Exchange['type'], Uint8Array>>;
  readonly #perSecond: number;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: Socket, name: string, perSecond: number) {
    this.#socket = socket;
    this.#perSecond = perSecond;
    this.#queries = { A: encodeQuery(name, TYPE.A), SRV: encodeQuery(name, TYPE.SRV) };
    socket.on('message', (octets) => {
      const exchange = this.exchanges[octets.readUInt16BE(0)];
      if (exchange !== undefined) exchange.reply ??= { receivedMs: performance.now(), octets };
    });
    // The server has gone: what is not answered shows that.
    socket.on('error', () => {});
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  static async start(server: Address, name: string, perSecond: number): Promise<QueryLoad> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    socket.connect(server.port, server.address);
    await once(socket, 'connect');
    return new QueryLoad(socket, name, perSecond);
  }

  /** Send no more, and wait for what is on its way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const deadlineMs = performance.now() + 2000;
    while (this.exchanges.some(({ reply }) => reply === undefined) && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    this.#socket.close();
  }

  #sendDue(): void {
    const due = Math.min(MAX_QUERIES, Math.floor(((performance.now() - this.#startMs) * this.#perSecond) / 1000));
    while (this.exchanges.length < due) {
      const id = this.exchanges.length;
      const type = id % SRV_EVERY === 0 ? 'SRV' : 'A';
      const query = Buffer.from(this.#queries[type]);
      query.writeUInt16BE(id, 0);
      this.exchanges.push({ sentMs: performance.now(), type, reply: undefined });
      this.#socket.send(query);
    }
  }
}

function encodeQuery(name: string, type: number): Uint8Array {
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
  return encodeMessage(queryMessage(0, { name: parseName(`${name}.`), type, class: CLASS.IN }, edns));
}

/** Read a reply strictly. */
export function readAnswer(octets: Uint8Array): Answer {
  const { rcode, answers } = decodeMessage(octets);
  return { rcode, data: answers.map((record) => formatRecord(record).split(/\s+/).slice(4).join(' ')) };
}

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
