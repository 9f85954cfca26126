// tcp-connection.ts -- one DNS client over TCP or TLS: length-prefixed messages, pipelined (RFC 7766)
//
// At most one incomplete message is buffered, beside what one read brought. While the client does not take its replies,
// a zone is sent, or too many questions wait for an upstream, nothing more is read from it. Replies come in the order of
// their questions, but for those that an upstream has to be asked for.

import type { Socket } from 'node:net';
import { FORWARD, NO_REPLY, TRANSFER } from '../nameserver/verdict.ts';
import type { Answerer, Deferred } from './answerer.ts';
import type { ConnectionClient } from './connection-client.ts';
import {
  type ConnectionTable,
  DRAIN_MS,
  type DropCause,
  type Seat,
  type StreamLimits,
  type StreamTransport,
} from './connection-table.ts';
import { eventLoopTurn } from './event-loop-turn.ts';
import { InputOctets } from './input-octets.ts';

const MAX_MESSAGE = 65535;
/** Questions of one connection that wait for an upstream at once. */
const MAX_FORWARDED = 32;
/** Questions of one connection that are answered in one turn of the event loop. */
const MESSAGES_PER_TURN = 16;
/** Of a zone: they are much longer. */
const ZONE_MESSAGES_PER_TURN = 4;
/** Replies are sent together until they are as long. */
const GATHERED_BYTES = 16 * 1024;
/** Shared by all connections: what is gathered is sent before anybody else's turn. */
const GATHERED = new Uint8Array(GATHERED_BYTES + 2 + MAX_MESSAGE);

export interface TcpConnectionOptions {
  readonly answer: Answerer;
  /** Without it, no answerer may come to such verdicts. */
  readonly deferred?: Deferred | undefined;
  readonly table: ConnectionTable;
  readonly transport: StreamTransport;
  readonly client: ConnectionClient;
  /** What connections of one source are counted under; undefined: not at all. */
  readonly source: string | undefined;
  readonly onClose: () => void;
}

export class TcpConnection implements Seat {
  readonly #socket: Socket;
  readonly #options: TcpConnectionOptions;
  readonly #input = new InputOctets();
  /** The zone that is being sent. */
  #transfer: ReturnType<Deferred['transfer']> | undefined;
  #forwarded = 0;
  /** Octets in GATHERED. */
  #gathered = 0;
  #ended = false;
  /** When we said that we are done; what comes in after is thrown away. */
  #finishedSinceMs: number | undefined;
  /** When a whole query last came in: dribbling octets does not count as activity. */
  #activeMs: number;
  #hasAsked = false;
  /** Since when replies have been waiting for the client; undefined when none are. */
  #blockedSinceMs: number | undefined;
  #isPaused = false;
  /** Ends when all is answered that has arrived. */
  #isLeaving = false;
  /** A turn is waited for, to see whether anything comes in. */
  #isListening = false;
  /** Something came in since. */
  #hasHeard = false;
  /** Messages that were answered the last time. */
  #answered = 0;

  /** `read` begins to read the connection: it calls what it is given with all that comes. */
  constructor(read: (receive: (octets: Uint8Array) => boolean) => Socket, options: TcpConnectionOptions) {
    this.#options = options;
    this.#activeMs = options.table.clock.monotonicMs();
    const socket = read((octets) => this.#receive(octets));
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('end', () => this.#end());
    // Resets and the like end in 'close'; there is nobody to tell.
    socket.on('error', () => {});
    socket.on('close', () => {
      options.table.remove(this);
      this.#input.clear();
      this.#transfer?.return?.();
      this.#transfer = undefined;
      options.onClose();
    });
    options.table.add(this);
  }

  get transport(): StreamTransport {
    return this.#options.transport;
  }

  get source(): string | undefined {
    return this.#options.source;
  }

  /** Is a message under way in either direction? */
  get #isBusy(): boolean {
    return this.#input.length > 0 || this.#blockedSinceMs !== undefined || this.#isWaiting;
  }

  /** Is a reply still to come that is not there yet? */
  get #isWaiting(): boolean {
    return this.#transfer !== undefined || this.#forwarded > 0;
  }

