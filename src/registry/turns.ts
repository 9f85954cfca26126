// turns.ts -- one write at a time for each key, so that each begins from what the one before it left
//
// Preconditions alone would be right too, but of N writers of one instance all but one would have to try again, N times
// over; and a write that is in flight could not be seen by one that has nothing to write.

/** Runs actions of the same key one after the other; different keys do not wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Run `action` when all that was asked for `key` before has settled; settles as `action` does. */
  async take<T>(key: string, action: () => Promise<T>): Promise<T> {
    return await this.takeAll([key], action);
  }

  /** The same for several keys at once. All places are taken in one step, so that no two can wait for each other. */
  async takeAll<T>(keys: readonly string[], action: () => Promise<T>): Promise<T> {
    const before = keys.map((key) => this.#last.get(key)).filter((each) => each !== undefined);
    const result = (before.length === 1 ? before[0]! : Promise.all(before)).then(action);
    const settled = result.catch(() => {});
    for (const key of keys) this.#last.set(key, settled);
    try {
      return await result;
    } finally {
      for (const key of keys) if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }

  /** Keys with an action under way or waiting. */
  get size(): number {
    return this.#last.size;
  }
}
