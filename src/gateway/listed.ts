// listed.ts -- those that are under way, each of which knows where it stands in the list
//
// For thousands that come and go every second. A Set is no good for these: it gets a new table now and then, and the
// tables before, once V8 counts them as old, keep everything alive that was in them until the whole heap is collected.

/** In one list at a time. */
export interface Listed {
  /** Where it stands; -1: in no list. */
  index: number;
}

/** In no order. */
export class List<T extends Listed> {
  readonly #all: T[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(each: T): void {
    each.index = this.#all.length;
    this.#all.push(each);
  }

  /** Nothing happens when it is in no list. */
  delete(each: T): void {
    const { index } = each;
    if (index < 0) return;
    const last = this.#all.pop()!;
    if (last !== each) {
      this.#all[index] = last;
      last.index = index;
    }
    each.index = -1;
  }

  /** As it is now: what is done with them may take them out. */
  all(): readonly T[] {
    return [...this.#all];
  }
}
