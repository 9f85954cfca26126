// http2-sessions.ts -- HTTP/2 on the TLS sockets: the same handler, bounded in streams, memory and time (RFC 9113)
//
// Floods of resets, settings, pings and CONTINUATION frames are ended by Node itself and nghttp2; what they leave to
// applications is here: sessions that idle, bodies that dribble, replies that nobody takes.

import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http';
import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { HttpLimits } from './http-limits.ts';
import { type HttpProblem, JSON_TYPE, type RefusalOf, type RefusalReply } from './http-refusal.ts';

/** What may differ between those that take requests; the defaults are Node's. */
export interface Http2Tuning {
  /** Headers of one request, pieces of `Cookie` counted each; a stream with more is reset. Default 128. */
  readonly maxHeaders?: number;
  /** What a client may send of a body before it is read; default 65,535 octets. */
  readonly windowBytes?: number;
}

interface Http2Options extends Http2Tuning {
  readonly limits: HttpLimits;
  readonly maxHeaderBytes: number;
  readonly refusalOf: RefusalOf;
  /** Called with what looks like HTTP/1 but for the connection-specific headers (RFC 9113 section 8.2.2). */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** The client waits for a word before it sends its body. */
  readonly onExpectation: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Requests of one connection that are under way at once; RFC 9113 section 6.5.2 advises no fewer than 100. */
const MAX_STREAMS = 100;
/** Megabytes that one connection may make Node hold before it gets no more streams. */
const MAX_SESSION_MEMORY = 10;
/** Node's default: octets of one head, each header counted as 32 more than it has. */
const MIN_HEADER_LIST = 65_535;
const CHECK_MS = 1000;
/** How long a finished reply may wait to be taken. */
const UNREAD_MS = 60_000;
/** How long a connection may take to close once it was told to. */
const FAREWELL_MS = 5000;

interface Stream {
  readonly sinceMs: number;
  /** When its reply was found to be finished. */
  repliedMs: number | undefined;
}

interface Session {
  readonly session: ServerHttp2Session;
  readonly streams: Map<ServerHttp2Stream, Stream>;
  /** Since when it has no stream. */
  idleSinceMs: number;
  hasAsked: boolean;
  closingSinceMs: number | undefined;
}

export class Http2Sessions {
  readonly #options: Http2Options;
  readonly #server: Http2Server;
  /** By the socket, which outlives its session. */
  readonly #sessions = new Map<TLSSocket, Session>();
  readonly #bySession = new WeakMap<ServerHttp2Session, Session>();
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(options: Http2Options) {
    this.#options = options;
    const { maxHeaderBytes, maxHeaders, windowBytes } = options;
    this.#server = createServer({
      maxSessionMemory: MAX_SESSION_MEMORY,
      ...(maxHeaders === undefined ? {} : { maxHeaderListPairs: maxHeaders }),
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        // What is over the bound, but not much, is told so; nghttp2 resets the stream of more.
        maxHeaderListSize: Math.max(MIN_HEADER_LIST, 2 * maxHeaderBytes),
        ...(windowBytes === undefined ? {} : { initialWindowSize: windowBytes }),
      },
    });
    this.#server.on('stream', (stream) => this.#follow(stream));
    const { onRequest, onExpectation } = options;
    this.#server.on('request', (request, response) => this.#hand(request, response, onRequest));
    this.#server.on('checkContinue', (request, response) => this.#hand(request, response, onExpectation));
    // What goes wrong with a session ends it, and with it its streams.
    this.#server.on('sessionError', () => {});
  }

  /** Speak HTTP/2 on a connection whose client has chosen it. */
  serve(socket: TLSSocket): void {
    const admit = (session: ServerHttp2Session): void => this.#admit(session, socket);
    this.#server.once('session', admit);
    this.#server.emit('connection', socket);
    this.#server.off('session', admit);
  }

  /** Take no more requests, and close each connection when its last one is answered. */
  close(): void {
    this.#isClosing = true;
    for (const entry of this.#sessions.values()) this.#end(entry);
  }

  /** Cut all connections off. */
  destroy(): void {
    for (const socket of this.#sessions.keys()) socket.destroy();
  }

  #hand(request: Http2ServerRequest, response: Http2ServerResponse, handler: Http2Options['onRequest']): void {
    const problem = problemOf(request, this.#options.maxHeaderBytes);
    if (problem !== undefined) refuse(response, this.#options.refusalOf({ problem, path: request.url }));
    else handler(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  }

  #admit(session: ServerHttp2Session, socket: TLSSocket): void {
    const nowMs = performance.now();
    const entry: Session = {
      session,
      streams: new Map(),
      idleSinceMs: nowMs,
      hasAsked: false,
      closingSinceMs: undefined,
    };
    this.#sessions.set(socket, entry);
    this.#bySession.set(session, entry);
    this.#timer ??= setInterval(() => this.#lookAtClock(), CHECK_MS).unref();
    socket.once('close', () => {
      this.#sessions.delete(socket);
      if (this.#sessions.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    if (this.#isClosing) this.#end(entry);
  }

  #follow(stream: ServerHttp2Stream): void {
    const entry = stream.session === undefined ? undefined : this.#bySession.get(stream.session as ServerHttp2Session);
    if (entry === undefined) return;
    entry.hasAsked = true;
    entry.streams.set(stream, { sinceMs: performance.now(), repliedMs: undefined });
    stream.once('close', () => {
      entry.streams.delete(stream);
      entry.idleSinceMs = performance.now();
    });
  }

  #end(entry: Session): void {
    if (entry.closingSinceMs !== undefined) return;
    entry.closingSinceMs = performance.now();
    entry.session.close();
  }

  #lookAtClock(): void {
    const nowMs = performance.now();
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#options.limits;
    for (const [socket, entry] of this.#sessions) {
      const { streams, hasAsked, idleSinceMs, closingSinceMs } = entry;
      for (const [stream, of] of streams) {
        const hasBodyToCome = !stream.endAfterHeaders && !stream.readableEnded;
        if (stream.writableEnded) of.repliedMs ??= nowMs;
        // A body that its reply did not wait for is of no use (RFC 9113 section 8.1).
        if (stream.writableFinished && hasBodyToCome) stream.destroy();
        else if (
          of.repliedMs === undefined
            ? requestTimeoutMs > 0 && hasBodyToCome && nowMs - of.sinceMs > requestTimeoutMs
            : nowMs - of.repliedMs > UNREAD_MS
        ) {
          stream.close(constants.NGHTTP2_CANCEL);
          stream.destroy();
        }
      }
      if (streams.size > 0) continue;
      if (closingSinceMs !== undefined) {
        if (nowMs - Math.max(closingSinceMs, idleSinceMs) > FAREWELL_MS) socket.destroy();
      } else if (nowMs - idleSinceMs > (hasAsked ? keepAliveTimeoutMs : headersTimeoutMs)) this.#end(entry);
    }
  }
}

/** What HTTP/1's parser would refuse before anybody sees it. */
function problemOf(request: Http2ServerRequest, maxHeaderBytes: number): HttpProblem | undefined {
  const { method, url, rawHeaders } = request;
  if (!METHODS.includes(method) || url?.startsWith('/') !== true) return 'bad_request';
  return rawHeaders.reduce((octets, text) => octets + text.length, 0) <= maxHeaderBytes
    ? undefined
    : 'headers_too_large';
}

function refuse(response: Http2ServerResponse, { status, body }: RefusalReply): void {
  response.writeHead(status, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' });
  response.end(body);
}
