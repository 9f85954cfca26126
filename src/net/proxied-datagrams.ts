// proxied-datagrams.ts -- takes the PROXY header off datagrams of trusted senders, on their way to whoever answers
//
// Nothing stands in the way of queries while no sender is trusted: nothing is wrapped then.

import type { IpPrefix } from '../base/ip.ts';
import type { Client } from '../nameserver/client.ts';
import { prefixClient } from '../nameserver/client.ts';
import { NO_REPLY } from '../nameserver/verdict.ts';
import { NetworkSet } from '../routing/network-set.ts';
import type { Answerer, BatchAnswerer, Deferred } from './answerer.ts';
import { readProxyHeader } from './proxy-header.ts';

/** Tells who is trusted; the header of those is taken for true, and they must send one. */
export class TrustedProxies {
  readonly #map: NetworkSet;
  readonly isEmpty: boolean;

  constructor(from: readonly IpPrefix[]) {
    this.#map = new NetworkSet(from);
    this.isEmpty = from.length === 0;
  }

  includes(client: Client): boolean {
    return this.#map.has(client);
  }
}

interface Unwrapped {
  readonly query: Uint8Array;
  readonly client: Client;
}

/** The query and who really asks; undefined when the header is not in order. */
function unwrap(datagram: Uint8Array, sender: Client): Unwrapped | undefined {
  const header = readProxyHeader(datagram);
  if (typeof header === 'string') return undefined;
  const { length, source } = header;
  const client = source === undefined ? sender : prefixClient({ ...source, length: source.family === 4 ? 32 : 128 });
  return { query: datagram.subarray(length), client };
}

/**
 * A datagram that was answered by FORWARD, without its header if there is one: the first octets of a header make no
 * message that could be forwarded, so they cannot be taken for one.
 */
export function withoutHeader(datagram: Uint8Array): Uint8Array {
  const header = readProxyHeader(datagram);
  return typeof header === 'string' ? datagram : datagram.subarray(header.length);
}

/** For the batches of a shard. `onMalformed` is told of each datagram that is dropped for want of a header. */
export function proxiedBatch(answer: BatchAnswerer, trusted: TrustedProxies, onMalformed: () => void): BatchAnswerer {
  return (slot, length, out, client) => {
    if (!trusted.includes(client)) return answer(slot, length, out, client);
    const found = unwrap(slot.subarray(0, length), client);
    if (found !== undefined) return answer(found.query, found.query.length, out, found.client);
    onMalformed();
    return NO_REPLY;
  };
}

/** For node:dgram: streams, which take off the header themselves, pass through. */
export function proxiedAnswers(answer: Answerer, trusted: TrustedProxies, onMalformed: () => void): Answerer {
  return (query, transport, out, client) => {
    if (transport !== 'udp' || !trusted.includes(client)) return answer(query, transport, out, client);
    const found = unwrap(query, client);
    if (found !== undefined) return answer(found.query, transport, out, found.client);
    onMalformed();
    return NO_REPLY;
  };
}

/** What was answered by FORWARD behind `proxiedAnswers` comes here with its header. */
export function proxiedForwards(deferred: Deferred, trusted: TrustedProxies): Deferred {
  return {
    forward: (query, transport, client, reply) => {
      const isProxied = transport === 'udp' && trusted.includes(client);
      const found = isProxied ? unwrap(query, client) : { query, client };
      if (found !== undefined) deferred.forward(found.query, transport, found.client, reply);
    },
    transfer: (query, client) => deferred.transfer(query, client),
  };
}
