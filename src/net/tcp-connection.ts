// tcp-connection.ts -- one DNS client over TCP: length-prefixed messages, pipelined, answered in order (RFC 7766)
//
// At most one incomplete message is buffered. While the client does not take its replies, a zone is sent, or too many
// questions wait for an upstream, nothing more is read from it, so what a connection can make us hold is bounded.

import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { AddressClient } from '../nameserver/client.ts';
import { FORWARD, TRANSFER } from '../nameserver/verdict.ts';
import type { Answerer, Deferred } from './answerer.ts';

const MAX_MESSAGE = 65535;
/** Questions of one connection that wait for an upstream at once. */
const MAX_FORWARDED = 32;
/** Shared by all connections: a query is answered before the next one is looked at. */
const REPLY = new Uint8Array(2 + MAX_MESSAGE);

export interface TcpConnectionOptions {
  readonly answer: Answerer;
  /** Without it, no answerer may come to such verdicts. */
  readonly deferred?: Deferred | undefined;
  readonly clock: Clock;
  readonly transport: 'tcp' | 'tls';
}

export class TcpConnection {
  readonly #socket: Socket;
  readonly #options: TcpConnectionOptions;
  readonly #client: AddressClient;
  /** The zone that is being sent. */
  #transfer: Iterator<Uint8Array> | undefined;
  #forwarded = 0;
  /** Octets received and not yet answered: part of a message, or more when reading is paused. */
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;
  /** When we said that we are done; what comes in after is thrown away. */
  finishedSinceMs: number | undefined;
  /** When a whole query last came in: dribbling octets does not count as activity. */
  lastQueryMs: number;
  /** Since when replies have been waiting for the client; undefined when none are. */
  blockedSinceMs: number | undefined;

  constructor(socket: Socket, options: TcpConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    // While the socket is open: afterwards it does not know any more.
    this.#client = new AddressClient(socket.remoteAddress);
    this.lastQueryMs = options.clock.monotonicMs();
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk as Buffer));
    socket.on('drain', () => this.#resume());
    socket.on('end', () => this.#end());
    // Resets and the like end in 'close'; there is nobody to tell.
    socket.on('error', () => {});
  }

  /** Is a message under way in either direction? */
  get isBusy(): boolean {
    return this.#pending.length > 0 || this.blockedSinceMs !== undefined || this.#isWaiting;
  }

  /** Is a reply still to come that is not there yet? */
  get #isWaiting(): boolean {
    return this.#transfer !== undefined || this.#forwarded > 0;
  }

  /** May the next query be looked at? */
  get #mayGoOn(): boolean {
    return this.blockedSinceMs === undefined && this.#transfer === undefined && this.#forwarded < MAX_FORWARDED;
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
    this.finishedSinceMs = this.#options.clock.monotonicMs();
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
    this.#sendTransfer();
    this.#goOn();
  }

  #goOn(): void {
    if (this.finishedSinceMs !== undefined || !this.#mayGoOn) return;
    this.#socket.resume();
    this.#answerPending();
  }

  #end(): void {
    this.#ended = true;
    this.#endWhenDone();
  }

  #answerPending(): void {
    let at = 0;
    const pending = this.#pending;
    while (this.#mayGoOn && pending.length - at >= 2) {
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
    if (!this.#mayGoOn) this.#socket.pause();
    this.#endWhenDone();
  }

  /** The client will ask no more, and has all its replies. */
  #endWhenDone(): void {
    if (this.#ended && this.blockedSinceMs === undefined && !this.#isWaiting) this.#socket.end();
  }

  #answerOne(query: Uint8Array): void {
    const { answer, clock, transport, deferred } = this.#options;
    this.lastQueryMs = clock.monotonicMs();
    const length = answer(query, transport, REPLY.subarray(2), this.#client);
    if (length > 0) this.#send(length);
    else if (length === FORWARD) this.#forward(Uint8Array.from(query));
    else if (length === TRANSFER) {
      this.#transfer = deferred?.transfer(Uint8Array.from(query), this.#client);
      this.#sendTransfer();
    }
  }

  #forward(query: Uint8Array): void {
    const { deferred, transport } = this.#options;
    this.#forwarded++;
    deferred?.forward(query, transport, this.#client, (message) => {
      this.#forwarded--;
      if (!this.#socket.writable) return;
      REPLY.set(message, 2);
      this.#send(message.length);
      this.#goOn();
      this.#endWhenDone();
    });
  }

  /** As many messages of the zone as the client takes. */
  #sendTransfer(): void {
    while (this.#transfer !== undefined && this.blockedSinceMs === undefined) {
      const { value, done } = this.#transfer.next();
      if (done) this.#transfer = undefined;
      else {
        REPLY.set(value, 2);
        this.#send(value.length);
      }
    }
  }

  /** Send the first `length` octets that stand in REPLY, behind their length. */
  #send(length: number): void {
    REPLY[0] = length >>> 8;
    REPLY[1] = length & 0xff;
    // Length and message in one segment (RFC 7766 section 8).
    if (this.#socket.write(Buffer.from(REPLY.subarray(0, 2 + length)))) return;
    this.blockedSinceMs = this.#options.clock.monotonicMs();
    this.#socket.pause();
  }
}
