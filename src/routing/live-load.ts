// live-load.ts -- what a process knows of the instances that it sends requests to by itself: how many, and how long

import { type PeakLatency, peakAfter } from './peak-latency.ts';

/** How long it takes to come half the way to what is new: requests tell it sooner than checks do. */
const HALF_LIFE_MS = 3000;
/** Of frequent samples each one counts for this part of the mean. */
const LEAST_PART = 1 / 32;
/** So far apart they count for more. */
const RARE_MS = -HALF_LIFE_MS * Math.log2(1 - LEAST_PART);

/** Requests to one instance. Whoever sends one keeps this object until it ends, so that nothing has to be looked up. */
export class LiveLoad {
  #inFlight = 0;
  #isSampled = false;
  #peakMs = 0;
  #meanMs = 0;
  #sampledMs = 0;

  /** Requests that have begun and not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Times to the first octet of a reply, peaks first (peak-latency.ts); undefined: none is known. */
  get latency(): PeakLatency | undefined {
    return this.#isSampled ? { valueMs: this.#peakMs, atMs: this.#sampledMs } : undefined;
  }

  /** Is anything known of the latency? */
  get isSampled(): boolean {
    return this.#isSampled;
  }

  /** Value of `latency`; 0 while there is none. */
  get peakMs(): number {
    return this.#peakMs;
  }

  /** Moving average of the same times; 0 while there is none. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** When the last sample was taken; monotonic. */
  get sampledMs(): number {
    return this.#sampledMs;
  }

  begin(): void {
    this.#inFlight++;
  }

  end(): void {
    this.#inFlight--;
  }

  /** A reply began after so long; `nowMs` is monotonic. Whoever has failed at once is not fast: that is no sample. */
  sample(latencyMs: number, nowMs: number, hasFailed = false): void {
    if (hasFailed && (!this.#isSampled || latencyMs <= this.#meanMs)) return;
    if (!this.#isSampled) {
      this.#isSampled = true;
      this.#peakMs = latencyMs;
      this.#meanMs = latencyMs;
    } else {
      const elapsedMs = nowMs - this.#sampledMs;
      this.#peakMs = peakAfter(this.#peakMs, latencyMs, elapsedMs, HALF_LIFE_MS);
      const part = elapsedMs <= RARE_MS ? LEAST_PART : 1 - 2 ** (-elapsedMs / HALF_LIFE_MS);
      this.#meanMs += (latencyMs - this.#meanMs) * part;
    }
    this.#sampledMs = nowMs;
  }
}
