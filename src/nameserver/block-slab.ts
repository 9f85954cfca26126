// block-slab.ts -- blocks of 32-bit words in one stretch of memory: no object for each, and room is used again
//
// Blocks come in sizes a quarter of a power of two apart, so that what is freed fits what comes later.

/** A slab that grows up to `maxWords` words. */
export class BlockSlab {
  words: Int32Array;
  readonly #maxWords: number;
  /** By size class, the first free block, which holds the next one in its first word; 0: none. */
  readonly #free = new Int32Array(128);
  /** No block begins at 0. */
  #end = 4;

  constructor(firstWords: number, maxWords: number) {
    this.words = new Int32Array(firstWords);
    this.#maxWords = maxWords;
  }

  /** Words in use or free to be used again. */
  get size(): number {
    return this.#end;
  }

  /** Where a block of at least `count` words begins; 0 when there is no room. `words` may be another array then. */
  take(count: number): number {
    const sizeClass = classOf(count);
    const free = this.#free[sizeClass]!;
    if (free !== 0) {
      this.#free[sizeClass] = this.words[free]!;
      return free;
    }
    const at = this.#end;
    const end = at + wordsOf(sizeClass);
    if (end > this.#maxWords) return 0;
    if (end > this.words.length) this.#grow(end);
    this.#end = end;
    return at;
  }

  /** Give back the block of `count` words at `at`. */
  give(at: number, count: number): void {
    const sizeClass = classOf(count);
    this.words[at] = this.#free[sizeClass]!;
    this.#free[sizeClass] = at;
  }

  #grow(end: number): void {
    const larger = new Int32Array(Math.min(Math.max(this.words.length * 2, end), this.#maxWords));
    larger.set(this.words);
    this.words = larger;
  }
}

/** Sizes 4, 5, 6, 7 times each power of two. */
function classOf(count: number): number {
  if (count <= 4) return 0;
  const exponent = 31 - Math.clz32(count - 1) - 2;
  const quarter = Math.ceil(count / 2 ** exponent);
  return quarter === 8 ? (exponent + 1) * 4 : exponent * 4 + quarter - 4;
}

function wordsOf(sizeClass: number): number {
  return (4 + (sizeClass & 3)) * 2 ** (sizeClass >> 2);
}
