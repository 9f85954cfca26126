// tcp-connection.ts -- one DNS client over TCP: length-prefixed messages, pipelined, answered in order (RFC 7766)
//
// At most one incomplete message is buffered. While the client does not take its replies, nothing more is read from
// it, so what a connection can make us hold is bounded.

import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { AddressClient } from '../nameserver/client.ts';
import type { Answerer } from './answerer.ts';

const MAX_MESSAGE = 65535;
/** Shared by all connections: a query is answered before the next one is looked at. */
const REPLY = new Uint8Array(2 + MAX_MESSAGE);

export class TcpConnection {
  readonly #socket: Socket;
  readonly #answer: Answerer;
  readonly #clock: Clock;
  readonly #client: AddressClient;
  /** Octets received and not yet answered: part of a message, or more when reading is paused. */
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;
  /** When we said that we are done; what comes in after is thrown away. */
  finishedSinceMs: number | undefined;
  /** When a whole query last came in: dribbling octets does not count as activity. */
  lastQueryMs: number;
  /** Since when replies have been waiting for the client; undefined when none are. */
  blockedSinceMs: number | undefined;

  constructor(socket: Socket, answer: Answerer, clock: Clock) {
    this.#socket = socket;
    this.#answer = answer;
    this.#clock = clock;
    // While the socket is open: afterwards it does not know any more.
    this.#client = new AddressClient(socket.remoteAddress);
    this.lastQueryMs = clock.monotonicMs();
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk as Buffer));
    socket.on('drain', () => this.#resume());
    socket.on('end', () => this.#end());
    // Resets and the like end in 'close'; there is nobody to tell.
    socket.on('error', () => {});
  }

  /** Is a message under way in either direction? */
  get isBusy(): boolean {
    return this.#pending.length > 0 || this.blockedSinceMs !== undefined;
  }

  /** Drop the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Let what is written reach the client, then close. Goes on taking what the client sends, since closing with octets
   * unread resets the connection and may cost the client the replies; `destroy` ends that.
   */
  finish(): void {
    if (this.finishedSinceMs !== undefined) return;
    this.finishedSinceMs = this.#clock.monotonicMs();
    this.#pending = Buffer.alloc(0);
    this.#socket.end();
    this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    if (this.finishedSinceMs !== undefined) return;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#answerPending();
  }

  #resume(): void {
    this.blockedSinceMs = undefined;
    if (this.finishedSinceMs !== undefined) return;
    this.#socket.resume();
    this.#answerPending();
  }

  #end(): void {
    this.#ended = true;
    if (this.blockedSinceMs === undefined) this.#socket.end();
  }

  #answerPending(): void {
    let at = 0;
    const pending = this.#pending;
    while (this.blockedSinceMs === undefined && pending.length - at >= 2) {
      const length = pending.readUInt16BE(at);
      if (length === 0) {
        this.destroy();
        return;
      }
      if (pending.length - at < 2 + length) break;
      this.#answerOne(pending.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    // A copy of the rest, so that a long-gone chunk is not kept alive by its tail.
    if (at > 0) this.#pending = Buffer.from(pending.subarray(at));
    if (this.#ended && this.blockedSinceMs === undefined) this.#socket.end();
  }

  #answerOne(query: Uint8Array): void {
    this.lastQueryMs = this.#clock.monotonicMs();
    const length = this.#answer(query, 'tcp', REPLY.subarray(2), this.#client);
    if (length === 0) return;
    REPLY[0] = length >>> 8;
    REPLY[1] = length & 0xff;
    // Length and message in one segment (RFC 7766 section 8).
    if (this.#socket.write(Buffer.from(REPLY.subarray(0, 2 + length)))) return;
    this.blockedSinceMs = this.lastQueryMs;
    this.#socket.pause();
  }
}
