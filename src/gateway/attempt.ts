// attempt.ts -- one request to one instance: what undici calls back, and a connection that is given back exactly once

import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { RequestBody } from './request-body.ts';
import type { Connection, Upstream } from './upstream.ts';

/** Whoever made the attempt hears of one of `attemptFailed` and `attemptEnded`, or has cancelled it. */
export interface AttemptListener {
  informed(status: number, raw: readonly Buffer[]): void;
  /** Can the client be told this status? */
  canReplyWith(status: number): boolean;
  /** The head of the reply. `false`: its body is to be thrown away. */
  replied(attempt: Attempt, status: number, raw: readonly Buffer[], phrase: string): boolean;
  /** False: no more before `resume`. */
  bodyCame(chunk: Buffer): boolean;
  attemptEnded(attempt: Attempt, trailers: readonly Buffer[]): void;
  attemptFailed(attempt: Attempt, error: Error): void;
}

export interface AttemptRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  readonly body: RequestBody | null;
}

/** Of a reply that is thrown away so much is read, as its connection can be kept. */
const MAX_DISCARD = 65_536;

export class Attempt {
  readonly instance: string;
  readonly upstream: Upstream;
  readonly startedMs: number;
  /** The connection carried other requests before: the instance may have closed it just now. */
  readonly isReused: boolean;
  /** Octets of the request may have been sent. */
  isSent = false;
  hasReply = false;
  #status = 0;
  readonly #connection: Connection;
  readonly #listener: AttemptListener;
  #resume: (() => void) | undefined;
  #isOver = false;
  #discarded = -1;

  constructor(upstream: Upstream, instance: string, isFresh: boolean, listener: AttemptListener, nowMs: number) {
    this.upstream = upstream;
    this.instance = instance;
    this.startedMs = nowMs;
    this.#listener = listener;
    this.#connection = upstream.take(isFresh);
    this.isReused = this.#connection.uses > 1;
    upstream.load.requests++;
    upstream.load.begin();
  }

  /** May call back at once. */
  send(request: AttemptRequest): void {
    const { tls, serverName } = this.upstream.place;
    const options: Dispatcher.DispatchOptions & { servername?: string } = {
      method: request.method as Dispatcher.HttpMethod,
      path: request.path,
      headers: request.headers,
      body: request.body as Readable | null,
      // The connection is kept after HEAD as well.
      reset: false,
    };
    if (tls !== undefined) options.servername = serverName;
    this.#connection.dispatch(options, this as unknown as Dispatcher.DispatchHandler);
  }

  /** Nothing more is heard of it, and its connection is cut. Harmless when it is over. */
  cancel(): void {
    this.#end(true);
  }

  /** Octets of the body follow. */
  bodyBegins(): void {
    this.#connection.readOnAfterBrokenWrites();
  }

  /** Go on with a reply whose `bodyCame` said false. */
  resume(): void {
    if (!this.#isOver) this.#resume?.();
  }

  /** Of undici: the request is about to be written. */
  onConnect(_abort: (error?: Error) => void): void {
    if (this.#isOver) throw new Error('cancelled');
    this.isSent = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, phrase: string): boolean {
    if (this.#isOver) return false;
    if (status < 200) {
      this.#listener.informed(status, raw);
      return true;
    }
    // It is an error of the attempt: nothing of the reply has gone to the client yet.
    if (hasOtherCoding(raw)) throw new Error('the reply has another transfer coding than chunked');
    if (!this.#listener.canReplyWith(status)) throw new Error(`a reply cannot have the status ${status}`);
    this.hasReply = true;
    this.#status = status;
    this.#resume = resume;
    if (!this.#listener.replied(this, status, raw, phrase)) this.#discarded = 0;
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#isOver) return false;
    if (this.#discarded < 0) return this.#listener.bodyCame(chunk);
    this.#discarded += chunk.length;
    if (this.#discarded > MAX_DISCARD) this.cancel();
    return true;
  }

  onComplete(trailers: Buffer[]): void {
    if (!this.#end(false) || this.#discarded >= 0) return;
    this.#listener.attemptEnded(this, trailers);
  }

  onError(error: Error): void {
    if (!this.#end(true) || this.#discarded >= 0) return;
    // A 304 may say how long the body would be (RFC 9110 section 8.6). undici waits for that body.
    if (isBodiless(this.#status) && codeOf(error) === LENGTH_MISMATCH) this.#listener.attemptEnded(this, []);
    else this.#listener.attemptFailed(this, error);
  }

  #end(isBroken: boolean): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.upstream.load.end();
    this.upstream.giveBack(this.#connection, isBroken);
    return true;
  }
}

/** The instance or the way to it broke the connection, perhaps because it was idle for too long. */
export function isReset(error: Error): boolean {
  return RESETS.has(codeOf(error));
}

const RESETS = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET']);
const LENGTH_MISMATCH = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

const TRANSFER_ENCODING = 'transfer-encoding';

/** undici undoes `chunked` alone, whatever else is said: the rest would be taken for the content. */
function hasOtherCoding(raw: readonly Buffer[]): boolean {
  let codings = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    if (name.length !== TRANSFER_ENCODING.length || name.toString('latin1').toLowerCase() !== TRANSFER_ENCODING)
      continue;
    if (++codings > 1 || raw[i + 1]!.toString('latin1').toLowerCase() !== 'chunked') return true;
  }
  return false;
}
