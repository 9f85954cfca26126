// hot-answers.ts -- keeps answers in wire form for the questions that are asked again and again
//
// A question that the general path (solve.ts, response.ts) answers from one record set, whole and untruncated, is kept
// as octets: its records, what goes along with them, and how they are ordered. Answering it again is a hash of the
// question, a draw, and a few copies. Everything else (aliases, referrals, ANY, EDNS options but a cookie, replies that may
// not fit) is left to the general path, and the two say the same: test/nameserver/hot-answers.test.ts compares them.
//
// An answer is one block in a slab, so that giving it touches a few neighbouring lines of memory and not a dozen objects.
// It holds as long as the service it was made of does not change; a new View starts anew.

import { RCODE } from '../dns/codes.ts';
import { BlockSlab } from './block-slab.ts';
import type { Freshnesses } from './freshness.ts';
import {
  RCODE as BLOCK_RCODE,
  blockLength,
  FRESHNESS,
  GENERATION,
  HASH,
  isAnswerTo,
  LENGTH,
  packBlock,
  SERVICE,
  SET,
  SPLIT,
} from './hot-block.ts';
import type { HotEntry, NegativeSoa } from './hot-entry.ts';
import type { PlainQuery } from './plain-query.ts';
import type { Draw } from './prepared-set.ts';
import type { Selector } from './query-draw.ts';

/** Octets for answers; when they are used up, all begin anew. Enough for all types of 150,000 services of five. */
const MAX_BYTES = 128 * 2 ** 20;
const FIRST_WORDS = 1 << 16;
const FIRST_PLACES = 1 << 10;

/** Branches of one question whose answers are kept, and their part of all memory; others take the general path. */
const MAX_BRANCHES = 4096;
const MAX_BRANCH_PART = 1 / 16;
/** In place of a block: the general path answers. */
const GENERAL_PATH = -1;

/** A question whose answer goes down one of several branches. */
interface Split {
  readonly selector: Selector;
  /** By branch, its block or GENERAL_PATH. */
  readonly blocks: Map<number, number>;
  /** Words in them. */
  words: number;
}

/** The answers that one thread keeps of one View. */
export class HotAnswers {
  /** Sets that draw the order of an answer, by the place that its block names. */
  readonly sets: Draw[] = [];
  /** The SOA records of negative answers, by the place that blocks name. */
  readonly soas: NegativeSoa[] = [];
  /** What rotations count in; the same for all sets. */
  turns: Int32Array = new Int32Array(0);
  readonly #freshnesses: Freshnesses;
  readonly #maxWords: number;
  #slab: BlockSlab;
  /** Where blocks begin, by hash; 0: free. */
  #places = new Int32Array(FIRST_PLACES);
  #count = 0;
  readonly #freeSets: number[] = [];
  readonly #splits: Split[] = [];
  readonly #freeSplits: number[] = [];
  /** The names of a zone that do not exist have one answer in common, which is under none of them. */
  readonly #denials = new Map<HotEntry, number>();

  constructor(freshnesses: Freshnesses, maxBytes = MAX_BYTES) {
    this.#freshnesses = freshnesses;
    this.#maxWords = maxBytes / 4;
    this.#slab = this.#newSlab();
  }

  /** The memory that blocks are in; another one after a `put`. */
  get words(): Int32Array {
    return this.#slab.words;
  }

  /** Octets taken for answers. */
  get size(): number {
    return this.#slab.size * 4;
  }

  /** Where the block of a question begins; 0 when there is none that holds. */
  find(query: PlainQuery): number {
    const { words } = this.#slab;
    const places = this.#places;
    const mask = places.length - 1;
    for (let i = query.hash & mask; ; i = (i + 1) & mask) {
      const at = places[i]!;
      if (at === 0) return 0;
      if (isAnswerTo(query, words, at)) return this.#holds(at) ? at : 0;
    }
  }

  /** Is there a block for each branch behind this one? */
  isSplit(block: number): boolean {
    return this.#slab.words[block + SET]! <= SPLIT;
  }

  /** What chooses the branch of a split. */
  selectorOf(split: number): Selector {
    return this.#splitAt(split).selector;
  }

  /** The block of a branch; 0 when there is none yet, negative when the general path must answer. */
  branchOf(split: number, branch: number): number {
    const { blocks } = this.#splitAt(split);
    return blocks.get(branch) ?? (blocks.size < MAX_BRANCHES ? 0 : GENERAL_PATH);
  }

  /** Keep the answer of a branch, or that it has none to keep; returns as `branchOf`. */
  putBranch(split: number, branch: number, entry: HotEntry | undefined, query: PlainQuery): number {
    const found = this.#splitAt(split);
    const { blocks } = found;
    const length = entry === undefined ? 0 : blockLength(entry, query.nameLength);
    if (entry === undefined || found.words + length > this.#maxWords * MAX_BRANCH_PART) {
      blocks.set(branch, GENERAL_PATH);
      return GENERAL_PATH;
    }
    const at = this.#slab.take(length);
    if (at === 0) {
      this.#startOver();
      return GENERAL_PATH;
    }
    this.#pack(at, length, entry, query);
    blocks.set(branch, at);
    found.words += length;
    return at;
  }

