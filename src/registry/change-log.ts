// change-log.ts -- the last changes in the order they happened, bounded in number and octets
//
// Watchers read from it at their own pace, so it is also the only buffer there is for those that are behind.

/** One change as it is sent to watchers. */
export interface LoggedChange {
  readonly sequence: number;
  readonly service: string;
  readonly octets: Uint8Array;
}

export interface ChangeLogLimits {
  readonly maxChanges: number;
  readonly maxOctets: number;
}

/** A ring in which a change is found by its sequence. */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #ring: (LoggedChange | undefined)[];
  #tail: number;
  #head: number;
  #octets = 0;

  /** `sequence` is that of the last change before the log begins. */
  constructor(limits: ChangeLogLimits, sequence: number) {
    this.#limits = limits;
    this.#ring = new Array<LoggedChange | undefined>(limits.maxChanges);
    this.#tail = sequence;
    this.#head = sequence;
  }

  /** Sequence of the last change. */
  get head(): number {
    return this.#head;
  }

  /** Sequence of the last change that is no longer here. */
  get tail(): number {
    return this.#tail;
  }

  get octets(): number {
    return this.#octets;
  }

  /** Can somebody who saw everything up to this change go on from here? */
  reaches(sequence: number): boolean {
    return sequence >= this.#tail && sequence <= this.#head;
  }

  /** Add the next change and forget the oldest beyond the limits; one change is kept whatever its size. */
  append(change: LoggedChange): void {
    const { maxChanges, maxOctets } = this.#limits;
    // Nobody could go on over a gap.
    if (change.sequence !== this.#head + 1) while (this.#tail < this.#head) this.#forgetOldest();
    if (change.sequence !== this.#head + 1) this.#tail = change.sequence - 1;
    if (this.#head - this.#tail >= maxChanges) this.#forgetOldest();
    this.#head = change.sequence;
    this.#ring[change.sequence % maxChanges] = change;
    this.#octets += change.octets.length;
    while (this.#octets > maxOctets && this.#head - this.#tail > 1) this.#forgetOldest();
  }

  /** The changes behind `sequence`, as far as they are here, in order. */
  *after(sequence: number): Iterable<LoggedChange> {
    for (let each = Math.max(sequence, this.#tail) + 1; each <= this.#head; each++) {
      const change = this.#ring[each % this.#limits.maxChanges];
      if (change !== undefined) yield change;
    }
  }

  #forgetOldest(): void {
    this.#tail++;
    const slot = this.#tail % this.#limits.maxChanges;
    this.#octets -= this.#ring[slot]?.octets.length ?? 0;
    this.#ring[slot] = undefined;
  }
}
