// query.ts -- the one door: request octets in, reply octets out
//
// UDP, TCP and whatever comes later all call `respond`. It is synchronous, reads no clock, does no I/O, and never
// throws: whatever goes wrong inside is SERVFAIL, one log line and a counter.

import type { Random } from '../base/random.ts';
import { CLASS, EXTENDED_ERROR, RCODE, TYPE } from '../dns/codes.ts';
import { type Request, readRequest } from '../dns/request.ts';
import { type Answer, failure } from './answer.ts';
import type { QueryCounters, Transport } from './query-counters.ts';
import { replyLimit, writeResponse, writeServerFailure } from './response.ts';
import { solve } from './solve.ts';
import type { View, ViewState } from './view.ts';

/** What answering needs of the program around it. */
export interface QueryOptions {
  readonly random: Random;
  readonly counters: QueryCounters;
  readonly maxUdpSize: number;
  /** Told of what should never happen. */
  onFailure(error: unknown): void;
}

export class QueryHandler {
  readonly state: ViewState = { serialOffset: 0, isLoaded: false, isStale: false };
  readonly #options: QueryOptions;
  #view: View;
  #maxUdpSize: number;

  constructor(view: View, options: QueryOptions) {
    this.#view = view;
    this.#options = options;
    this.#maxUdpSize = options.maxUdpSize;
  }

  get view(): View {
    return this.#view;
  }

  /** Answer from another generation from the next query on. */
  setView(view: View, maxUdpSize: number): void {
    this.#view = view;
    this.#maxUdpSize = maxUdpSize;
  }

  /**
   * Answer the query in `bytes` into `out` (at least 65,535 octets). Returns the length of the reply; 0 when there is
   * to be none.
   */
  respond(bytes: Uint8Array, transport: Transport, out: Uint8Array): number {
    const { counters } = this.#options;
    try {
      const request = readRequest(bytes);
      if (request === undefined) {
        counters.dropped(bytes.length < 12 ? 'short' : 'response');
        return 0;
      }
      const answer = this.#answer(request);
      counters.answered(transport, request.question?.type ?? 0, answer.rcode, answer.service);
      const limit = replyLimit(request, transport === 'udp', this.#maxUdpSize);
      return writeResponse(request, bytes, answer, limit, this.#maxUdpSize, out);
    } catch (error) {
      this.#options.onFailure(error);
      counters.answered(transport, 0, RCODE.SERVFAIL, undefined);
      return writeServerFailure(bytes, out);
    }
  }

  #answer(request: Request): Answer {
    if (request.edns !== undefined && request.edns.version > 0) return failure(RCODE.BADVERS);
    if (request.rcode !== RCODE.NOERROR) return failure(request.rcode);
    const { name, type, class: questionClass } = request.question!;
    if (FORMERR_TYPES.has(type)) return failure(RCODE.FORMERR);
    if (questionClass !== CLASS.IN) return failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    if (type === TYPE.AXFR || type === TYPE.IXFR) return failure(RCODE.REFUSED, TRANSFER_PROHIBITED);
    if (!this.state.isLoaded && this.#view.zoneOf(name) !== undefined) return failure(RCODE.SERVFAIL, NOT_READY);
    const answer = solve(name, type, { view: this.#view, state: this.state, random: this.#options.random });
    if (answer === undefined) return failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    if (answer.rcode === RCODE.NXDOMAIN) this.#options.counters.unknownName();
    if (this.state.isStale) answer.extendedError = STALE;
    return answer;
  }
}

/** Types that only stand in other sections (RFC 6891, 8945) or mark proofs (RFC 9824 section 3.1). */
const FORMERR_TYPES: ReadonlySet<number> = new Set([TYPE.OPT, TYPE.TSIG, 128]);

const NOT_AUTHORITATIVE = { code: EXTENDED_ERROR.NOT_AUTHORITATIVE, text: 'not authoritative for this name' };
const TRANSFER_PROHIBITED = { code: EXTENDED_ERROR.PROHIBITED, text: 'zone transfer is not allowed' };
const NOT_READY = { code: EXTENDED_ERROR.NOT_READY, text: 'the registry is not loaded yet' };
const STALE = { code: EXTENDED_ERROR.STALE_ANSWER, text: 'the store has not been heard of lately' };
