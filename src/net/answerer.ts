// answerer.ts -- what the sockets call: octets in, octets out

import type { Client } from '../nameserver/client.ts';

/**
 * Answer `query` of `client` into `out` (65,535 octets at least) at once; returns the reply's length, 0 for no reply. Must
 * not throw, and must not keep either buffer, nor the client.
 */
export type Answerer = (query: Uint8Array, transport: 'udp' | 'tcp', out: Uint8Array, client: Client) => number;

/** The same for batches: the first `length` octets of `slot` are the query, `out` is large enough for any UDP reply. */
export type BatchAnswerer = (slot: Uint8Array, length: number, out: Uint8Array, client: Client) => number;
