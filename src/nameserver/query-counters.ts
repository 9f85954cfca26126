// query-counters.ts -- counts of queries and answers in shared memory: cheap to count, read by whoever renders them
//
// Each thread that answers has memory of its own and is its only writer; the main thread adds them up on scrape.

import { formatRcode, formatType } from '../dns/codes.ts';

/** How a query came in; the `proto` label. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'https';

const TRANSPORTS: readonly Transport[] = ['udp', 'tcp', 'tls', 'https'];

/**
 * Why a datagram or message got no reply: no whole header, longer than any query, a response itself, sent from port 0, a
 * rate limit, or no PROXY header where one is due.
 */
export type DropReason = 'short' | 'long' | 'response' | 'port' | 'limited' | 'proxy';

export const DROP_REASONS: readonly DropReason[] = ['short', 'long', 'response', 'port', 'limited', 'proxy'];

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
const CUTS_AT = FAILURES_AT + 1;
const DURATIONS_AT = CUTS_AT + 1;
/** Upper bounds of the buckets that durations are sorted into; there is one more for those above all. */
export const DURATION_BOUNDS_MS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10];
const DURATION_SUM_AT = DURATIONS_AT + DURATION_BOUNDS_MS.length + 1;
const COUNTS = DURATION_SUM_AT + 1;
const TYPES_BYTES = TYPE_PLACES * 4;
const UNTAKEN = 0xff;

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
  /** The place of each of the 65,536 types: a look-up here costs a query less than one in a Map. */
  readonly #places = new Uint8Array(0x10000).fill(UNTAKEN);
  #placesTaken = 0;

  constructor(memory: SharedArrayBuffer = createCounterMemory()) {
    this.#types = new Uint32Array(memory, 0, TYPE_PLACES);
    this.#counts = new Float64Array(memory, TYPES_BYTES);
    for (const [place, type] of this.#types.entries()) {
      if (type === 0) continue;
      this.#places[type - 1] = place;
      this.#placesTaken = place + 1;
    }
  }

  /** Count an answer; `servicePlace` is -1 when no service was answered from. */
  answered(transport: Transport, type: number, rcode: number, servicePlace: number): void {
    let typePlace = this.#places[type]!;
    if (typePlace === UNTAKEN) typePlace = this.#takePlace(type);
    const row = TRANSPORTS.indexOf(transport) * RCODE_PLACES + (rcode & (RCODE_PLACES - 1));
    this.#counts[row * TYPE_PLACES + typePlace]!++;
    if (servicePlace >= 0) this.#counts[ANSWERS_AT + typePlace * SERVICE_PLACES + servicePlace]!++;
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

  /** A reply that a rate limit cut to an empty one with TC. */
  cut(): void {
    this.#counts[CUTS_AT]!++;
  }

  /** Note how long an answer took. */
  took(durationMs: number): void {
    let bucket = 0;
    while (durationMs > DURATION_BOUNDS_MS[bucket]!) bucket++;
    this.#counts[DURATIONS_AT + bucket]!++;
    this.#counts[DURATION_SUM_AT]! += durationMs;
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
      if (count > 0) yield { place: i % SERVICE_PLACES, type: this.#typeAt(Math.floor(i / SERVICE_PLACES)), count };
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

  get cuts(): number {
    return this.#counts[CUTS_AT]!;
  }

  /** How many durations fell into each bucket, the last of them without an upper bound. */
  get durations(): Float64Array {
    return this.#counts.slice(DURATIONS_AT, DURATION_SUM_AT);
  }

  get durationSumMs(): number {
    return this.#counts[DURATION_SUM_AT]!;
  }

  #takePlace(type: number): number {
    const place = Math.min(this.#placesTaken, OTHER_TYPE);
    this.#places[type] = place;
    if (place === OTHER_TYPE) return place;
    this.#types[place] = type + 1;
    this.#placesTaken = place + 1;
    return place;
  }

  #typeAt(place: number): string {
    if (place === OTHER_TYPE) return 'other';
    const type = this.#types[place]! - 1;
    return type === 0 ? 'none' : formatType(type);
  }
}
