// back-off.ts -- how long to wait before the next try: longer each time, and never in step with others

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../base/random.ts';

/** How tries are spaced. */
export interface BackOffOptions {
  /** The most that the first pause may last. Default 200. */
  readonly firstMs?: number;
  /** The most that any may. Default 10,000. */
  readonly mostMs?: number;
}

/** Full jitter: each pause is anything from nothing to a limit that doubles. */
export class BackOff {
  readonly #random: Random;
  readonly #firstMs: number;
  readonly #mostMs: number;
  #tries = 0;

  constructor(random: Random, { firstMs = 200, mostMs = 10_000 }: BackOffOptions = {}) {
    this.#random = random;
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** The next pause, in milliseconds. */
  nextMs(): number {
    const limitMs = Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#tries++, 30));
    return this.#random.next() * limitMs;
  }

  /** It worked: begin with short pauses again. */
  reset(): void {
    this.#tries = 0;
  }
}

/** Wait; false when the signal ended it. `ref`: whether the process stays alive for it. */
export async function pause(ms: number, signal: AbortSignal, ref: boolean): Promise<boolean> {
  if (signal.aborted) return false;
  try {
    await sleep(ms, undefined, { signal, ref });
    return true;
  } catch {
    return false;
  }
}
