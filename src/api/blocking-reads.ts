// blocking-reads.ts -- reads that wait until a service changes: `?index=N&wait=30s`
//
// A service's index is the sequence of the last change that concerned it, its going away included. So a reader that
// saw it gone can wait for its return, and one that has not seen it yet is told at once.

import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { Registry } from '../registry/registry.ts';

/**
 * How many services that are gone keep their own index; those forgotten share the highest index that was forgotten. So
 * no index ever goes back, and a reader of a forgotten one is answered at once, once.
 */
const MAX_GONE = 10_000;

export class BlockingReads {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #max: number;
  readonly #gone: LRUCache<string, number>;
  #forgotten = 0;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unlisten: () => void;
  #count = 0;
  #released = false;

  /** At most `max` readers wait at a time. */
  constructor(registry: Registry, clock: Clock, max: number, maxGone: number = MAX_GONE) {
    this.#registry = registry;
    this.#clock = clock;
    this.#max = max;
    this.#gone = new LRUCache<string, number>({
      max: maxGone,
      dispose: (index, _service, reason) => {
        if (reason === 'evict') this.#forgotten = Math.max(this.#forgotten, index);
      },
    });
    this.#unlisten = registry.onChange(({ service, sequence }) => {
      if (registry.service(service) === undefined) this.#gone.set(service, sequence);
      else this.#gone.delete(service);
      for (const wake of this.#waiting.get(service) ?? []) wake();
    });
  }

  /** How many wait now. */
  get count(): number {
    return this.#count;
  }

  /** The index of a service, known or not; 0 when nothing was ever heard of it nor of many others. */
  indexOf(service: string): number {
    return this.#registry.service(service)?.index ?? this.#gone.get(service) ?? this.#forgotten;
  }

  /**
   * Resolves when the service's index is no longer `index`, after `waitMs`, when `onGone` calls back (the client went
   * away), or on release. Throws CodedError `rate_limited` when too many wait already.
   */
  async changed(service: string, index: number, waitMs: number, onGone: (wake: () => void) => void): Promise<void> {
    if (this.#released || waitMs <= 0 || this.indexOf(service) !== index) return;
    if (this.#count >= this.#max) {
      throw new CodedError('rate_limited', `${this.#max} blocking reads are waiting already`);
    }
    await new Promise<void>((resolve) => {
      const waiters = this.#waiting.get(service) ?? new Set();
      const wake = (): void => {
        if (!waiters.delete(wake)) return;
        // A later reader may have begun another set under the same name.
        if (waiters.size === 0 && this.#waiting.get(service) === waiters) this.#waiting.delete(service);
        timer.cancel();
        this.#count--;
        resolve();
      };
      this.#waiting.set(service, waiters.add(wake));
      this.#count++;
      const timer = this.#clock.after(waitMs, wake);
      onGone(wake);
    });
  }

  /** Let everybody go, now and from now on. */
  release(): void {
    this.#released = true;
    this.#unlisten();
    this.wake();
  }

  /** Let everybody go who waits now. */
  wake(): void {
    for (const waiters of this.#waiting.values()) for (const wake of waiters) wake();
  }
}
