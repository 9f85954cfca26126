// slices.ts -- long work done a little at a time, so that the rest of the server goes on

import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';

/** How long one slice lasts; its last step comes on top, so that both together are mostly below 10 ms. */
export const SLICE_MS = 5;

interface Task {
  /** Go on until `endsMs` (monotonic); true: there is nothing left to do. */
  go(endsMs: number): boolean;
}

/** All such work of the server. One slice of one task is done in a turn of the event loop, whatever there is to do. */
export class Slices {
  readonly #clock: Clock;
  /** Those at work, the next one first. */
  readonly #tasks: Task[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Work to the end, or until `signal`: then it is ended, and CodedError `stopping` thrown. */
  run<T>(work: Generator<void, T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const go = (endsMs: number): boolean => {
        try {
          if (signal.aborted) {
            work.return(undefined as never);
            throw new CodedError('stopping', 'nobody waits for the result any more');
          }
          do {
            const step = work.next();
            if (!step.done) continue;
            resolve(step.value);
            return true;
          } while (this.#clock.monotonicMs() < endsMs);
          return false;
        } catch (thrown) {
          reject(thrown);
          return true;
        }
      };
      this.#tasks.push({ go });
      if (this.#tasks.length === 1) this.#clock.afterTurn(() => this.#next());
    });
  }

  #next(): void {
    const isOver = this.#tasks[0]!.go(this.#clock.monotonicMs() + SLICE_MS);
    const task = this.#tasks.shift()!;
    if (!isOver) this.#tasks.push(task);
    if (this.#tasks.length > 0) this.#clock.afterTurn(() => this.#next());
  }
}
