// http-refusal.ts -- requests that get no further than the HTTP front, and what is said to them

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export type HttpProblem = 'bad_request' | 'request_timeout' | 'headers_too_large' | 'not_supported';

/** A request that no handler sees. */
export interface RefusedRequest {
  readonly problem: HttpProblem;
  /** Path and query; over HTTP/2 only. */
  readonly path?: string;
  /** Over HTTP/1 only: where it came from, and what Node says of it. */
  readonly connection?: { readonly socket: Duplex; readonly error: UnreadableRequest };
}

/** What Node tells of a request of HTTP/1 that it could not read. */
export interface UnreadableRequest {
  readonly code?: string | undefined;
  /** What came last, and how much of it was read. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

export interface RefusalReply {
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** What to say; asked once for each refused request. */
export type RefusalOf = (request: RefusedRequest) => RefusalReply;

/** Write a reply to a connection of HTTP/1 on which no other one is under way, and hang up. */
export function sendRefusal(socket: Duplex, { status, body }: RefusalReply): void {
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: ${JSON_TYPE}`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy());
}
