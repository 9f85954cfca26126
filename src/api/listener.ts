// listener.ts -- the HTTP(S) sockets: bounded in time, headers, connections, and closed in order

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint, isLoopback, parseIp } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { MAX_DOH_OCTETS } from './doh-routes.ts';
import { ERROR_STATUS, errorBody } from './error-reply.ts';
import { HEADERS_TOO_LARGE, isDohPath, type Refusal, TOO_LONG_QUESTION } from './header-refusals.ts';
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

export interface ListenerOptions {
  readonly listen: readonly Endpoint[];
  readonly tls: TlsMaterial | undefined;
  readonly limits: HttpLimits;
  readonly maxBodyBytes: number;
  readonly log: Logger;
  readonly handler: RequestHandler;
}

/** All the sockets of the API. */
export class Listeners {
  /** Where they are bound, in the order asked for. */
  readonly addresses: Endpoint[] = [];
  readonly #options: ListenerOptions;
  readonly #servers: (Server | TlsServer)[] = [];
  readonly #http2: Http2Sessions;
  readonly #perSource = new Map<string, number>();
  /** The reply under way on each connection, so that an error reply never lands in the middle of it. */
  readonly #replies = new WeakMap<Duplex, ServerResponse>();
  #connections = 0;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#http2 = new Http2Sessions({
      limits: options.limits,
      maxHeaderBytes: MAX_HEADER_BYTES,
      onRequest: options.handler,
      onExpectation: (request, response) => this.#continue(request, response),
    });
  }

  /** Bind all of them or none. Throws CodedError `listen_failed`. */
  static async open(options: ListenerOptions): Promise<Listeners> {
    const listeners = new Listeners(options);
    try {
      for (const endpoint of options.listen) await listeners.#listen(endpoint);
    } catch (error) {
      await listeners.close(0);
      throw error;
    }
    return listeners;
  }

  /** Use another certificate for connections made from now on. */
  setTls(tls: TlsMaterial): void {
    for (const server of this.#servers) {
      if ('setSecureContext' in server) server.setSecureContext(secureContext(tls));
    }
  }

  /** Accept nothing more, wait at most `graceMs` for the requests under way, then cut them off. */
  async close(graceMs: number): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.#http2.close();
    const cutOff = setTimeout(() => {
      for (const server of this.#servers) server.closeAllConnections();
      this.#http2.destroy();
    }, graceMs);
    await Promise.all(closed);
    clearTimeout(cutOff);
  }

  async #listen(endpoint: Endpoint): Promise<void> {
    const server = this.#createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: endpoint.address, port: endpoint.port, ipv6Only: true }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw new CodedError(
        'listen_failed',
        `http: cannot listen on ${formatEndpoint(endpoint)}: ${errorMessage(error)}`,
      );
    }
    // Such as running out of descriptors: the listener goes on when some are free again.
    server.on('error', (error) => this.#options.log.error({ err: error }, 'http listener'));
    this.#servers.push(server);
    this.addresses.push({ address: endpoint.address, port: (server.address() as AddressInfo).port });
  }

  #createServer(): Server | TlsServer {
    const { limits, tls } = this.#options;
    const options = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
    };
    const handler = (request: IncomingMessage, response: ServerResponse): void => {
      this.#replies.set(request.socket, response);
      this.#options.handler(request, response);
    };
    const server =
      tls === undefined
        ? createServer(options, handler)
        : this.#createTlsServer({ ...options, ...secureContext(tls) }, handler);
    // Headers over a count would be dropped in silence, and with them those that access depends on. They are counted
    // in access.ts instead; their size is bounded here.
    server.maxHeadersCount = 0;
    server.maxConnections = limits.maxConnections;
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#replies.set(request.socket, response);
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
      else for (const serve of serveHttp1) serve.call(server, socket);
    });
    return server;
  }

  /** Whoever asks before sending a huge body is told before it sends any of it. */
  #continue(request: IncomingMessage, response: ServerResponse): void {
    const { maxBodyBytes, handler } = this.#options;
    const most = Math.max(maxBodyBytes, MAX_DOH_OCTETS);
    if (!(Number(request.headers['content-length']) > most)) response.writeContinue();
    handler(request, response);
  }

  #admit(socket: Socket): void {
    const { maxConnections, maxConnectionsPerSource } = this.#options.limits;
    const source = socket.remoteAddress ?? '';
    const ip = parseIp(source);
    const count = (this.#perSource.get(source) ?? 0) + 1;
    const isLocal = ip !== undefined && isLoopback(ip);
    if (this.#connections >= maxConnections || (!isLocal && count > maxConnectionsPerSource)) {
      socket.destroy();
      return;
    }
    this.#connections++;
    this.#perSource.set(source, count);
    socket.once('close', () => {
      this.#connections--;
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left > 0) this.#perSource.set(source, left);
      else this.#perSource.delete(source);
    });
  }

  /** What cannot be read as HTTP, or took too long, is answered once and hung up on. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const reply = this.#replies.get(socket);
    const isMidReply = reply?.headersSent === true && !reply.writableFinished;
    const errorCode = error.code ?? '';
    // Failed TLS handshakes come this way too, and nothing can be said to those.
    const isHttp = errorCode.startsWith('HPE_') || Object.hasOwn(REFUSALS, errorCode);
    if (!isHttp || !socket.writable || isMidReply) {
      socket.destroy();
      return;
    }
    const [code, message] = isLongQuestion(error)
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

/** A DNS question whose headers are too large for the length of its path alone: 413 as for a POST. */
function isLongQuestion(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): boolean {
  if (error.code !== 'HPE_HEADER_OVERFLOW') return false;
  // Anything else there may be of it is behind the path, or came in packets before.
  const start = error.rawPacket?.subarray(0, MAX_HEADER_BYTES).toString('latin1') ?? '';
  const [method, path = ''] = start.split(' ', 2);
  return method === 'GET' && isDohPath(path) && !start.includes('\r\n');
}

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
