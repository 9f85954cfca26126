// lone-queries.ts -- queries that come one by one, each with its own way back: DNS over HTTPS

import type { Client } from '../nameserver/client.ts';
import type { Transport } from '../nameserver/query-counters.ts';
import { MAX_MESSAGE_SIZE } from '../nameserver/response.ts';
import { FORWARD, NO_REPLY } from '../nameserver/verdict.ts';
import type { Answerer, Deferred } from './answerer.ts';

/** Shared by all queries: what is written to it is copied at once. */
const OUT = new Uint8Array(MAX_MESSAGE_SIZE);
const TRANSPORT: Transport = 'https';

export class LoneQueries {
  readonly #answer: Answerer;
  readonly #deferred: Pick<Deferred, 'forward'>;

  constructor(answer: Answerer, deferred: Pick<Deferred, 'forward'>) {
    this.#answer = answer;
    this.#deferred = deferred;
  }

  /** Answer a query, which must not change any more. Undefined: there is to be no reply, nor a zone transfer. */
  async answer(query: Uint8Array, client: Client): Promise<Uint8Array | undefined> {
    const length = this.#answer(query, TRANSPORT, OUT, client);
    if (length > NO_REPLY) return OUT.slice(0, length);
    if (length !== FORWARD) return undefined;
    return await new Promise((resolve) => this.#deferred.forward(query, TRANSPORT, client, resolve));
  }
}
