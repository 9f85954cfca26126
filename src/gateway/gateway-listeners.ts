// gateway-listeners.ts -- the sockets of the gateway: HTTP/1.1, and HTTP/2 over TLS, with bounds that suit a proxy

import type { Logger } from '../base/log.ts';
import type { FrontOptions, RequestHandler } from '../net/http-front.ts';
import type { HttpLimits } from '../net/http-limits.ts';
import { Listeners } from '../net/http-listeners.ts';
import type { HttpProblem, RefusalReply, RefusedRequest } from '../net/http-refusal.ts';

export interface GatewayListenersOptions {
  readonly log: Logger;
  /** Requests whose client waits for `100 (Continue)` come here too: `request.headers.expect` says so. */
  readonly handler: RequestHandler;
  readonly onUpgrade: NonNullable<FrontOptions['onUpgrade']>;
  readonly limits?: Partial<HttpLimits>;
}

/** Many clients may stand behind one address: a load balancer, or NAT. Bodies take as long as the handler lets them. */
const LIMITS: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 75_000,
  maxConnections: 16_384,
  maxConnectionsPerSource: 8192,
};
const MAX_HEADER_BYTES = 65_536;
/** Pieces of `Cookie` count each, so this is more than a request may have in the end. */
const MAX_HTTP2_HEADERS = 512;
const HTTP2_WINDOW_BYTES = 262_144;
const HALF_CLOSED_MS = 2000;

const REFUSALS: Readonly<Record<HttpProblem, readonly [status: number, message: string]>> = {
  bad_request: [400, 'this is not a valid HTTP request'],
  request_timeout: [408, 'the request did not arrive in time'],
  headers_too_large: [431, 'the headers are too large'],
  not_supported: [501, 'this gateway opens no tunnels'],
};

/** None is open yet: `prepare` opens them, and `take` puts them in force, now and at a reload. */
export function createGatewayListeners(options: GatewayListenersOptions): Listeners {
  const { log, handler, onUpgrade, limits } = options;
  return new Listeners({
    name: 'gateway',
    log,
    handler,
    onExpectation: handler,
    onUpgrade,
    limits: { ...LIMITS, ...limits },
    maxHeaderBytes: MAX_HEADER_BYTES,
    halfClosedMs: HALF_CLOSED_MS,
    http2: { maxHeaders: MAX_HTTP2_HEADERS, windowBytes: HTTP2_WINDOW_BYTES },
    refusalOf,
  });
}

function refusalOf({ problem }: RefusedRequest): RefusalReply {
  const [status, message] = REFUSALS[problem];
  return { status, body: JSON.stringify({ error: { code: problem, message } }) };
}
