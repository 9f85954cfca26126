// question-batch.ts -- many questions to one server at once, over one UDP socket or one TCP connection

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Endpoint } from '../../src/base/ip.ts';
import { exchangeAll } from './raw-questions.ts';

const AGAIN_MS = 1000;
const TRIES = 10;

/** Batches that follow one another have other ids, so that a reply which comes twice is not taken for another. */
export class QuestionBatch {
  readonly #server: Endpoint;
  readonly #socket: Socket;

  private constructor(server: Endpoint, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
  }

  static async open(server: Endpoint): Promise<QuestionBatch> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
    socket.connect(server.port, server.address);
    await once(socket, 'connect');
    return new QuestionBatch(server, socket);
  }

  /** Every reply, in the order of the queries. What is lost is asked for again; rejects when that is in vain. */
  async overUdp(queries: readonly Buffer[]): Promise<Buffer[]> {
    const replies = new Map<number, Buffer>();
    const ids = queries.map(idOf);
    let wake = (): void => {};
    const onMessage = (reply: Buffer): void => {
      if (ids.includes(idOf(reply))) replies.set(idOf(reply), reply);
      if (replies.size === queries.length) wake();
    };
    this.#socket.on('message', onMessage);
    try {
      for (let tries = 0; replies.size < queries.length; tries++) {
        if (tries === TRIES)
          throw new Error(`port ${this.#server.port}: ${queries.length - replies.size} without reply`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, AGAIN_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          for (const query of queries) if (!replies.has(idOf(query))) this.#socket.send(query);
        });
      }
    } finally {
      this.#socket.off('message', onMessage);
    }
    return ids.map((id) => replies.get(id)!);
  }

  /** The same over a TCP connection. */
  async overTcp(queries: readonly Buffer[]): Promise<Buffer[]> {
    const replies = new Map((await exchangeAll(this.#server, queries)).map((reply) => [idOf(reply), reply]));
    return queries.map((query) => {
      const reply = replies.get(idOf(query));
      if (reply === undefined) throw new Error(`port ${this.#server.port}: no reply to ${query.toString('hex')}`);
      return reply;
    });
  }

  close(): void {
    this.#socket.close();
  }
}

function idOf(message: Buffer): number {
  return message.readUInt16BE(0);
}
