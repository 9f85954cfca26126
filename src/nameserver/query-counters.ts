// query-counters.ts -- counts of queries and answers in shared memory: cheap to count, read by whoever renders them
//
// Each thread that answers has memory of its own and is its only writer; the main thread adds them up on scrape.

import { formatRcode, formatType } from '../dns/codes.ts';

/** How a query came in; the `proto` label. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'https';

const TRANSPORTS: readonly Transport[] = ['udp', 'tcp', 'tls', 'https'];

/** Why a datagram or message got no reply. */
export type DropReason = 'short' | 'response';

export const DROP_REASONS: readonly DropReason[] = ['short', 'response'];

/** Places for query types; the last is for all that come after they are taken, so that a scan cannot swell them. */
const TYPE_PLACES = 64;
const OTHER_TYPE = TYPE_PLACES - 1;
/** Rcodes 0..23 (RCODE in dns/codes.ts), rounded up. */
const RCODE_PLACES = 32;
/** Services with a count of their own; the last place is everybody else's. */
export const SERVICE_PLACES = 1001;

const QUERIES = TRANSPORTS.length * RCODE_PLACES * TYPE_PLACES;
const ANSWERS_AT = QUERIES;
const ANSWERS = SERVICE_PLACES * TYPE_PLACES;
const DROPPED_AT = ANSWERS_AT + ANSWERS;
const UNKNOWN_AT = DROPPED_AT + DROP_REASONS.length;
const FAILURES_AT = UNKNOWN_AT + 1;
const COUNTS = FAILURES_AT + 1;
const TYPES_BYTES = TYPE_PLACES * 4;

/** Memory for one thread's counts. */
export function createCounterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(TYPES_BYTES + COUNTS * Float64Array.BYTES_PER_ELEMENT);
}

/** One row of a table of counts. */
export interface QueryCount {
  readonly proto: Transport;
  readonly type: string;
  readonly rcode: string;
  readonly count: number;
}

export interface AnswerCount {
  /** The place of the service, as it was given to `answered`. */
  readonly place: number;
  readonly type: string;
  readonly count: number;
}

export class QueryCounters {
  /** Type + 1 by place; 0 is free. */
  readonly #types: Uint32Array;
  readonly #counts: Float64Array;
  readonly #places = new Map<number, number>();

  constructor(memory: SharedArrayBuffer = createCounterMemory()) {
    this.#types = new Uint32Array(memory, 0, TYPE_PLACES);
    this.#counts = new Float64Array(memory, TYPES_BYTES);
    for (const [place, type] of this.#types.entries()) if (type > 0) this.#places.set(type - 1, place);
  }

  /** Count an answer; `servicePlace` is -1 when no service was answered from. */
  answered(transport: Transport, type: number, rcode: number, servicePlace: number): void {
    const typePlace = this.#places.get(type) ?? this.#takePlace(type);
    const row = TRANSPORTS.indexOf(transport) * RCODE_PLACES + (rcode & (RCODE_PLACES - 1));
    this.#counts[row * TYPE_PLACES + typePlace]!++;
    if (servicePlace >= 0) this.#counts[ANSWERS_AT + servicePlace * TYPE_PLACES + typePlace]!++;
  }

  dropped(reason: DropReason): void {
    this.#counts[DROPPED_AT + DROP_REASONS.indexOf(reason)]!++;
  }

  unknownName(): void {
    this.#counts[UNKNOWN_AT]!++;
  }

  /** A query that ended in SERVFAIL because answering it threw. */
  failed(): void {
    this.#counts[FAILURES_AT]!++;
  }

  *queries(): Generator<QueryCount> {
    for (let i = 0; i < QUERIES; i++) {
      const count = this.#counts[i]!;
      if (count === 0) continue;
      const row = Math.floor(i / TYPE_PLACES);
      const proto = TRANSPORTS[Math.floor(row / RCODE_PLACES)]!;
      yield { proto, type: this.#typeAt(i % TYPE_PLACES), rcode: formatRcode(row % RCODE_PLACES), count };
    }
  }

  *answers(): Generator<AnswerCount> {
    for (let i = 0; i < ANSWERS; i++) {
      const count = this.#counts[ANSWERS_AT + i]!;
      if (count > 0) yield { place: Math.floor(i / TYPE_PLACES), type: this.#typeAt(i % TYPE_PLACES), count };
    }
  }

  droppedCount(reason: DropReason): number {
    return this.#counts[DROPPED_AT + DROP_REASONS.indexOf(reason)]!;
  }

  get unknownNames(): number {
    return this.#counts[UNKNOWN_AT]!;
  }

  get failures(): number {
    return this.#counts[FAILURES_AT]!;
  }

  #takePlace(type: number): number {
    const place = Math.min(this.#places.size, OTHER_TYPE);
    if (place === OTHER_TYPE) return place;
    this.#types[place] = type + 1;
    this.#places.set(type, place);
    return place;
  }

  #typeAt(place: number): string {
    if (place === OTHER_TYPE) return 'other';
    const type = this.#types[place]! - 1;
    return type === 0 ? 'none' : formatType(type);
  }
}
