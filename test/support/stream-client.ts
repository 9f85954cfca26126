// stream-client.ts -- a TCP client that sends octets as a test wants them sent, and reads DNS messages back

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Endpoint } from '../../src/base/ip.ts';

/** A message behind its length (RFC 1035 section 4.2.2). */
export function framed(message: Uint8Array | string): Buffer {
  const octets = Buffer.from(message as string);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(octets.length);
  return Buffer.concat([length, octets]);
}

export class StreamClient {
  readonly socket: Socket;
  /** Sizes of the chunks as they arrived. */
  readonly chunks: number[] = [];
  readonly #closed: Promise<void>;
  #received = Buffer.alloc(0);
  #ended = false;
  #error: NodeJS.ErrnoException | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk.length);
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    this.#closed = new Promise((resolve) =>
      socket.on('close', () => {
        this.#ended = true;
        this.#wake();
        resolve();
      }),
    );
  }

  /** Connect; the client's side stays open when the server closes its own. */
  static async connect({ address, port }: Endpoint): Promise<StreamClient> {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new StreamClient(socket);
  }

  /** A client on a connection that is there already, as one of TLS. */
  static over(socket: Socket): StreamClient {
    return new StreamClient(socket);
  }

  /** The next message as text; undefined when the server closes instead. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const length = this.#received.length < 2 ? undefined : this.#received.readUInt16BE(0);
      if (length !== undefined && this.#received.length >= 2 + length) {
        const message = this.#received.toString('latin1', 2, 2 + length);
        this.#received = this.#received.subarray(2 + length);
        return message;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the connection is gone; with the error's code if it was torn down. */
  async closed(): Promise<string | undefined> {
    await this.#closed;
    return this.#error?.code;
  }
}
