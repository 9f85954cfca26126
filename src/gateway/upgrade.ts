// upgrade.ts -- requests that turn their connection into something else, as WebSocket does: a pipe between two sockets
//
// The instance hears nothing beyond the request itself before it has agreed (101). Otherwise a client could ask for an
// upgrade that is refused and send further requests behind it, past every rule of the gateway.

import { type IncomingMessage, request as requestPlain, type ServerResponse } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import { IdleWatch } from './idle-watch.ts';
import type { RequestHead } from './request-head.ts';
import { isFinalStatus, type ReplyAdditions, reasonPhrase, replyHeaders } from './response-headers.ts';
import { IDEMPOTENT } from './retries.ts';
import { Tunnel, type TunnelEnd } from './tunnel.ts';
import { plainReply } from './upgrade-reply.ts';
import { tlsOptions, type UpstreamPlace } from './upstream.ts';

/** What goes to one instance. */
export interface UpgradeAttempt {
  readonly place: UpstreamPlace;
  /** Path and query. */
  readonly target: string;
  /** Of request-headers.ts; `Connection` and `Upgrade` are added. */
  readonly headers: readonly string[];
  /** Until the head of the reply. */
  readonly timeoutMs: number;
  /** Without an octet in either direction, once the protocol has changed. */
  readonly idleTimeoutMs: number;
  /** Asked for when the head of the reply is there. */
  readonly additions: () => ReplyAdditions;
}

/** What comes of an attempt: either `failed`, or `replied` and then `ended`. */
export interface UpgradeListener {
  /**
   * There was no reply, and nothing was said to the client. The code of the error is `upstream_failed` or
   * `upstream_timeout`; `isSafe`: the instance cannot have acted on the request, or may do so twice.
   */
  failed(error: CodedError, isSafe: boolean): void;
  /** The head of a reply is there and goes to the client; 101: the protocol has changed. */
  replied(status: number): void;
  ended(end: TunnelEnd): void;
}

const MAX_HEADER_BYTES = 65_536;
/** Instances are spoken HTTP/1.1 to. A client that offers to go to HTTP/2 is answered in what it speaks already. */
const NOT_OFFERED = /^h(?:2c?|ttp\/2(?:\.0)?)$/i;

/** All upgraded connections, so that a stop can end them. */
export class Upgrades {
  readonly #clock: Clock;
  readonly #open = new Set<UpgradeExchange>();
  #whenEmpty: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests to be upgraded and upgraded connections. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * A request that `node:http` handed over with its socket. Throws CodedError `bad_request` when it cannot be relayed;
   * a refusal is then said on `plainReply` (upgrade-reply.ts).
   */
  open(request: IncomingMessage, head: RequestHead, socket: Duplex, early: Buffer): UpgradeExchange {
    const exchange = new UpgradeExchange(request, head, socket as Socket, early, this.#clock);
    this.#open.add(exchange);
    socket.once('close', () => {
      this.#open.delete(exchange);
      if (this.#open.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
    });
    return exchange;
  }

  /** Wait until all have ended, for at most `graceMs`, and then end them. May be called again with less time. */
  async close(graceMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    const cutOff = this.#clock.after(graceMs, () => {
      for (const exchange of this.#open) exchange.destroy();
    });
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    cutOff.cancel();
  }
}

/** One request of a client for another protocol. Attempts follow one another until one is answered. */
export class UpgradeExchange {
  readonly #request: IncomingMessage;
  readonly #head: RequestHead;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #offered: readonly string[];
  #body: BodyStart;
  #cancel: (() => void) | undefined;
  #tunnel: Tunnel | undefined;

