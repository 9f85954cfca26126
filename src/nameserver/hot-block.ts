// hot-block.ts -- how a kept answer lies in memory: one block of 32-bit words
//
// Head, name, then the pieces at even distances: each a whole record and, behind it, the address record that goes along
// with it. Words are packed by arithmetic, the first octet lowest, so it does not matter which end the machine begins at.

import { type HotEntry, type Pieces, RECORD_HEAD_LENGTH } from './hot-entry.ts';
import type { PlainQuery } from './plain-query.ts';

// By word.
export const HASH = 0;
/** Type of the question, and length of its name. */
const KEY = 1;
/** Of what it was made: place and generation (freshness.ts). */
export const FRESHNESS = 2;
export const GENERATION = 3;
/** Place of the service in the counters; -1: none. */
export const SERVICE = 4;
export const RCODE = 5;
/** Pieces there are, and how many of them an answer takes. */
export const COUNT = 6;
export const TAKEN = 7;
/** Where the rotation stands in the memory of turns; -1: the pieces do not simply rotate. */
export const TURN = 8;
/** Place of the set that draws the order, -1: none; below: `SPLIT` minus the place of the split (hot-answers.ts). */
export const SET = 9;
export const SPLIT = -2;
/** Place of the SOA of a negative answer; -1: none. */
export const SOA = 10;
/** Octets behind the question, at most, that cannot be left out. */
export const LONGEST = 11;
/** Words from piece to piece. */
export const STRIDE = 12;
/** Words from a record to what goes along with it; 0: nothing does. */
export const GLUE = 13;
/** Words in the block. */
export const LENGTH = 14;
const HEAD_WORDS = 15;

/** What a block holds beside the octets. */
export interface BlockLinks {
  readonly turn: number;
  readonly set: number;
  readonly soa: number;
}

/** Words that the block of an entry needs, for a question whose name has `nameLength` octets. */
export function blockLength({ records, glue }: HotEntry, nameLength: number): number {
  return HEAD_WORDS + wordsFor(nameLength) + records.count * (widest(records) + widest(glue));
}

/** Write the block of `length` words that begins at `at`. */
export function packBlock(
  words: Int32Array,
  at: number,
  length: number,
  entry: HotEntry,
  query: PlainQuery,
  links: BlockLinks,
): void {
  const { records, glue, freshness } = entry;
  const recordWords = widest(records);
  const stride = recordWords + widest(glue);
  words[at + HASH] = query.hash;
  words[at + KEY] = keyOf(query);
  words[at + FRESHNESS] = freshness.place;
  words[at + GENERATION] = freshness.generation;
  words[at + SERVICE] = entry.place;
  words[at + RCODE] = entry.rcode;
  words[at + COUNT] = records.count;
  words[at + TAKEN] = entry.taken;
  words[at + TURN] = links.turn;
  words[at + SET] = links.set;
  words[at + SOA] = links.soa;
  words[at + LONGEST] = entry.longest;
  words[at + STRIDE] = stride;
  words[at + GLUE] = glue.count === 0 ? 0 : recordWords;
  words[at + LENGTH] = length;
  const nameWords = wordsFor(query.nameLength);
  for (let i = 0; i < nameWords; i++) words[at + HEAD_WORDS + i] = query.folded[i]!;
  let piece = at + HEAD_WORDS + nameWords;
  for (let i = 0; i < records.count; i++, piece += stride) {
    pack(words, piece, records, i);
    if (glue.count > 0) pack(words, piece + recordWords, glue, i);
  }
}

/** Is the block at `at` the answer to this question? */
export function isAnswerTo(query: PlainQuery, words: Int32Array, at: number): boolean {
  if (words[at + HASH] !== query.hash || words[at + KEY] !== keyOf(query)) return false;
  const { folded } = query;
  const name = at + HEAD_WORDS;
  const nameWords = wordsFor(query.nameLength);
  for (let i = 0; i < nameWords; i++) if (words[name + i] !== folded[i]) return false;
  return true;
}

/** Where the pieces of the block at `at` begin, for a name of `nameLength` octets. */
export function piecesOf(at: number, nameLength: number): number {
  return at + HEAD_WORDS + wordsFor(nameLength);
}

/** Length in octets of the record that begins at word `at`. */
export function recordLength(words: Int32Array, at: number): number {
  const third = words[at + 2]!;
  // RDLENGTH is in octets 10 and 11.
  return RECORD_HEAD_LENGTH + (((third >>> 8) & 0xff00) | (third >>> 24));
}

function keyOf({ nameLength, type }: PlainQuery): number {
  return (nameLength << 16) | type;
}

function wordsFor(octets: number): number {
  return (octets + 3) >> 2;
}

/** Words of the longest piece. */
function widest({ count, starts }: Pieces): number {
  let longest = 0;
  for (let i = 0; i < count; i++) longest = Math.max(longest, starts[i + 1]! - starts[i]!);
  return wordsFor(longest);
}

function pack(words: Int32Array, to: number, { octets, starts }: Pieces, index: number): void {
  const start = starts[index]!;
  const end = starts[index + 1]!;
  for (let at = start, word = to; at < end; at += 4, word++) words[word] = octets.getInt32(at, true);
}
