// rounds.ts -- visits every instance after a change that may concern all of them, a little in each turn of the event loop

import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** How long one slice lasts; its last visit comes on top. */
const SLICE_MS = 5;

export interface RoundsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ids of all there are. It may change while it is gone through; what it yields twice is visited twice. */
  readonly ids: () => Iterable<string>;
  readonly visit: (id: string) => void;
}

/**
 * A round that is under way when the next is asked for goes on to its end, and another follows: so every instance has
 * its turn, however often things change, and is visited at least once after the last change.
 */
export class Rounds {
  readonly #options: RoundsOptions;
  #left: Iterator<string> | undefined;
  #isAskedFor = false;
  #isDue = false;
  #isStopped = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Visit everything, beginning when this turn is over. */
  ask(): void {
    this.#isAskedFor = true;
    this.#later();
  }

  /** Nothing is visited any more. */
  stop(): void {
    this.#isStopped = true;
    this.#left = undefined;
  }

  #later(): void {
    if (this.#isDue || this.#isStopped) return;
    this.#isDue = true;
    this.#options.clock.afterTurn(() => {
      this.#isDue = false;
      if (!this.#isStopped) this.#slice();
    });
  }

  #slice(): void {
    const { clock, ids } = this.#options;
    if (this.#left === undefined) {
      this.#isAskedFor = false;
      this.#left = ids()[Symbol.iterator]();
    }
    const endsMs = clock.monotonicMs() + SLICE_MS;
    do {
      const step = this.#left.next();
      if (step.done === true) {
        this.#left = undefined;
        if (this.#isAskedFor) this.#later();
        return;
      }
      this.#visit(step.value);
      // A visit may have stopped all.
      if (this.#isStopped) return;
    } while (clock.monotonicMs() < endsMs);
    this.#later();
  }

  /** One that fails must not leave the others without whoever looks after them. */
  #visit(id: string): void {
    const { log, visit } = this.#options;
    try {
      visit(id);
    } catch (error) {
      log.error({ instance: id, reason: errorMessage(error) }, 'an instance could not be assigned');
    }
  }
}
