// best-few.ts -- keeps the candidates with the least scores out of many, and puts them in order
//
// A heap with the worst of those kept on top: most of many candidates are turned away by one comparison.

export class BestFew {
  #scores: Float64Array = new Float64Array(16);
  #members: Uint16Array = new Uint16Array(16);
  #room = 0;
  #count = 0;
  /** Whoever scores this or more is not kept. */
  bar: number = Number.POSITIVE_INFINITY;

  /** Keep none, and from now on the `room` (> 0) best. */
  begin(room: number): void {
    if (room > this.#scores.length) {
      this.#scores = new Float64Array(room);
      this.#members = new Uint16Array(room);
    }
    this.#room = room;
    this.#count = 0;
    this.bar = Number.POSITIVE_INFINITY;
  }

  /** Keep one that scores less than `bar`. */
  keep(member: number, score: number): void {
    if (this.#count < this.#room) this.#rise(this.#count++, member, score);
    else this.#sink(0, this.#count, member, score);
    if (this.#count === this.#room) this.bar = this.#scores[0]!;
  }

  /** Write those kept to `order`, the best first; returns how many. None is kept any more. */
  writeTo(order: Uint16Array, from: number): number {
    const count = this.#count;
    for (let left = count - 1; left >= 0; left--) {
      order[from + left] = this.#members[0]!;
      this.#sink(0, left, this.#members[left]!, this.#scores[left]!);
    }
    this.#count = 0;
    return count;
  }

  #rise(place: number, member: number, score: number): void {
    let at = place;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#scores[above]! >= score) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(at, member, score);
  }

  /** Into the hole at `place` of a heap of `count`. */
  #sink(place: number, count: number, member: number, score: number): void {
    let at = place;
    for (let below = 1; below < count; below = at * 2 + 1) {
      if (below + 1 < count && this.#scores[below + 1]! > this.#scores[below]!) below++;
      if (this.#scores[below]! <= score) break;
      this.#move(below, at);
      at = below;
    }
    this.#put(at, member, score);
  }

  #move(from: number, to: number): void {
    this.#scores[to] = this.#scores[from]!;
    this.#members[to] = this.#members[from]!;
  }

  #put(at: number, member: number, score: number): void {
    this.#scores[at] = score;
    this.#members[at] = member;
  }
}