  constructor(request: IncomingMessage, head: RequestHead, socket: Socket, early: Buffer, clock: Clock) {
    // Before anything can throw: an error without a listener ends the process.
    socket.on('error', ignore);
    if (head.isChunked) {
      throw new CodedError('bad_request', 'a request for another protocol cannot have a chunked body');
    }
    this.#request = request;
    this.#head = head;
    this.#socket = socket;
    this.#clock = clock;
    this.#offered = (head.upgrade ?? '')
      .split(',')
      .map((token) => token.trim())
      .filter((token) => token !== '' && !NOT_OFFERED.test(token));
    this.#body = { left: Number(head.contentLength ?? 0), sent: 0 };
    if (early.length > 0) socket.unshift(early);
    socket.once('close', () => this.#cancel?.());
  }

  /** Ask an instance. Not before the last attempt has failed. */
  attempt(attempt: UpgradeAttempt, listener: UpgradeListener): void {
    const { place } = attempt;
    const headers = [...attempt.headers];
    if (this.#offered.length === 0) headers.push('Connection', 'close');
    else headers.push('Connection', 'Upgrade', 'Upgrade', this.#offered.join(', '));
    const send = place.tls === undefined ? requestPlain : requestTls;
    const upstream = send({
      host: place.address,
      port: place.port,
      method: this.#head.method,
      path: attempt.target,
      headers,
      agent: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...{ allowHalfOpen: true, ALPNProtocols: ['http/1.1'] },
      ...tlsOptions(place),
    });
    let isConnected = false;
    let timer: Timer | undefined;
    const settle = (): boolean => {
      if (timer === undefined) return false;
      timer.cancel();
      timer = undefined;
      this.#cancel = undefined;
      return true;
    };
    const fail = (code: string, message: string): void => {
      if (!settle()) return;
      this.#stopBody();
      upstream.destroy();
      listener.failed(new CodedError(code, message), !isConnected || this.#isSafe());
    };
    timer = this.#clock.after(attempt.timeoutMs, () => fail('upstream_timeout', 'no reply from the instance in time'));
    this.#cancel = () => fail('upstream_failed', 'the client went away');
    upstream.on('socket', (socket) => {
      socket.once(place.tls === undefined ? 'connect' : 'secureConnect', () => {
        isConnected = true;
      });
    });
    upstream.on('error', (error) => fail('upstream_failed', error.message));
    upstream.on('response', (response) => {
      if (!isFinalStatus(response.statusCode ?? 0)) return fail('upstream_failed', 'the reply has no valid status');
      if (settle()) this.#relay(response, attempt, listener);
    });
    upstream.on('upgrade', (response, socket, first) => {
      socket.on('error', ignore);
      if (!this.#wasOffered(response.headers.upgrade)) {
        socket.destroy();
        return fail('upstream_failed', 'the instance changed to a protocol that was not asked for');
      }
      if (settle()) this.#join(response, socket as Socket, first, attempt, listener);
      else socket.destroy();
    });
    this.#sendBody(upstream);
  }

  /** End it, whatever it is at. */
  destroy(): void {
    this.#tunnel?.destroy();
    this.#socket.destroy();
  }

  /** Nothing may be done twice by sending it once more. */
  #isSafe(): boolean {
    return this.#body.sent === 0 && IDEMPOTENT.has(this.#head.method);
  }

  #wasOffered(protocol: string | undefined): boolean {
    const chosen = protocol?.trim().toLowerCase();
    return this.#offered.some((each) => each.toLowerCase() === chosen);
  }

  /** The body that belongs to the request, and not an octet more. */
  #sendBody(upstream: ReturnType<typeof requestPlain>): void {
    const body = this.#body;
    if (body.left === 0) {
      upstream.end();
      return;
    }
    const socket = this.#socket;
    const onData = (chunk: Buffer): void => {
      const part = chunk.subarray(0, body.left);
      body.left -= part.length;
      body.sent += part.length;
      if (!upstream.write(part)) {
        socket.pause();
        upstream.once('drain', () => {
          if (body.stop !== undefined) socket.resume();
        });
      }
      if (body.left > 0) return;
      this.#stopBody();
      if (part.length < chunk.length) socket.unshift(chunk.subarray(part.length));
      upstream.end();
    };
    body.stop = () => {
      socket.off('data', onData);
      socket.pause();
    };
    socket.on('data', onData);
  }

  #stopBody(): void {
    this.#body.stop?.();
    delete this.#body.stop;
  }

  /** The instance stays with HTTP: an ordinary reply, and the end of the connection. */
  #relay(reply: IncomingMessage, attempt: UpgradeAttempt, listener: UpgradeListener): void {
    this.#stopBody();
    const status = reply.statusCode!;
    const response = plainReply(this.#request, this.#socket);
    if (response === undefined) {
      reply.destroy();
      listener.replied(status);
      listener.ended({ received: this.#body.sent, sent: 0 });
      return;
    }
    let sent = 0;
    let hasEnded = false;
    const end = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      reply.destroy();
      listener.ended({ received: this.#body.sent, sent });
    };
    const watch = new IdleWatch(this.#clock, attempt.idleTimeoutMs, () => this.destroy());
    this.#socket.once('close', () => {
      watch.cancel();
      end();
    });
    reply.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      watch.touch();
      if (!response.write(chunk)) reply.pause();
    });
    response.on('drain', () => reply.resume());
    response.on('finish', end);
    reply.on('end', () => response.end());
    // Cut off in the middle; the client must not take it for the whole.
    reply.on('error', () => this.destroy());
    reply.on('aborted', () => this.destroy());
    const phrase = reasonPhrase(reply.statusMessage);
    const headers = replyHeaders(reply.rawHeaders, { ...attempt.additions(), takesTrailers: false });
    writeHead(response, status, phrase, headers);
    listener.replied(status);
  }

  /** 101: whatever is said from here on is none of ours. */
  #join(
    reply: IncomingMessage,
    upstream: Socket,
    first: Buffer,
    attempt: UpgradeAttempt,
    listener: UpgradeListener,
  ): void {
    this.#stopBody();
    const headers = replyHeaders(reply.rawHeaders, { ...attempt.additions(), takesTrailers: false });
    headers.push('Connection', 'Upgrade', 'Upgrade', reply.headers.upgrade!);
    let head = 'HTTP/1.1 101 Switching Protocols\r\n';
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
    this.#socket.write(`${head}\r\n`, 'latin1');
    if (first.length > 0) upstream.unshift(first);
    listener.replied(101);
    const { idleTimeoutMs } = attempt;
    this.#tunnel = new Tunnel(this.#socket, upstream, idleTimeoutMs, this.#clock, (end) => {
      listener.ended({ received: end.received + this.#body.sent, sent: end.sent });
    });
  }
}

interface BodyStart {
  /** Octets that the client has still to send. */
  left: number;
  sent: number;
  /** Take no more from the client. */
  stop?: () => void;
}

function writeHead(response: ServerResponse, status: number, phrase: string | undefined, headers: string[]): void {
  if (phrase === undefined) response.writeHead(status, headers);
  else response.writeHead(status, phrase, headers);
}

function ignore(): void {}
