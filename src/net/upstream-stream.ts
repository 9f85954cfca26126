// upstream-stream.ts -- queries to an upstream by TCP or TLS: one connection, used again, many queries under way
//
// RFC 7766 and RFC 7858. Opened when it is needed and closed when it is idle. What is under way when an upstream closes
// a connection that had been in use is asked once more on a new one: it may have been closing while we asked.

import { randomInt } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { identityProblem } from './certificate-identity.ts';
import type { UpstreamAddress } from './upstream-address.ts';
import { type ForwardedQuestion, makeUpstreamQuery, markOf, matchReply, type UpstreamQuery } from './upstream-query.ts';
import type { Cancel } from './upstream-udp.ts';

/** What became of a query. Over a stream nobody can guess, so the case of letters proves nothing more. */
export type StreamOutcome =
  | { readonly kind: 'reply'; readonly message: Uint8Array; readonly keepsCase: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

export interface UpstreamStreamOptions {
  readonly address: UpstreamAddress;
  readonly clock: Clock;
  /** PEM of the authorities that vouch for a TLS upstream; undefined: those that Node knows. */
  readonly authorities?: string | undefined;
  /** The marks of all queries under way. */
  readonly marks: Set<string>;
  /** Told of each message that is no reply to anything. */
  onWrong(): void;
}

interface Waiting {
  readonly question: ForwardedQuestion;
  query: UpstreamQuery;
  readonly done: (outcome: StreamOutcome) => void;
  readonly onWrong: () => void;
  wasRepeated: boolean;
  /** Messages that the connection had received when this was sent. */
  receivedBefore: number;
  sentMs: number;
}

const IDLE_MS = 10_000;
/** A connection that was silent for so long when a query had its time is given up. */
const DEAD_MS = 500;
/** Queries under way on the connection; more fail at once. */
const MAX_WAITING = 256;
const MAX_MESSAGE = 65_535;
const ID_TRIES = 16;

export class UpstreamStream {
  readonly #options: UpstreamStreamOptions;
  readonly #waiting = new Map<number, Waiting>();
  #socket: Socket | undefined;
  #isReady = false;
  #received = 0;
  #chunks: Buffer = Buffer.alloc(0);
  #idle: Timer | undefined;
  #session: Buffer | undefined;

  constructor(options: UpstreamStreamOptions) {
    this.#options = options;
  }

  /**
   * Ask; `done` is called once, unless it is cancelled before. `onWrong` is told of messages with the id of the query
   * that are no reply to it.
   */
  ask(question: ForwardedQuestion, done: (outcome: StreamOutcome) => void, onWrong: () => void = () => {}): Cancel {
    const waiting: Waiting = {
      question,
      query: this.#makeQuery(question),
      done,
      onWrong,
      wasRepeated: false,
      receivedBefore: this.#received,
      sentMs: this.#options.clock.monotonicMs(),
    };
    if (this.#waiting.size >= MAX_WAITING || this.#waiting.has(waiting.query.id)) {
      queueMicrotask(() => done({ kind: 'failed', reason: 'too many queries under way' }));
      return () => {};
    }
    this.#idle?.cancel();
    this.#add(waiting);
    if (this.#socket === undefined) this.#open();
    else if (this.#isReady) this.#send(waiting);
    return () => this.#forget(waiting);
  }

  /** Drop the connection, and whatever is under way without a word. */
  close(): void {
    for (const each of [...this.#waiting.values()]) this.#remove(each);
    this.#drop();
  }

  #add(waiting: Waiting): void {
    const { id, octets, questionEnd } = waiting.query;
    this.#waiting.set(id, waiting);
    this.#options.marks.add(markOf(octets, questionEnd));
  }

  #remove({ query: { id, octets, questionEnd } }: Waiting): void {
    this.#waiting.delete(id);
    this.#options.marks.delete(markOf(octets, questionEnd));
  }

  #makeQuery(question: ForwardedQuestion): UpstreamQuery {
    let id = randomInt(0x10000);
    for (let i = 0; i < ID_TRIES && this.#waiting.has(id); i++) id = randomInt(0x10000);
    return makeUpstreamQuery(question, this.#options.address.tls !== undefined, id);
  }

  /** A connection on which nothing came since this was sent may be dead: what else waits there is asked over another. */
  #forget(waiting: Waiting): void {
    if (this.#waiting.get(waiting.query.id) !== waiting) return;
    this.#remove(waiting);
    const isSilent = this.#received === waiting.receivedBefore;
    const waitedMs = this.#options.clock.monotonicMs() - waiting.sentMs;
    if (isSilent && this.#waiting.size === 0) this.#drop();
    else if (isSilent && waitedMs >= DEAD_MS) this.#lose('nothing came over the connection');
    else this.#restWhenIdle();
  }

  #open(): void {
    const socket = this.#connect();
    this.#socket = socket;
    this.#received = 0;
    for (const each of this.#waiting.values()) this.#noteSent(each);
    const isCurrent = (): boolean => this.#socket === socket;
    const ready = (): void => {
      if (!isCurrent()) return;
      this.#isReady = true;
      for (const each of this.#waiting.values()) this.#send(each);
    };
    socket.setNoDelay(true);
    socket.once(this.#options.address.tls === undefined ? 'connect' : 'secureConnect', ready);
    socket.on('session', (session: Buffer) => {
      this.#session = session;
    });
    socket.on('data', (chunk: Buffer) => {
      if (isCurrent()) this.#receive(chunk);
    });
    let reason = 'the connection was closed';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message;
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (isCurrent()) this.#lose(reason);
    });
  }

  #connect(): Socket {
    const { endpoint, tls } = this.#options.address;
    const place = { host: endpoint.address, port: endpoint.port };
    if (tls === undefined) return connectTcp(place);
    const name = tls.serverName ?? endpoint.address;
    const { authorities } = this.#options;
    const socket: TLSSocket = connectTls({
      ...place,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...(this.#session === undefined ? {} : { session: this.#session }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['dot'],
      checkServerIdentity: (_, certificate) => identityProblem(name, certificate),
    });
    return socket;
  }

  #noteSent(waiting: Waiting): void {
    waiting.receivedBefore = this.#received;
    waiting.sentMs = this.#options.clock.monotonicMs();
  }

  #send(waiting: Waiting): void {
    const { octets } = waiting.query;
    this.#noteSent(waiting);
    // Length and message in one segment (RFC 7766 section 8).
    this.#socket?.write(Buffer.concat([Uint8Array.of(octets.length >>> 8, octets.length & 0xff), octets]));
  }

  #receive(chunk: Buffer): void {
    this.#chunks = this.#chunks.length === 0 ? chunk : Buffer.concat([this.#chunks, chunk]);
    let at = 0;
    while (this.#chunks.length - at >= 2) {
      const length = this.#chunks.readUInt16BE(at);
      if (this.#chunks.length - at < 2 + length) break;
      this.#take(this.#chunks.subarray(at + 2, at + 2 + length));
      // Whoever was told may have closed us.
      if (this.#socket === undefined) return;
      at += 2 + length;
    }
    if (at > 0) this.#chunks = Buffer.from(this.#chunks.subarray(at));
    if (this.#chunks.length > 2 + MAX_MESSAGE) this.#drop();
  }

  #take(message: Uint8Array): void {
    this.#received++;
    const id = message.length < 2 ? -1 : (message[0]! << 8) | message[1]!;
    const waiting = this.#waiting.get(id);
    const match = waiting === undefined ? 'wrong' : matchReply(waiting.query, message);
    if (waiting === undefined || match === 'wrong') {
      this.#options.onWrong();
      waiting?.onWrong();
      return;
    }
    this.#remove(waiting);
    this.#restWhenIdle();
    waiting.done({ kind: 'reply', message: Uint8Array.from(message), keepsCase: match === 'same' });
  }

  #restWhenIdle(): void {
    if (this.#waiting.size > 0) return;
    this.#idle?.cancel();
    this.#idle = this.#options.clock.after(IDLE_MS, () => {
      if (this.#waiting.size === 0) this.#drop();
    });
  }

  #drop(): void {
    this.#idle?.cancel();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isReady = false;
    this.#chunks = Buffer.alloc(0);
    socket?.destroy();
  }

  #lose(reason: string): void {
    const hadAnswered = this.#isReady && this.#received > 0;
    this.#drop();
    const lost = [...this.#waiting.values()];
    const again = lost.filter(({ wasRepeated }) => hadAnswered && !wasRepeated);
    for (const each of lost) this.#remove(each);
    for (const each of again) {
      each.wasRepeated = true;
      each.query = this.#makeQuery(each.question);
      this.#add(each);
    }
    if (again.length > 0) this.#open();
    for (const each of lost) if (!again.includes(each)) each.done({ kind: 'failed', reason });
  }
}
