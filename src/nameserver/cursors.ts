// cursors.ts -- where each question's rotation stands, shared by all threads that answer it
//
// Round-robin is exact only when every answer, whoever gives it, takes the next turn. So turns live in shared memory,
// and threads find the same one by the question's text: a hash table without deletion, whose keys are 32-bit
// fingerprints claimed by compare-and-exchange. When it is full, late questions share turns with others, which costs
// them exactness and nothing else. The turns themselves lie close together, apart from the table: every answer steps
// one, and a thousand of them should not be spread over a thousand pages.

/** Each place holds a fingerprint and the place of a turn. */
const WORDS = 2;
const DEFAULT_PLACES = 1 << 20;
const MAX_PROBES = 32;
/** Two threads that meet a question at the same moment may take a turn each, of which one is never used. */
const SPARE_TURNS = 1024;

/** Shared memory for `places` rotations (a power of two). */
export function createCursorMemory(places = DEFAULT_PLACES): SharedArrayBuffer {
  return new SharedArrayBuffer((places * (WORDS + 1) + SPARE_TURNS) * Int32Array.BYTES_PER_ELEMENT);
}

/** Where the rotation of one question stands. */
export class Cursor {
  /** The memory of all turns, and the place of this one. */
  readonly turns: Int32Array;
  readonly place: number;

  readonly #space: string;

  constructor(turns: Int32Array, place: number, space = '') {
    this.turns = turns;
    this.place = place;
    this.#space = space;
  }

  /** Names the question among those of all cursors in the process. */
  get question(): string {
    return `${this.#space}${this.place}`;
  }

  /** The next turn: counts up and wraps at 2^32. */
  next(): number {
    return Atomics.add(this.turns, this.place, 1) >>> 0;
  }
}

export class Cursors {
  /** The first word counts the turns taken; it is turn 0, which is nobody's. */
  readonly #turns: Int32Array;
  readonly #table: Int32Array;

  readonly #space: string;

  /** `space`: tells the questions of this memory from those of others; the server's own has the empty one. */
  constructor(memory: SharedArrayBuffer, space = '') {
    this.#space = space;
    const places = (memory.byteLength / Int32Array.BYTES_PER_ELEMENT - SPARE_TURNS) / (WORDS + 1);
    this.#table = new Int32Array(memory, 0, places * WORDS);
    this.#turns = new Int32Array(memory, this.#table.byteLength);
  }

  /** The cursor of a question; the same for every thread that has the memory. */
  of(question: string): Cursor {
    const table = this.#table;
    const { place, fingerprint } = hash(question);
    let at = (place * WORDS) & (table.length - 1);
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const found = Atomics.compareExchange(table, at, 0, fingerprint);
      if (found === 0 || found === fingerprint) break;
      at = (at + WORDS) % table.length;
    }
    return new Cursor(this.#turns, this.#turnAt(at + 1), this.#space);
  }

  /** The turn that `word` of the table names; one is taken when there is none yet. */
  #turnAt(word: number): number {
    const known = Atomics.load(this.#table, word);
    if (known !== 0) return known;
    const taken = (Atomics.add(this.#turns, 0, 1) % (this.#turns.length - 1)) + 1;
    return Atomics.compareExchange(this.#table, word, 0, taken) || taken;
  }
}

/** Two independent 32-bit FNV-1a style hashes; the fingerprint is never 0, which marks a free place. */
function hash(text: string): { place: number; fingerprint: number } {
  let place = 0x811c9dc5;
  let fingerprint = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    place = Math.imul(place ^ code, 0x01000193);
    fingerprint = Math.imul(fingerprint ^ code, 0x85ebca6b) ^ (fingerprint >>> 15);
  }
  return { place: (place ^ (place >>> 16)) >>> 0, fingerprint: fingerprint | 1 };
}
