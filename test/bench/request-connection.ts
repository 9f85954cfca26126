// request-connection.ts -- one kept connection that sends the same request again and again, by hand to be cheap

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RequestShape {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  /** Octets of the request's body. */
  readonly bodyBytes: number;
  /** What a right reply's body has. */
  readonly replyBytes: number;
}

/** Called at the end of each request: the reply was a whole 200 of the right length, or anything else. */
type Finished = (connection: RequestConnection, dueMs: number, isRight: boolean) => void;

const HEAD_END = '\r\n\r\n';

export class RequestConnection {
  readonly #socket: Socket;
  readonly #request: Buffer;
  readonly #replyBytes: number;
  readonly #finished: Finished;
  #dueMs: number | undefined;
  /** The head of the reply as far as it has come. */
  #head = '';
  #isRight = false;
  #leftBytes = 0;

  private constructor(socket: Socket, shape: RequestShape, finished: Finished) {
    this.#socket = socket;
    this.#request = requestOf(shape);
    this.#replyBytes = shape.replyBytes;
    this.#finished = finished;
    socket.on('data', (octets) => this.#read(octets));
    socket.on('error', () => {});
    socket.on('close', () => this.#end(false));
  }

  static async open(shape: RequestShape, finished: Finished): Promise<RequestConnection> {
    const socket = connect({ port: shape.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RequestConnection(socket, shape, finished);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Send the request; the one before must have finished. */
  send(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#socket.write(this.#request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(octets: Buffer): void {
    if (this.#leftBytes > 0) {
      this.#readBody(octets.length);
      return;
    }
    this.#head += octets.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#head.slice(0, end);
    const bodyBytes = this.#head.length - end - HEAD_END.length;
    this.#head = '';
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    this.#isRight = head.startsWith('HTTP/1.1 200') && length === this.#replyBytes;
    // Without a length there is no saying where the reply ends.
    if (!(length >= 0)) this.#socket.destroy();
    this.#leftBytes = length;
    this.#readBody(bodyBytes);
  }

  #readBody(bytes: number): void {
    this.#leftBytes -= bytes;
    if (this.#leftBytes < 0) this.#socket.destroy();
    else if (this.#leftBytes === 0) this.#end(this.#isRight);
  }

  #end(isRight: boolean): void {
    const dueMs = this.#dueMs;
    if (dueMs === undefined) return;
    this.#dueMs = undefined;
    this.#finished(this, dueMs, isRight);
  }
}

function requestOf({ port, method, path, bodyBytes }: RequestShape): Buffer {
  const length = bodyBytes === 0 ? '' : `content-length: ${bodyBytes}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${length}\r\n${'x'.repeat(bodyBytes)}`);
}
