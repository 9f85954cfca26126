// grpc-connection.ts -- one HTTP/2 connection that carries gRPC health calls, one at a time

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { formatEndpoint } from '../base/ip.ts';
import { encodeRequest, REPLY_LIMIT_BYTES } from './grpc-health.ts';
import { ConnectionLost, type KeptConnection } from './kept-connections.ts';
import type { ProbeSignal } from './probe-signal.ts';

/** What to ask. */
export interface GrpcCall {
  /** Of the URL: what the server is told it is called. */
  readonly host: string;
  readonly port: number;
  readonly service: string;
  readonly timeoutMs: number;
}

/** What came back of a call. */
export interface GrpcReply {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly octets: Buffer;
}

const PATH = '/grpc.health.v1.Health/Check';
const HEAD_LIMIT_BYTES = 16_384;

/** Owns `socket` from now on. It is closed when it is idle for `idleLimitMs`. */
export class GrpcConnection implements KeptConnection {
  readonly openedMs = performance.now();
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  #isIdle = true;

  constructor(socket: Socket, idleLimitMs: number) {
    this.#socket = socket;
    // Every call names its own authority; this one is never sent.
    this.#session = connect('http://localhost', {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: HEAD_LIMIT_BYTES, initialWindowSize: REPLY_LIMIT_BYTES },
      maxSessionMemory: 1,
    });
    this.#session.on('error', () => {});
    this.#session.setTimeout(idleLimitMs, () => {
      if (this.#isIdle) this.close();
    });
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  onClose(listener: () => void): void {
    this.#session.once('close', listener);
  }

  close(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** Make the call. Rejects when that fails or `signal` aborts; the connection is of no use then. */
  async callHealth(call: GrpcCall, signal: ProbeSignal): Promise<GrpcReply> {
    this.#isIdle = false;
    try {
      return await this.#call(call, signal);
    } finally {
      this.#isIdle = true;
    }
  }

  #call(call: GrpcCall, signal: ProbeSignal): Promise<GrpcReply> {
    let hasBegun = false;
    const session = this.#session;
    return new Promise<GrpcReply>((resolve, reject) => {
      const onError = (error: Error) =>
        settle(() => reject(hasBegun ? error : new ConnectionLost(error.message, { cause: error })));
      const onClose = () => onError(new Error('the connection was closed before the reply'));
      const settle = (how: () => void) => {
        forget();
        session.off('error', onError).off('close', onClose);
        how();
      };
      session.on('error', onError).on('close', onClose);
      const forget = signal.onAbort(() => reject(signal.reason));
      if (signal.aborted) return;
      if (!this.isOpen) return onClose();
      const stream = openStream(session, call);
      stream.once('response', () => {
        hasBegun = true;
      });
      readReply(stream, (reply) => settle(() => resolve(reply)), onError);
    });
  }
}

function openStream(session: ClientHttp2Session, { host, port, service, timeoutMs }: GrpcCall): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    ':authority': formatEndpoint({ address: host, port }),
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'rollcall-check',
    'grpc-timeout': `${timeoutMs}m`,
  });
  stream.end(encodeRequest(service));
  return stream;
}

function readReply(
  stream: ClientHttp2Stream,
  resolve: (reply: GrpcReply) => void,
  reject: (reason: Error) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let headers: IncomingHttpHeaders | undefined;
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= REPLY_LIMIT_BYTES) chunks.push(chunk);
    else {
      reject(new Error(`the reply is longer than ${REPLY_LIMIT_BYTES} octets`));
      stream.close(constants.NGHTTP2_CANCEL);
    }
  });
  stream.on('error', reject);
  stream.on('end', () => {
    if (headers === undefined) reject(new Error('the call was ended without an answer'));
    else resolve({ headers, trailers, octets: Buffer.concat(chunks) });
  });
}
