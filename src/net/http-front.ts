// http-front.ts -- speaks HTTP/1 and HTTP/2 on the connections of a listener, with TLS or without, and ends in order
//
// It is handed connections, it accepts none itself: so a listener can change between plain and TLS and stay open.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { HttpConnection } from './http-connection.ts';
import type { HttpLimits } from './http-limits.ts';
import {
  type HttpProblem,
  JSON_TYPE,
  type RefusalOf,
  type RefusalReply,
  sendRefusal,
  type UnreadableRequest,
} from './http-refusal.ts';
import { Http2Sessions, type Http2Tuning } from './http2-sessions.ts';
import { UpgradableRequest } from './upgradable-request.ts';

/** PEM contents. With `clientCa` every client must show a certificate that it signed. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

const CHECK_MS = 1000;
const HANDSHAKE_TIMEOUT_MS = 5000;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface FrontOptions {
  readonly limits: HttpLimits;
  /** Of one head, names and values together. */
  readonly maxHeaderBytes: number;
  /**
   * Given every request that could be read. With `response.shouldKeepAlive = false` the reply is the last one, and what
   * was pipelined behind the request is dropped: so may one be refused whose end is in doubt.
   */
  readonly handler: RequestHandler;
  /** What is said to requests that cannot be handed on. Over HTTP/1 it is the last thing said. */
  readonly refusalOf: RefusalOf;
  /**
   * Handles requests whose client waits for a word before it sends the body: it calls `response.writeContinue()`, or
   * replies at once. Default: all are told to go on.
   */
  readonly onExpectation?: RequestHandler;
  /**
   * Takes over connections whose client asks for another protocol (HTTP/1.1 only). Default: `Upgrade` is passed over, and
   * the request handled as any other. `head` is what came behind the request.
   */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Called with each connection of HTTP/1 over TLS. */
  readonly onTlsConnection?: (socket: Socket) => void;
  /**
   * How long a client that sends no more (a half-closed connection) may wait for the next octet of its replies. One that
   * has gone away looks the same until something is written. Default 0: it is hung up on at once.
   */
  readonly halfClosedMs?: number;
  readonly http2?: Http2Tuning;
}

export class HttpFront {
  readonly #options: FrontOptions;
  readonly #server: Server | TlsServer;
  readonly #http2: Http2Sessions;
  readonly #sockets = new Set<Socket>();
  /** Those of HTTP/1, by the socket that it is spoken on: inside TLS, where there is TLS. */
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #http2Replies = new WeakSet<ServerResponse>();
  #tls: TlsMaterial | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;
  #whenEmpty: (() => void)[] = [];

