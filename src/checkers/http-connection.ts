// http-connection.ts -- one connection that carries HTTP requests, one at a time

import type { Socket } from 'node:net';
import { errorMessage } from '../base/errors.ts';
import { type HttpResponse, HttpResponseReader, type ReaderOptions } from './http-response.ts';
import { ConnectionLost, type KeptConnection } from './kept-connections.ts';
import type { ProbeSignal } from './probe-signal.ts';

interface Exchange {
  readonly reader: HttpResponseReader;
  hasBegun: boolean;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (reason: unknown) => void;
}

/** Owns `socket` from now on. It is closed when it is idle for `idleLimitMs`, and when anything comes in unasked. */
export class HttpConnection implements KeptConnection {
  readonly openedMs = performance.now();
  readonly #socket: Socket;
  #exchange: Exchange | undefined;

  constructor(socket: Socket, idleLimitMs: number) {
    this.#socket = socket;
    socket.on('data', (octets: Buffer) => this.#read(octets));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
    socket.setTimeout(idleLimitMs, () => {
      if (this.#exchange === undefined) socket.destroy();
    });
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  onClose(listener: () => void): void {
    this.#socket.once('close', listener);
  }

  /** Send a request and read the response. Rejects, with the connection closed, when that fails or `signal` aborts. */
  exchange(request: Buffer, options: ReaderOptions, signal: ProbeSignal): Promise<HttpResponse> {
    return new Promise<HttpResponse>((resolve, reject) => {
      const exchange = { reader: new HttpResponseReader(options), hasBegun: false, resolve, reject };
      this.#exchange = exchange;
      // A later exchange on this connection is no concern of this signal.
      signal.onAbort(() => this.#exchange === exchange && this.#fail(signal.reason));
      if (signal.aborted) return;
      if (!this.isOpen) this.#fail(new Error('the connection was closed'));
      else this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(octets: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.#socket.destroy();
      return;
    }
    exchange.hasBegun = true;
    this.#attempt(exchange, () => exchange.reader.push(octets));
  }

  #ended(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) this.#socket.destroy();
    else if (exchange.hasBegun) this.#attempt(exchange, () => exchange.reader.end());
    else this.#fail(new Error('the connection was closed without an answer'));
  }

  #attempt(exchange: Exchange, read: () => HttpResponse | undefined): void {
    try {
      const response = read();
      if (response === undefined) return;
      this.#exchange = undefined;
      if (!response.isReusable) this.#socket.destroy();
      exchange.resolve(response);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(reason: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#socket.destroy();
    if (exchange === undefined) return;
    exchange.reject(exchange.hasBegun ? reason : new ConnectionLost(errorMessage(reason), { cause: reason }));
  }
}
