// retry-budget.ts -- how many requests may be sent a second time: a part of all, so that retries never feed an outage

const WINDOW_SECONDS = 10;
/** Allowed whatever the part says, so that the few requests of a quiet route are tried again too. */
const ALWAYS_PER_SECOND = 3;

/** Counts the last ten seconds, second by second. */
export class RetryBudget {
  readonly #share: number;
  readonly #requests = new Uint32Array(WINDOW_SECONDS);
  readonly #retries = new Uint32Array(WINDOW_SECONDS);
  #requestSum = 0;
  #retrySum = 0;
  #second = 0;

  /** `share`: of the requests, 0..1; with 0 nothing is tried again. */
  constructor(share: number) {
    this.#share = share;
  }

  /** A request came; `nowMs` never goes back. */
  request(nowMs: number): void {
    this.#turn(nowMs);
    this.#requests[this.#second % WINDOW_SECONDS]!++;
    this.#requestSum++;
  }

  /** Take one retry; false: there is none left. */
  take(nowMs: number): boolean {
    if (this.#share === 0) return false;
    this.#turn(nowMs);
    if (this.#retrySum >= Math.max(ALWAYS_PER_SECOND * WINDOW_SECONDS, this.#share * this.#requestSum)) return false;
    this.#retries[this.#second % WINDOW_SECONDS]!++;
    this.#retrySum++;
    return true;
  }

  /** Forget the seconds that are over. */
  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    const passed = Math.min(WINDOW_SECONDS, second - this.#second);
    for (let i = 1; i <= passed; i++) {
      const at = (second - passed + i) % WINDOW_SECONDS;
      this.#requestSum -= this.#requests[at]!;
      this.#retrySum -= this.#retries[at]!;
      this.#requests[at] = 0;
      this.#retries[at] = 0;
    }
    this.#second = second;
  }
}
