// random.ts -- the only source of chance below the I/O floor

/** A stream of random numbers. Not for secrets: those come from node:crypto where they are made. */
export interface Random {
  /** A float in [0, 1). */
  next(): number;
  /** An integer in [0, bound), for 1 <= bound <= 2^31. */
  below(bound: number): number;
}

/** Unseeded randomness for the running server. */
export const systemRandom: Random = {
  next: () => Math.random(),
  below: (bound) => Math.floor(Math.random() * bound),
};

/** A repeatable stream (mulberry32) from a 32-bit seed, for tests, fuzzing and simulation. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return { next, below: (bound) => Math.floor(next() * bound) };
}
