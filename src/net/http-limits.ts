// http-limits.ts -- how many HTTP clients there may be, and how slow

/** Bounds on clients. Node's own defaults are far laxer and let a few slow ones hold everything. */
export interface HttpLimits {
  readonly headersTimeoutMs: number;
  /** To receive a whole request; answering may take longer. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  /** From one address that is not loopback. */
  readonly maxConnectionsPerSource: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  maxConnections: 16_384,
  maxConnectionsPerSource: 512,
};
