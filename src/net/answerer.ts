// answerer.ts -- what the sockets call: octets in, octets out, at once or later

import type { Client } from '../nameserver/client.ts';
import type { Transport } from '../nameserver/query-counters.ts';

/**
 * Answer `query` of `client` into `out` (65,535 octets at least) at once; returns the reply's length, or what else it comes
 * to (nameserver/verdict.ts). Must not throw, and must not keep either buffer, nor the client.
 */
export type Answerer = (query: Uint8Array, transport: Transport, out: Uint8Array, client: Client) => number;

/** The same for batches: the first `length` octets of `slot` are the query, `out` is large enough for any UDP reply. */
export type BatchAnswerer = (slot: Uint8Array, length: number, out: Uint8Array, client: Client) => number;

/** Who sees to what cannot be answered at once. They may keep the query, not the client. */
export interface Deferred {
  /** FORWARD: have the query asked upstream. `reply` is called once at most, after this returned, with a message that the transport takes. */
  forward(query: Uint8Array, transport: Transport, client: Client, reply: (message: Uint8Array) => void): void;
  /** TRANSFER: the messages of the zone, each taken when there is room for it; undefined: let others go on first. */
  transfer(query: Uint8Array, client: Client): Iterator<Uint8Array | undefined, void>;
}
