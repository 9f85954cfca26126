// deadline.ts -- one signal out of several and a time, which leaves no timer and no listener behind
//
// AbortSignal.any keeps what it made on signals that live as long as the program (seen on Node 20), so they are joined by
// hand and taken apart again.

export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signals: readonly AbortSignal[];
  readonly #abort = (): void => this.#controller.abort();
  #isLate = false;

  /** `timeoutMs` undefined: as long as it takes. */
  constructor(timeoutMs: number | undefined, ...signals: readonly (AbortSignal | undefined)[]) {
    this.#signals = signals.filter((signal) => signal !== undefined);
    for (const signal of this.#signals) {
      if (signal.aborted) this.#abort();
      else signal.addEventListener('abort', this.#abort);
    }
    if (timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      this.#abort();
    }, timeoutMs);
  }

  /** Aborted when the time is over, or any of the signals is. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Was it the time? */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** It is not needed any more. */
  end(): void {
    clearTimeout(this.#timer);
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#abort);
  }
}
