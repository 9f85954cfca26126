// recent-orders.ts -- orders that were worked out for clients, for when these ask again: a fixed amount of memory
//
// A ring of candidate indexes, overwritten from the oldest on, and a table that says where in it the order of a plan and
// a client begins. What a plan no longer needs needs no clearing away: nobody asks for it, and the ring goes round.

const RING = 1 << 20;
const PLACES = 1 << 16;
/** Places that an order may be at: with one, two clients could go on driving each other out. */
const WAYS = 4;

export class RecentOrders {
  readonly #ring: Uint16Array;
  /** By place: whose order it is, and how many indexes had ever been written when it was begun. */
  readonly #plans: Uint32Array;
  readonly #clients: Uint32Array;
  readonly #lengths: Uint16Array;
  readonly #begins: Float64Array;
  #written: number;

  /** For `ring` indexes, and as many orders as there are `places` (a power of two, at least 4). */
  constructor(ring = RING, places = PLACES) {
    this.#ring = new Uint16Array(ring);
    this.#plans = new Uint32Array(places);
    this.#clients = new Uint32Array(places);
    this.#lengths = new Uint16Array(places);
    this.#begins = new Float64Array(places);
    this.#written = ring;
  }

  /** Copy the order of `length` indexes kept for a plan (> 0) and a client; false when there is none any more. */
  find(plan: number, client: number, length: number, order: Uint16Array): boolean {
    const place = this.#placeOf(plan, client, length);
    if (place < 0) return false;
    const begin = this.#begins[place]!;
    if (begin < this.#written - this.#ring.length) return false;
    const from = begin % this.#ring.length;
    for (let i = 0; i < length; i++) order[i] = this.#ring[from + i]!;
    return true;
  }

  /** Keep the first `length` indexes of `order`. */
  keep(plan: number, client: number, length: number, order: Uint16Array): void {
    const ring = this.#ring;
    if (length > ring.length) return;
    // An order does not go over the end.
    const left = ring.length - (this.#written % ring.length);
    const begin = this.#written + (length > left ? left : 0);
    const to = begin % ring.length;
    for (let i = 0; i < length; i++) ring[to + i] = order[i]!;
    this.#written = begin + length;
    const known = this.#placeOf(plan, client, length);
    const place = known < 0 ? this.#oldestOf(plan, client) : known;
    this.#plans[place] = plan;
    this.#clients[place] = client;
    this.#lengths[place] = length;
    this.#begins[place] = begin;
  }

  #placeOf(plan: number, client: number, length: number): number {
    const first = this.#firstOf(plan, client);
    for (let place = first; place < first + WAYS; place++) {
      if (this.#clients[place] === client && this.#plans[place] === plan && this.#lengths[place] === length)
        return place;
    }
    return -1;
  }

  #oldestOf(plan: number, client: number): number {
    const first = this.#firstOf(plan, client);
    let oldest = first;
    for (let place = first + 1; place < first + WAYS; place++) {
      if (this.#begins[place]! < this.#begins[oldest]!) oldest = place;
    }
    return oldest;
  }

  /** Of the few places that this order may be at. */
  #firstOf(plan: number, client: number): number {
    const mixed = Math.imul(client ^ Math.imul(plan, 0x9e3779b1), 0x85ebca6b);
    return (mixed ^ (mixed >>> 16)) & (this.#plans.length - WAYS);
  }
}
