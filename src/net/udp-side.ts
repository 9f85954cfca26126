// udp-side.ts -- the UDP half of a listener, whoever answers it: shards, or node:dgram on the main thread

import type { Endpoint } from '../base/ip.ts';

export interface UdpSide {
  /** The endpoint with the port it really has. */
  readonly endpoint: Endpoint;
  /** Take up addresses that the machine got since, behind a wildcard. */
  refresh(): Promise<void>;
  /** Answer what has arrived, then let go of the sockets. */
  close(): Promise<void>;
}

/** Opens one. Rejects with the system's error (EADDRINUSE, EACCES, ...). */
export type OpenUdp = (endpoint: Endpoint) => Promise<UdpSide>;