  #splitAt(split: number): Split {
    return this.#splits[SPLIT - this.#slab.words[split + SET]!]!;
  }

  rcodeOf(block: number): number {
    return this.#slab.words[block + BLOCK_RCODE]!;
  }

  /** The place of a block's service in the counters; -1: none. */
  serviceOf(block: number): number {
    return this.#slab.words[block + SERVICE]!;
  }

  /** Keep an answer in place of an older one to the same question; returns where, 0 when it is too large. */
  put(entry: HotEntry, query: PlainQuery): number {
    const length = blockLength(entry, query.nameLength);
    const at = this.#tryPut(entry, query, length);
    if (at !== 0) return at;
    this.#startOver();
    return this.#tryPut(entry, query, length);
  }

  #tryPut(entry: HotEntry, query: PlainQuery, length: number): number {
    if (entry.rcode === RCODE.NXDOMAIN) return this.#putDenial(entry, query, length);
    if (this.#count * 2 >= this.#places.length) this.#sweep();
    const mask = this.#places.length - 1;
    let i = query.hash & mask;
    for (let at = this.#places[i]!; at !== 0; at = this.#places[i]!) {
      if (isAnswerTo(query, this.#slab.words, at)) break;
      i = (i + 1) & mask;
    }
    const old = this.#places[i]!;
    // Taken first: an answer that does not fit must leave nothing half done.
    const at = this.#slab.take(length);
    if (at === 0) return 0;
    if (old === 0) this.#count++;
    else this.#drop(old);
    this.#pack(at, length, entry, query);
    this.#places[i] = at;
    return at;
  }

  #putDenial(entry: HotEntry, query: PlainQuery, length: number): number {
    const known = this.#denials.get(entry);
    if (known !== undefined) return known;
    const at = this.#slab.take(length);
    if (at === 0) return 0;
    this.#pack(at, length, entry, query);
    this.#denials.set(entry, at);
    return at;
  }

  #pack(at: number, length: number, entry: HotEntry, query: PlainQuery): void {
    const { set, authority, selector } = entry;
    if (set?.plan.isRotation === true) this.turns = set.cursor.turns;
    const drawnSet = set === undefined || set.plan.isRotation ? -1 : this.#placeOfSet(set);
    packBlock(this.#slab.words, at, length, entry, query, {
      turn: set?.plan.isRotation === true ? set.cursor.place : -1,
      set: selector === undefined ? drawnSet : SPLIT - this.#placeOfSplit(selector),
      soa: authority === undefined ? -1 : this.#placeOfSoa(authority),
    });
  }

  #placeOfSet(set: Draw): number {
    const place = this.#freeSets.pop() ?? this.sets.length;
    this.sets[place] = set;
    return place;
  }

  #placeOfSplit(selector: Selector): number {
    const place = this.#freeSplits.pop() ?? this.#splits.length;
    this.#splits[place] = { selector, blocks: new Map(), words: 0 };
    return place;
  }

  #placeOfSoa(soa: NegativeSoa): number {
    const known = this.soas.indexOf(soa);
    return known < 0 ? this.soas.push(soa) - 1 : known;
  }

  #holds(at: number): boolean {
    const { words } = this.#slab;
    return this.#freshnesses.generations[words[at + FRESHNESS]!] === words[at + GENERATION]! >>> 0;
  }

  #drop(at: number): void {
    const { words } = this.#slab;
    const set = words[at + SET]!;
    if (set >= 0) this.#freeSets.push(set);
    else if (set <= SPLIT) {
      const place = SPLIT - set;
      const { blocks } = this.#splits[place]!;
      for (const block of blocks.values()) if (block > 0) this.#drop(block);
      blocks.clear();
      this.#freeSplits.push(place);
    }
    this.#slab.give(at, words[at + LENGTH]!);
  }

  /** Blocks that no longer hold go; if the table is still too full, it grows. */
  #sweep(): void {
    const kept: number[] = [];
    for (const at of this.#places) {
      if (at === 0) continue;
      if (this.#holds(at)) kept.push(at);
      else this.#drop(at);
    }
    const size = kept.length * 4 > this.#places.length ? this.#places.length * 2 : this.#places.length;
    this.#places = new Int32Array(size);
    this.#count = kept.length;
    const { words } = this.#slab;
    for (const at of kept) {
      let i = words[at + HASH]! & (size - 1);
      while (this.#places[i] !== 0) i = (i + 1) & (size - 1);
      this.#places[i] = at;
    }
  }

  #startOver(): void {
    this.#slab = this.#newSlab();
    this.#places.fill(0);
    this.#count = 0;
    this.sets.length = 0;
    this.soas.length = 0;
    this.#freeSets.length = 0;
    this.#splits.length = 0;
    this.#freeSplits.length = 0;
    this.#denials.clear();
  }

  #newSlab(): BlockSlab {
    return new BlockSlab(Math.min(FIRST_WORDS, this.#maxWords), this.#maxWords);
  }
}
