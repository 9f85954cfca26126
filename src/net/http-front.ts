// http-front.ts -- speaks HTTP/1 and HTTP/2 on the connections of a listener, with TLS or without, and ends in order
//
// It is handed connections, it accepts none itself: so a listener can change between plain and TLS and stay open.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { MAX_DOH_OCTETS } from './doh-routes.ts';
import { ERROR_STATUS, errorBody } from './error-reply.ts';
import { HEADERS_TOO_LARGE, LongQuestions, type Refusal, TOO_LONG_QUESTION } from './header-refusals.ts';
import type { HttpLimits } from './http-limits.ts';
import { Http2Sessions } from './http2-sessions.ts';

/** PEM contents. With `clientCa` every client must show a certificate that it signed. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

const TIMEOUT_CHECK_MS = 1000;
const MAX_HEADER_BYTES = 16_384;
const HANDSHAKE_TIMEOUT_MS = 5000;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface FrontOptions {
  readonly limits: HttpLimits;
  /** The largest body at this time. */
  readonly maxBodyBytes: () => number;
  readonly handler: RequestHandler;
}

export class HttpFront {
  readonly #options: FrontOptions;
  readonly #server: Server | TlsServer;
  readonly #http2: Http2Sessions;
  readonly #sockets = new Set<Socket>();
  /** The reply under way on each connection, so that an error reply never lands in the middle of it. */
  readonly #replies = new WeakMap<Duplex, ServerResponse>();
  readonly #own = new WeakSet<ServerResponse>();
  readonly #longQuestions = new LongQuestions();
  readonly #refused = new WeakSet<Duplex>();
  #tls: TlsMaterial | undefined;
  #isClosing = false;
  #whenEmpty: (() => void)[] = [];

  constructor(tls: TlsMaterial | undefined, options: FrontOptions) {
    this.#tls = tls;
    this.#options = options;
    this.#http2 = new Http2Sessions({
      limits: options.limits,
      maxHeaderBytes: MAX_HEADER_BYTES,
      onRequest: (request, response) => this.#handle(request, response),
      onExpectation: (request, response) => this.#continue(request, response),
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
    return this.#own.has(response);
  }

  /**
   * Answer what is under way, for at most `graceMs`, and then cut it off; connections are closed as they become idle.
   * May be called again with less time.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
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

  /** Whatever comes of HTTP/1. */
  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#replies.set(request.socket, response);
    // A reply that had begun before cannot say any more that it is the last one.
    response.once('close', () => {
      if (this.#isClosing) setImmediate(() => this.#server.closeIdleConnections());
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.#own.add(response);
    this.#options.handler(request, response);
  }

  #createServer(tls: TlsMaterial | undefined): Server | TlsServer {
    const { limits } = this.#options;
    const options = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
    };
    const handler = (request: IncomingMessage, response: ServerResponse): void => {
      this.#begin(request, response);
      this.#handle(request, response);
    };
    const server =
      tls === undefined
        ? createServer(options, handler)
        : this.#createTlsServer({ ...options, ...secureContext(tls) }, handler);
    // Headers over a count would be dropped in silence, and with them those that access depends on. They are counted
    // in access.ts instead; their size is bounded here.
    server.maxHeadersCount = 0;
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#begin(request, response);
      this.#continue(request, response);
    });
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
        for (const serve of serveHttp1) serve.call(server, socket);
        this.#longQuestions.watch(socket);
      }
    });
    return server;
  }

  /** Whoever asks before sending a huge body is told before it sends any of it. */
  #continue(request: IncomingMessage, response: ServerResponse): void {
    const most = Math.max(this.#options.maxBodyBytes(), MAX_DOH_OCTETS);
    if (!(Number(request.headers['content-length']) > most)) response.writeContinue();
    this.#handle(request, response);
  }

  /** What cannot be read as HTTP, or took too long, is answered once and hung up on. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const reply = this.#replies.get(socket);
    const isMidReply = reply?.headersSent === true && !reply.writableFinished;
    const errorCode = error.code ?? '';
    // The rest of a head that was refused is refused again, while the reply is on its way.
    if (errorCode.startsWith('HPE_') && this.#refused.has(socket)) return;
    this.#refused.add(socket);
    // Failed TLS handshakes come this way too, and nothing can be said to those.
    const isHttp = errorCode.startsWith('HPE_') || Object.hasOwn(REFUSALS, errorCode);
    if (!isHttp || !socket.writable || isMidReply) {
      socket.destroy();
      return;
    }
    const [code, message] = this.#longQuestions.isOne(error, socket)
      ? TOO_LONG_QUESTION
      : (REFUSALS[errorCode] ?? ['bad_request', 'this is not a valid HTTP request']);
    const body = JSON.stringify(errorBody(code, message));
    const status = ERROR_STATUS[code]!;
    const head = `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8`;
    socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy());
  }
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: HEADERS_TOO_LARGE,
};

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

function secureContext(tls: TlsMaterial): object {
  const own = { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' as const };
  return tls.clientCa === undefined ? own : { ...own, ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
}

function modeOf(tls: TlsMaterial | undefined): string {
  if (tls === undefined) return 'plain';
  return tls.clientCa === undefined ? 'any client' : 'known clients';
}
