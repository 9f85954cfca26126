// request-queue.ts -- requests of one route that wait until an instance can take them, first come, first served

import type { Clock } from '../base/clock.ts';
import { DeadlineQueue, type Timed } from './deadline-queue.ts';

/** A request that waits. */
export interface Waiting {
  /** There may be a place for it now; false: there is none yet. */
  takePlace(): boolean;
  /** It has waited long enough. It is not in the queue any more. */
  waitedTooLong(): void;
}

/** A place in the queue. */
export class QueuePlace implements Timed {
  readonly waiting: Waiting;
  readonly #leave: (place: QueuePlace) => void;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;
  queue: DeadlineQueue | undefined;

  constructor(waiting: Waiting, leave: (place: QueuePlace) => void) {
    this.waiting = waiting;
    this.#leave = leave;
  }

  expired(): void {
    this.#leave(this);
    this.waiting.waitedTooLong();
  }
}

export class RequestQueue {
  readonly #max: number;
  readonly #times: DeadlineQueue;
  readonly #places = new Set<QueuePlace>();

  constructor(clock: Clock, max: number, timeoutMs: number) {
    this.#max = max;
    this.#times = new DeadlineQueue(clock, timeoutMs);
  }

  get size(): number {
    return this.#places.size;
  }

  /** The place to leave again; undefined: the queue is full. */
  join(waiting: Waiting, nowMs: number): QueuePlace | undefined {
    if (this.#places.size >= this.#max) return undefined;
    const place = new QueuePlace(waiting, this.leave);
    this.#places.add(place);
    this.#times.add(place, nowMs);
    return place;
  }

  /** Harmless when it has left. */
  readonly leave = (place: QueuePlace): void => {
    this.#places.delete(place);
    this.#times.remove(place);
  };

  /** There may be places: whoever is in front takes one, until one cannot. */
  wake(): void {
    for (const place of this.#places) {
      if (!place.waiting.takePlace()) return;
      this.leave(place);
    }
  }

  stop(): void {
    this.#times.stop();
  }
}