  constructor(tls: TlsMaterial | undefined, options: FrontOptions) {
    this.#tls = tls;
    this.#options = options;
    const { handler, onExpectation = goOn(handler), limits, maxHeaderBytes, refusalOf } = options;
    const noting =
      (handle: RequestHandler): RequestHandler =>
      (request, response) => {
        this.#http2Replies.add(response);
        handle(request, response);
      };
    this.#http2 = new Http2Sessions({
      limits,
      maxHeaderBytes,
      refusalOf,
      onRequest: noting(handler),
      onExpectation: noting(onExpectation),
      ...options.http2,
    });
    this.#server = this.#createServer(tls);
    // It does not listen itself, and what watches the time of requests begins with that.
    this.#server.emit('listening');
  }

  /** False: only another front can go on with this, because TLS is turned on or off, or asks something else of clients. */
  canTake(tls: TlsMaterial | undefined): boolean {
    return modeOf(this.#tls) === modeOf(tls);
  }

  /** Speak HTTP on a connection, which may be at its very beginning only. */
  serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) for (const done of this.#whenEmpty.splice(0)) done();
    });
    socket.allowHalfOpen = this.#tls === undefined;
    if (this.#tls === undefined) this.#track(socket);
    this.#server.emit('connection', socket);
  }

  /** Use another certificate, one that it can take, for connections made from now on. */
  setTls(tls: TlsMaterial | undefined): void {
    // The same again would only end the sessions that clients could resume.
    if (tls === undefined || isDeepStrictEqual(tls, this.#tls)) return;
    this.#tls = tls;
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(secureContext(tls));
  }

  /** Is this the reply to one of its requests? */
  has(response: ServerResponse): boolean {
    return this.#connections.has(response.req?.socket) || this.#http2Replies.has(response);
  }

  /**
   * Answer what is under way, each last reply saying so, for at most `graceMs`, and then
   * cut it off; connections are closed as they become idle, and upgraded ones left to themselves until they are cut off.
   * May be called again with less time.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const connection of this.#connections.values()) this.#end(connection);
    this.#server.closeIdleConnections();
    this.#http2.close();
    if (this.#sockets.size > 0) {
      const cutOff = setTimeout(() => this.#destroy(), graceMs);
      await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
      clearTimeout(cutOff);
    }
    this.#server.close();
  }

  #destroy(): void {
    this.#server.closeAllConnections();
    this.#http2.destroy();
    // Those in the middle of a handshake are neither's.
    for (const socket of this.#sockets) socket.destroy();
  }

  #track(socket: Socket): void {
    const connection = new HttpConnection(socket);
    this.#connections.set(socket, connection);
    this.#timer ??= setInterval(() => this.#lookAtClock(), CHECK_MS).unref();
    socket.once('close', () => this.#untrack(socket));
    if (this.#options.halfClosedMs) socket.once('end', () => connection.halfClose(performance.now()));
  }

  #untrack(socket: Socket): void {
    this.#connections.delete(socket);
    if (this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAtClock(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections.values()) {
      if (connection.isStuck(nowMs, this.#options.halfClosedMs ?? 0)) connection.socket.destroy();
    }
  }

  /** The first thing with every request of HTTP/1. False: it was refused, or is of no use any more. */
  #begin(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#connections.get(request.socket);
    if (connection?.begin(request, response) !== true) return false;
    // The parser also takes a request line of HTTP/0.9 and, in text, HTTP/2.0. Node could ask for a Host itself, but
    // then goes on with the requests behind.
    const { httpVersionMajor: major, httpVersionMinor: minor } = request;
    if (major !== 1 || (minor > 0 && request.headers.host === undefined)) {
      const { status, body } = this.#options.refusalOf({ problem: 'bad_request' });
      response.shouldKeepAlive = false;
      response.writeHead(status, { 'content-type': JSON_TYPE }).end(body);
      return false;
    }
    if (this.#isClosing) this.#end(connection);
    return true;
  }

  #end(connection: HttpConnection): void {
    // A reply that had begun before cannot say any more that it is the last one.
    connection.sayLast()?.once('close', () => setImmediate(() => this.#server.closeIdleConnections()));
  }

  #createServer(tls: TlsMaterial | undefined): Server | TlsServer {
    const { limits, maxHeaderBytes, handler, onExpectation = goOn(handler), onUpgrade, halfClosedMs } = this.#options;
    const options = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      requireHostHeader: false,
      ...(onUpgrade === undefined ? {} : { IncomingMessage: UpgradableRequest }),
    };
    const begin = (handle: RequestHandler) => (request: IncomingMessage, response: ServerResponse) => {
      if (this.#begin(request, response)) handle(request, response);
    };
    const server =
      tls === undefined
        ? createServer(options, begin(handler))
        : this.#createTlsServer({ ...options, ...secureContext(tls) }, begin(handler));
    // Headers over a count would be dropped in silence, and with them those that access depends on. Handlers count
    // them instead; their size is bounded here.
    server.maxHeadersCount = 0;
    // Not in its documentation: without it Node hangs up on whoever sends no more, whatever is under way.
    if (halfClosedMs) Object.assign(server, { httpAllowHalfOpen: true });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseUnreadable(error, socket));
    server.on('checkContinue', begin(onExpectation));
    server.on('connect', (_request, socket: Duplex) => {
      socket.on('error', () => {});
      this.#refuse('not_supported', socket, {});
    });
    if (onUpgrade !== undefined) {
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        const connection = this.#connections.get(request.socket);
        this.#untrack(request.socket);
        // Node took its own listeners off, and an error that nobody hears of ends the process.
        socket.on('error', () => {});
        // Other octets in the midst of replies would be anybody's guess.
        if (connection?.isRefused !== false || connection.lastReply !== undefined) socket.destroy();
        else onUpgrade(request, socket, head);
      });
    }
    return server;
  }

  /** HTTP/1 and HTTP/2 behind the same handshake, as the client chooses (ALPN). */
  #createTlsServer(options: object, handler: RequestHandler): TlsServer {
    const alpn = { handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ALPNProtocols: ['h2', 'http/1.1'] };
    const server = createTlsServer({ ...options, ...alpn }, handler);
    const serveHttp1 = server.listeners('secureConnection');
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') this.#http2.serve(socket);
      else {
        this.#track(socket);
        for (const serve of serveHttp1) serve.call(server, socket);
        this.#options.onTlsConnection?.(socket);
      }
    });
    return server;
  }

  /** What cannot be read as HTTP, or took too long, is answered once and hung up on. */
  #refuseUnreadable(error: UnreadableRequest, socket: Duplex): void {
    const { code = '' } = error;
    const problem = PROBLEMS[code] ?? (code.startsWith('HPE_') ? 'bad_request' : undefined);
    // Failed TLS handshakes come this way too, and nothing can be said to those.
    if (problem === undefined) socket.destroy();
    else this.#refuse(problem, socket, error);
  }

  #refuse(problem: HttpProblem, socket: Duplex, error: UnreadableRequest): void {
    const connection = this.#connections.get(socket as Socket);
    // The rest of a head that was refused is refused again, while the reply is on its way.
    if (connection?.isRefused) return;
    if (connection !== undefined) connection.isRefused = true;
    const unread = connection?.unreadReply;
    // It ends by itself with what it said, or is about to say.
    if (unread === undefined && connection?.isEnding) return;
    const isMidReply = unread?.headersSent === true;
    if (!socket.writable || isMidReply) {
      socket.destroy();
      return;
    }
    const reply = this.#options.refusalOf({ problem, connection: { socket, error } });
    sendInTurn(socket, reply, connection?.lastReply);
  }
}

/** What is wrong with a request must not be said before the replies to those that came before it. */
function sendInTurn(socket: Duplex, reply: RefusalReply, before: ServerResponse | undefined): void {
  if (before === undefined) sendRefusal(socket, reply);
  else {
    before.once('close', () => {
      if (socket.writable) sendRefusal(socket, reply);
    });
  }
}

const PROBLEMS: Readonly<Record<string, HttpProblem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};

function goOn(handler: RequestHandler): RequestHandler {
  return (request, response) => {
    response.writeContinue();
    handler(request, response);
  };
}

function secureContext(tls: TlsMaterial): object {
  const own = { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' as const };
  return tls.clientCa === undefined ? own : { ...own, ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
}

function modeOf(tls: TlsMaterial | undefined): string {
  if (tls === undefined) return 'plain';
  return tls.clientCa === undefined ? 'any client' : 'known clients';
}
