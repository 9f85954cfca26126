// pauses.ts -- long work as a generator: it yields where others may go on, and what it yields means nothing

/** Items that are handled between two pauses. */
const STEP = 256;

/** A pause is due before item `i` of many. */
export function isPause(i: number): boolean {
  return i % STEP === STEP - 1;
}

/** So many that work on all of them deserves a pause before and after. */
export function isMany({ length }: { readonly length: number }): boolean {
  return length >= STEP;
}

/** As `items.map(make)`. */
export function* mapped<T, U>(items: readonly T[], make: (item: T, index: number) => U): Generator<void, U[]> {
  const made: U[] = [];
  for (let i = 0; i < items.length; i++) {
    if (isPause(i)) yield;
    made.push(make(items[i]!, i));
  }
  return made;
}

/** Do all of it now. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
