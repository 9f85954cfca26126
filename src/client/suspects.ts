// suspects.ts -- instances that could not be reached a moment ago: others are tried before them

/** How long one is passed over the first time, and at most; twice as long each time in a row. */
const FIRST_MS = 1000;
const MOST_MS = 30_000;
/** More are forgotten, oldest first. */
const MAX_SUSPECTS = 1000;

export class Suspects {
  readonly #until = new Map<string, { untilMs: number; times: number }>();

  /** It could not be reached. `nowMs` is monotonic. */
  failed(id: string, nowMs: number): void {
    const before = this.#until.get(id);
    // Of many requests at once the first one tells it all.
    if (before !== undefined && nowMs < before.untilMs) return;
    const isRecent = before !== undefined && nowMs < before.untilMs + MOST_MS;
    const times = isRecent ? before.times + 1 : 1;
    this.#until.delete(id);
    if (this.#until.size >= MAX_SUSPECTS) this.#until.delete(this.#until.keys().next().value!);
    this.#until.set(id, { untilMs: nowMs + Math.min(MOST_MS, FIRST_MS * 2 ** (times - 1)), times });
  }

  /** It answered. */
  worked(id: string): void {
    if (this.#until.size > 0) this.#until.delete(id);
  }

  /** Should others be tried first? */
  has(id: string, nowMs: number): boolean {
    const suspect = this.#until.get(id);
    return suspect !== undefined && nowMs < suspect.untilMs;
  }
}
