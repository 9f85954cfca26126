// http-limits.ts -- how many HTTP clients there may be, and how slow

/** Bounds on clients. Node's own defaults are far laxer and let a few slow ones hold everything. */
export interface HttpLimits {
  /** From the first octet of a head, or the begin of the connection, to the end of the head. */
  readonly headersTimeoutMs: number;
  /** To receive a whole request; answering may take longer. 0: whoever handles a request bounds its body. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  /** From one address that is not loopback. */
  readonly maxConnectionsPerSource: number;
}