  /** May the next query be looked at? */
  get #mayGoOn(): boolean {
    return this.#blockedSinceMs === undefined && this.#transfer === undefined && this.#forwarded < MAX_FORWARDED;
  }

  /** Has it said that it is done? */
  get isFinishing(): boolean {
    return this.#finishedSinceMs !== undefined;
  }

  /** Drop the connection at once. */
  destroy(): void {
    this.#options.table.remove(this);
    this.#socket.destroy();
  }

  /** Drop the connection at once, and count it. */
  drop(cause: DropCause): void {
    this.#options.table.dropped(cause);
    this.destroy();
  }

  /** It has held memory for longer than any other, and there is too little. */
  giveWay(): void {
    this.drop('memory');
  }

  /** Answer what has arrived by now, then finish. */
  leave(): void {
    this.#isLeaving = true;
    this.#leaveInTurn();
  }

  #leaveInTurn(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#hasHeard = false;
    void eventLoopTurn().then(() => {
      this.#isListening = false;
      // What comes in brings it back here, and so does the end of what keeps it busy.
      if (this.#hasHeard) this.#leaveInTurn();
      else if (!this.#isBusy && !this.#socket.destroyed) this.finish();
    });
  }

  /**
   * Let what is written reach the client, then close. Goes on taking what the client sends, since closing with octets
   * unread resets the connection and may cost the client the replies; `destroy` ends that.
   */
  finish(): void {
    if (this.#finishedSinceMs !== undefined) return;
    this.#finishedSinceMs = this.#options.table.clock.monotonicMs();
    this.#input.clear();
    this.#options.table.turns.remove(this);
    this.#socket.end();
    this.#socket.resume();
  }

  /** End what has taken too long. */
  lookAtClock(nowMs: number, limits: StreamLimits): void {
    const silentMs = nowMs - this.#activeMs;
    if (nowMs - (this.#finishedSinceMs ?? nowMs) > DRAIN_MS) this.destroy();
    else if (nowMs - (this.#blockedSinceMs ?? nowMs) > limits.writeTimeoutMs) this.drop('unread');
    else if (this.#finishedSinceMs !== undefined || this.#isWaiting) return;
    else if (silentMs > (this.#hasAsked ? limits.idleTimeoutMs : limits.firstQueryTimeoutMs)) {
      if (this.#isBusy) this.drop('idle');
      else {
        this.#options.table.dropped('idle');
        this.finish();
      }
    }
  }

  /** Go on with the zone, or answer a few of the questions that are there already. */
  takeTurn(): void {
    if (this.#finishedSinceMs !== undefined || this.#socket.destroyed) return;
    if (this.#transfer !== undefined && this.#blockedSinceMs === undefined) this.#sendTransfer();
    if (this.#mayGoOn) this.#input.drop(this.#answerFrom(this.#input.view(), MESSAGES_PER_TURN));
    this.#lookAround();
  }

  /** Take what came in; says whether to go on reading. */
  #receive(octets: Uint8Array): boolean {
    this.#hasHeard = true;
    if (this.#finishedSinceMs !== undefined) return true;
    let used = 0;
    // Most messages come whole and alone, and are answered where they are.
    if (this.#input.length === 0 && this.#mayGoOn) used = this.#answerAtOnce(octets);
    if (this.#socket.destroyed) return false;
    const had = this.#input.length;
    this.#input.append(octets.subarray(used));
    if (had > 0 && this.#mayGoOn && this.#hasWholeMessage) this.#input.drop(this.#answerAtOnce(this.#input.view()));
    return this.#lookAround();
  }

  /** See to what comes next; says whether to go on reading. */
  #lookAround(): boolean {
    const { table, client } = this.#options;
    if (this.#socket.destroyed) return false;
    table.held.set(this, this.#input.capacity + (this.#blockedSinceMs === undefined ? 0 : this.#socket.writableLength));
    if (this.#socket.destroyed) return false;
    if (this.#finishedSinceMs !== undefined) return true;
    const hasTurn = this.#mayGoOn ? this.#hasWholeMessage : this.#transfer !== undefined && !this.#isBlocked;
    if (hasTurn) table.turns.add(this);
    if (hasTurn || !this.#mayGoOn) {
      this.#isPaused = true;
      this.#socket.pause();
      return false;
    }
    if (this.#ended && !this.#isWaiting) this.#socket.end();
    else if (client.isToldToGo && !this.#isBusy) this.finish();
    else if (this.#isPaused) {
      this.#isPaused = false;
      this.#socket.resume();
    }
    if (this.#isLeaving && !this.#isBusy) this.#leaveInTurn();
    return true;
  }

  get #isBlocked(): boolean {
    return this.#blockedSinceMs !== undefined;
  }

  get #hasWholeMessage(): boolean {
    const { length } = this.#input;
    if (length < 2) return false;
    const announced = this.#input.view().readUInt16BE(0);
    return announced === 0 || length >= 2 + announced;
  }

  /** The client will ask no more. */
  #end(): void {
    this.#ended = true;
    this.#lookAround();
  }

  /** As many as all connections together are allowed in this turn. */
  #answerAtOnce(octets: Uint8Array): number {
    const { turns } = this.#options.table;
    const used = this.#answerFrom(octets, Math.min(MESSAGES_PER_TURN, turns.allowance));
    turns.spend(this.#answered);
    return used;
  }

  /** Answer the messages at the beginning of `octets`, as many as may be; returns the octets they have. */
  #answerFrom(octets: Uint8Array, most: number): number {
    let at = 0;
    this.#answered = 0;
    for (; this.#answered < most && this.#mayGoOn && octets.length - at >= 2; this.#answered++) {
      const length = (octets[at]! << 8) | octets[at + 1]!;
      if (length === 0) {
        this.#flush();
        this.destroy();
        return octets.length;
      }
      if (octets.length - at < 2 + length) break;
      this.#answerOne(octets.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    this.#flush();
    if (at > 0) this.#touch();
    return at;
  }

  #touch(): void {
    const { table } = this.#options;
    this.#activeMs = table.clock.monotonicMs();
    this.#hasAsked = true;
    table.touch(this);
  }

  #answerOne(query: Uint8Array): void {
    const { answer, transport, deferred, client } = this.#options;
    const length = answer(query, transport, GATHERED.subarray(this.#gathered + 2), client);
    if (length > 0) this.#gather(length);
    if (length >= NO_REPLY || deferred === undefined) return;
    // Others' code runs now: what is gathered would not be safe.
    this.#flush();
    if (length === FORWARD) this.#forward(Uint8Array.from(query), deferred);
    else if (length === TRANSFER) {
      this.#transfer = deferred.transfer(Uint8Array.from(query), client);
      this.#sendTransfer();
    }
  }

  #forward(query: Uint8Array, deferred: Deferred): void {
    const { transport, client } = this.#options;
    this.#forwarded++;
    deferred.forward(query, transport, client, (message) => {
      this.#forwarded--;
      if (!this.#socket.writable) return;
      this.#activeMs = this.#options.table.clock.monotonicMs();
      GATHERED.set(message, 2);
      this.#gather(message.length);
      this.#flush();
      this.#lookAround();
    });
  }

  /** Some messages of the zone, if the client takes as many; they are made when there is room for them. */
  #sendTransfer(): void {
    for (let left = ZONE_MESSAGES_PER_TURN; left > 0 && this.#transfer !== undefined && !this.#isBlocked; left--) {
      const { value, done } = this.#transfer.next();
      if (done) this.#transfer = undefined;
      else if (value === undefined) break;
      else {
        GATHERED.set(value, this.#gathered + 2);
        this.#gather(value.length);
      }
    }
    this.#flush();
    this.#touch();
  }

  /** The reply of `length` octets stands in GATHERED, behind room for its length. */
  #gather(length: number): void {
    GATHERED[this.#gathered] = length >>> 8;
    GATHERED[this.#gathered + 1] = length & 0xff;
    this.#gathered += 2 + length;
    if (this.#gathered >= GATHERED_BYTES) this.#flush();
  }

  /** Send what is gathered: length and message in one piece (RFC 7766 section 8), and few small ones. */
  #flush(): void {
    if (this.#gathered === 0) return;
    const socket = this.#socket;
    // Small ones share their memory, which makes far less garbage.
    const octets = Buffer.allocUnsafe(this.#gathered);
    octets.set(GATHERED.subarray(0, this.#gathered));
    this.#gathered = 0;
    socket.write(octets, this.#written);
    // The system did not take it all at once.
    if (socket.writableLength > 0) this.#blockedSinceMs ??= this.#options.table.clock.monotonicMs();
  }

  readonly #written = (): void => {
    if (this.#blockedSinceMs === undefined || this.#socket.writableLength > 0) return;
    this.#blockedSinceMs = undefined;
    this.#lookAround();
  };
}
