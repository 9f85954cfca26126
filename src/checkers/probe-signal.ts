// probe-signal.ts -- tells the parts of a probe that its time is up
//
// What an AbortSignal does, without being an EventTarget: a thousand of those a second make more garbage than all else
// that a probe needs.

/** Fires once, or never. */
export class ProbeSignal {
  #reason: Error | undefined;
  #listeners: Set<() => void> | undefined = new Set();

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Why it was aborted. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** Call `listener` when it is aborted, at once when it is already; the returned function takes that back. */
  onAbort(listener: () => void): () => void {
    if (this.#listeners === undefined) {
      listener();
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  abort(reason: Error): void {
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    this.#reason = reason;
    this.#listeners = undefined;
    for (const listener of listeners) listener();
  }
}
