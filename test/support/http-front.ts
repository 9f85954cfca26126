// http-front.ts -- an HTTP front behind a listening socket, which notes what reached its handler

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type FrontOptions, HttpFront, type TlsMaterial } from '../../src/net/http-front.ts';

export interface OpenFront {
  readonly front: HttpFront;
  readonly port: number;
  /** Method and target of every request that was handled. */
  readonly seen: string[];
  /** Send octets (latin1) as they are; what comes back until the server hangs up, or `waitMs` later. */
  raw(text: string, waitMs?: number): Promise<string>;
  close(): Promise<void>;
}

export async function openFront(options: Partial<FrontOptions> = {}, tls?: TlsMaterial): Promise<OpenFront> {
  const seen: string[] = [];
  const handler = options.handler ?? echo;
  const front = new HttpFront(tls, {
    limits: {
      headersTimeoutMs: 5000,
      requestTimeoutMs: 0,
      keepAliveTimeoutMs: 60_000,
      maxConnections: 100,
      maxConnectionsPerSource: 100,
    },
    maxHeaderBytes: 65_536,
    refusalOf: ({ problem }) => ({ status: STATUS[problem]!, body: JSON.stringify({ error: { code: problem } }) }),
    ...options,
    handler: (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      handler(request, response);
    },
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => front.serve(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    front,
    port,
    seen,
    raw: (text, waitMs = 5000) => exchange(port, text, waitMs),
    close: async () => {
      server.close();
      await front.close(0);
    },
  };
}

const STATUS: Readonly<Record<string, number>> = {
  bad_request: 400,
  request_timeout: 408,
  headers_too_large: 431,
  not_supported: 501,
};

/** Replies with what the body was, when all of it is there. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.on('error', () => {});
  request.setEncoding('latin1').on('data', (text) => {
    body += text;
  });
  request.on('end', () => response.end(`${request.method} ${request.url} <${body}>`));
}

async function exchange(port: number, text: string, waitMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  await once(socket, 'close', { signal: AbortSignal.timeout(waitMs) }).catch(() => socket.destroy());
  return received;
}
