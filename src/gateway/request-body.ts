// request-body.ts -- the body of a client's request on its way to an instance, no faster than the instance reads

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { Readable } from 'node:stream';

export interface BodyListener {
  /** The instance is there and wants the body; nothing of it was read before. */
  bodyBegins(): void;
  bodyMoves(octets: number): void;
  bodyEnds(): void;
}

/** For one attempt. Destroying it leaves the request alone, which undici would destroy with the client's connection. */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage | Http2ServerRequest;
  readonly #listener: BodyListener;
  #isReading = false;
  #isHeld = false;

  constructor(request: IncomingMessage | Http2ServerRequest, listener: BodyListener) {
    super({ highWaterMark: 65_536 });
    this.#request = request;
    this.#listener = listener;
  }

  /** The instance does not read on. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  override _read(): void {
    this.#isHeld = false;
    if (this.#isReading) {
      this.#request.resume();
      return;
    }
    this.#isReading = true;
    this.#listener.bodyBegins();
    this.#request.on('data', this.#onData);
    this.#request.on('end', this.#onEnd);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#isReading) {
      this.#request.off('data', this.#onData);
      this.#request.off('end', this.#onEnd);
      this.#request.pause();
    }
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#listener.bodyMoves(chunk.length);
    if (this.push(chunk)) return;
    this.#isHeld = true;
    this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.#listener.bodyEnds();
    this.push(null);
  };
}
