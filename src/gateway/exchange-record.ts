// exchange-record.ts -- what came of one request through the gateway: for the access log, metrics and whoever listens

export interface ExchangeRecord {
  /** Name of the route; undefined: none matched. */
  readonly route: string | undefined;
  readonly service: string | undefined;
  /** Id of the instance that answered, or that was asked last; undefined: none was. */
  readonly instance: string | undefined;
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly target: string;
  readonly host: string;
  /** Address of the client: the peer's, or what a trusted proxy said. */
  readonly client: string;
  readonly requestId: string;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** What the client got; 499: it went away before. 101: an upgraded connection, at its end. */
  readonly status: number;
  /** Stable code of the gateway's own refusal (`no_route`, `no_instance`, `upstream_timeout` ...); undefined: relayed. */
  readonly error: string | undefined;
  readonly attempts: number;
  /** From the head of the request to the end of the reply. */
  readonly durationMs: number;
  /** Of it, until the head of the instance's reply, from the last attempt on; undefined: there was none. */
  readonly upstreamMs: number | undefined;
  /** Of it, waiting for a free place. */
  readonly queuedMs: number;
  /** Octets of bodies. */
  readonly received: number;
  readonly sent: number;
}
