// held-octets.ts -- how much memory all connections together may hold for what is not finished
//
// One connection may hold a message of 65,535 octets and a reply as long, a thousand may not. Whoever has held anything
// for longest gives way, so that an honest message passes between hostile ones that never end.

export interface Holder {
  /** Called when the holder has to let go of everything. */
  giveWay(): void;
}

export class HeldOctets<Each extends Holder> {
  readonly #max: number;
  /** In the order in which they began to hold something. */
  readonly #held = new Map<Each, number>();
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get total(): number {
    return this.#total;
  }

  /** The holder has so many octets now. Others give way when that is too much, in the end the holder itself. */
  set(holder: Each, octets: number): void {
    const before = this.#held.get(holder) ?? 0;
    if (octets === before) return;
    this.#total += octets - before;
    if (octets === 0) this.#held.delete(holder);
    else this.#held.set(holder, octets);
    while (this.#total > this.#max) {
      const [longest] = this.#held;
      if (longest === undefined) return;
      const [other, theirs] = longest;
      this.#held.delete(other);
      this.#total -= theirs;
      other.giveWay();
    }
  }
}
