// refusal.ts -- what the gateway answers itself: JSON with a stable code, as the API does

import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

export type Response = ServerResponse | Http2ServerResponse;

/** The status of each code. */
export const GATEWAY_STATUS: Readonly<Record<string, number>> = {
  bad_request: 400,
  no_route: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  headers_too_large: 431,
  body_read: 500,
  upstream_failed: 502,
  no_instance: 503,
  overloaded: 503,
  queue_full: 503,
  queue_timeout: 503,
  upstream_timeout: 504,
  loop_detected: 508,
};

const RETRY_AFTER_SECONDS = '1';

export interface Refusal {
  /** One of docs/errors.md. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string | undefined;
  /** The connection is to end with it. */
  readonly isLast: boolean;
}

/** The status that goes with a code; 500 for codes that are none of the gateway's. */
export function statusOf(code: string): number {
  return GATEWAY_STATUS[code] ?? 500;
}

/** Answer with an error; returns the octets of the body. Nothing may have been sent before. */
export function refuse(response: Response, refusal: Refusal): number {
  const { code, message } = refusal;
  const status = statusOf(code);
  const body = JSON.stringify({ error: { code, message } });
  const length = Buffer.byteLength(body);
  const headers: Record<string, string> = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(length),
    'Cache-Control': 'no-store',
  };
  if (status === 503) headers['Retry-After'] = RETRY_AFTER_SECONDS;
  if (status === 405) headers.Allow = 'GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE';
  if (refusal.requestId !== undefined) headers['X-Request-Id'] = refusal.requestId;
  // Not by a header: the front drops what is pipelined behind such a reply.
  if (refusal.isLast && !('stream' in response)) response.shouldKeepAlive = false;
  response.writeHead(status, headers);
  response.end(body);
  return length;
}
