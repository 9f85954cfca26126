// error-window.ts -- how many requests there were of late, and how many of them failed

/** The window moves on by this part of itself. */
const BUCKETS = 10;

/** Sums over a sliding window, in constant memory. Times are monotonic. */
export class ErrorWindow {
  readonly #bucketMs: number;
  /** Requests and errors, in turn, of each bucket. */
  readonly #counts = new Uint32Array(BUCKETS * 2);
  /** Number of the newest bucket, from the beginning of time. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.#bucketMs = Math.max(1, windowMs / BUCKETS);
  }

  add(requests: number, errors: number, nowMs: number): void {
    this.#moveTo(nowMs);
    const at = (this.#newest % BUCKETS) * 2;
    this.#counts[at]! += requests;
    this.#counts[at + 1]! += errors;
  }

  sums(nowMs: number): { requests: number; errors: number } {
    this.#moveTo(nowMs);
    let requests = 0;
    let errors = 0;
    for (let at = 0; at < this.#counts.length; at += 2) {
      requests += this.#counts[at]!;
      errors += this.#counts[at + 1]!;
    }
    return { requests, errors };
  }

  /** Empty the buckets that begin anew. */
  #moveTo(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    if (bucket <= this.#newest) return;
    if (bucket - this.#newest >= BUCKETS) this.#counts.fill(0);
    else
      for (let each = this.#newest + 1; each <= bucket; each++)
        this.#counts.fill(0, (each % BUCKETS) * 2, (each % BUCKETS) * 2 + 2);
    this.#newest = bucket;
  }
}
