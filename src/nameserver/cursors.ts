// cursors.ts -- where each question's rotation stands, shared by all threads that answer it
//
// Round-robin is exact only when every answer, whoever gives it, takes the next turn. So turns live in shared memory,
// and threads find the same one by the question's text: a hash table without deletion, whose keys are 32-bit
// fingerprints claimed by compare-and-exchange. When it is full, late questions share turns with others, which costs
// them exactness and nothing else.

import type { Cursor } from './prepared-set.ts';

/** Each place holds a fingerprint and a turn. */
const WORDS = 2;
const DEFAULT_PLACES = 1 << 20;
const MAX_PROBES = 32;

/** Shared memory for `places` rotations (a power of two). */
export function createCursorMemory(places = DEFAULT_PLACES): SharedArrayBuffer {
  return new SharedArrayBuffer(places * WORDS * Int32Array.BYTES_PER_ELEMENT);
}

export class Cursors {
  readonly #words: Int32Array;
  readonly #mask: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#mask = this.#words.length / WORDS - 1;
  }

  /** The cursor of a question; the same for every thread that has the memory. */
  of(question: string): Cursor {
    const words = this.#words;
    const { place, fingerprint } = hash(question);
    let at = (place & this.#mask) * WORDS;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const found = Atomics.compareExchange(words, at, 0, fingerprint);
      if (found === 0 || found === fingerprint) break;
      at = (at + WORDS) % words.length;
    }
    return { next: () => Atomics.add(words, at + 1, 1) >>> 0 };
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
