// http-connection.ts -- one connection of HTTP/1: the replies under way on it, in the order of their requests

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a body may go on that its reply did not wait for. */
const LEFTOVER_MS = 5000;

export class HttpConnection {
  readonly socket: Socket;
  /** A second refusal would say the same of the rest of the same request. */
  isRefused = false;
  /** The newest request; those before it have arrived whole. */
  #request: IncomingMessage | undefined;
  /** The newest reply and, where requests are pipelined, those before it that are not finished. */
  readonly #replies: ServerResponse[] = [];
  /** Since when the newest request is of no use, though not at its end. */
  #leftoverSinceMs: number | undefined;
  #halfClosedSinceMs: number | undefined;
  #written = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** False: the connection ends with a reply before this one, and the request is not to be looked at. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const replies = this.#replies;
    if (this.isRefused || this.isEnding) return false;
    // Mostly there is one, and it is over: to shift and push would make a new array inside for every request.
    if (replies.length === 1 && isOver(replies[0]!)) replies[0] = response;
    else {
      while (replies.length > 0 && isOver(replies[0]!)) replies.shift();
      replies.push(response);
    }
    this.#request = request;
    this.#leftoverSinceMs = undefined;
    return true;
  }

  /** Has the client, or a reply, said that this reply is the last one? */
  get isEnding(): boolean {
    return this.#replies.at(-1)?.shouldKeepAlive === false;
  }

  /** The reply to the request that is still arriving, when it was handled already. */
  get unreadReply(): ServerResponse | undefined {
    const reply = this.#replies.at(-1);
    return this.#request?.complete === false && reply !== undefined && !isOver(reply) ? reply : undefined;
  }

  /** The reply that the connection waits for last, that to an unread request aside. */
  get lastReply(): ServerResponse | undefined {
    const unread = this.unreadReply;
    return this.#replies.findLast((each) => each !== unread && !isOver(each));
  }

  /** The newest of the replies, which now says that it is the last one when it can still say so. */
  sayLast(): ServerResponse | undefined {
    const reply = this.#replies.findLast((each) => !isOver(each));
    if (reply?.headersSent === false) reply.shouldKeepAlive = false;
    return reply;
  }

  /** The client sends no more. It may wait for its replies, or have gone: both look the same from here. */
  halfClose(nowMs: number): void {
    this.#halfClosedSinceMs ??= nowMs;
  }

  /** Is there nothing to wait for any more? To be asked from time to time. */
  isStuck(nowMs: number, halfClosedMs: number): boolean {
    const request = this.#request;
    const reply = this.#replies.at(-1);
    if (request !== undefined && reply !== undefined && !request.complete && isOver(reply)) {
      this.#leftoverSinceMs ??= nowMs;
      if (nowMs - this.#leftoverSinceMs > LEFTOVER_MS) return true;
    }
    if (this.#halfClosedSinceMs === undefined) return false;
    const { bytesWritten } = this.socket;
    if (bytesWritten !== this.#written) this.#halfClosedSinceMs = nowMs;
    this.#written = bytesWritten;
    return nowMs - this.#halfClosedSinceMs > halfClosedMs;
  }
}

function isOver(reply: ServerResponse): boolean {
  return reply.writableFinished || reply.destroyed;
}
