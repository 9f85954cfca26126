// rendezvous.ts -- every client's own order of candidates, by weight, which changes only where it must
//
// Each pair of client and candidate has a number that looks random and never changes. Read as the time at which a
// candidate of that weight arrives (exponentially distributed), it makes the first to arrive each one with a probability
// in proportion to its weight; taking one away moves nobody but its own clients (Thaler and Ravishankar 1998; weighted
// as by Efraimidis and Spirakis 2006). It depends on keys, weights and client alone, so all threads and nodes agree.

import { BestFew } from './best-few.ts';
import type { Candidate } from './plan.ts';
import { RecentOrders } from './recent-orders.ts';

const TWO_32 = 2 ** 32;
/** Fewer candidates are ordered faster than their order is looked up. */
const MIN_KEPT = 8;

const best = new BestFew();
/** Shared by all plans of a thread, so that memory is bounded however many there are; made when first needed. */
let recent: RecentOrders | undefined;
let plans = 0;

/** Candidates that clients order each in their own way. */
export class Rendezvous {
  /** Candidate indexes in an order that is the same wherever the candidates come from. */
  readonly #members: Uint16Array;
  /** The place of each of them, by candidate index. */
  readonly #places: Uint16Array;
  /** Two independent hashes of the keys, by place. */
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #weights: Float64Array;
  readonly #isEven: boolean;
  readonly #plan: number;

  /** `indexes` are those of the candidates that take part. Without `isWeighted` all weigh the same. */
  constructor(candidates: readonly Candidate[], indexes: readonly number[], isWeighted: boolean) {
    const hashed = indexes.map((index) => {
      // Written out: spreading takes several times as long, and there may be thousands.
      const { low, high } = hashKey(candidates[index]!.key);
      return { index, low, high };
    });
    hashed.sort((a, b) => a.low - b.low || a.high - b.high);
    this.#members = Uint16Array.from(hashed, ({ index }) => index);
    this.#places = new Uint16Array(candidates.length);
    for (const [place, { index }] of hashed.entries()) this.#places[index] = place;
    this.#low = Int32Array.from(hashed, ({ low }) => low);
    this.#high = Int32Array.from(hashed, ({ high }) => high);
    this.#weights = Float64Array.from(hashed, ({ index }) => (isWeighted ? candidates[index]!.weight : 1));
    this.#isEven = this.#weights.every((each) => each === this.#weights[0]);
    plans = (plans + 1) >>> 0 || 1;
    this.#plan = plans;
  }

  get size(): number {
    return this.#members.length;
  }

  /** All weigh the same. */
  get isEven(): boolean {
    return this.#isEven;
  }

  /** Write the first `limit` candidates of a client's order from `from` on; returns how many there are. */
  order(client: number, limit: number, order: Uint16Array, from = 0): number {
    const count = Math.min(limit, this.#members.length);
    if (count <= 0) return 0;
    // The fewest of many are worth keeping; what is appended is of those of weight 0, which hardly anybody sees.
    if (this.#members.length < MIN_KEPT || from > 0) return this.#workOut(client, count, order, from);
    recent ??= new RecentOrders();
    if (recent.find(this.#plan, client, count, order)) return count;
    this.#workOut(client, count, order, 0);
    recent.keep(this.#plan, client, count, order);
    return count;
  }

  weightOf(index: number): number {
    return this.#weights[this.#places[index]!]!;
  }

  /** When the candidate at `index` arrives at a client. */
  arrivalOf(client: number, index: number): number {
    const place = this.#places[index]!;
    return arrival(this.#number(place, client), this.#weights[place]!);
  }

  #workOut(client: number, count: number, order: Uint16Array, from: number): number {
    best.begin(count);
    if (this.#isEven) this.#rankEven(client);
    else this.#rankWeighted(client);
    return best.writeTo(order, from);
  }

  #rankEven(client: number): void {
    for (let place = 0; place < this.#members.length; place++) {
      const number = this.#number(place, client);
      if (number < best.bar) best.keep(this.#members[place]!, number);
    }
  }

  #rankWeighted(client: number): void {
    for (let place = 0; place < this.#members.length; place++) {
      const number = this.#number(place, client);
      const weight = this.#weights[place]!;
      // -ln(1 - u) is at least u: most need no logarithm.
      if (number >= best.bar * weight * TWO_32) continue;
      const time = arrival(number, weight);
      if (time < best.bar) best.keep(this.#members[place]!, time);
    }
  }

  /** 32 bits for a pair of candidate and client; for one candidate, those of no two clients are the same. */
  #number(place: number, client: number): number {
    let mixed = client ^ this.#low[place]!;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d) ^ this.#high[place]!;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x2c1b3c6d);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}

/** Exponentially distributed with the weight for its rate. */
function arrival(number: number, weight: number): number {
  return -Math.log1p(-(number + 0.5) / TWO_32) / weight;
}

function hashKey(key: string): { low: number; high: number } {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (high >>> 15);
  }
  return { low: finish(low), high: finish(high) };
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
