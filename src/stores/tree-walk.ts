// tree-walk.ts -- every node of a tree of lmdb, in order of key, each page doubted before it is believed
//
// A page must carry its own number, be of the kind that belongs at its depth, be of no later transaction than the
// header page, be reached once, and hold its keys in order and between the keys of its parent that lead to it. lmdb
// looks at none of that.

import { Buffer } from 'node:buffer';
import {
  NO_PAGE,
  PAGE,
  PAGE_HEADER,
  PageError,
  type PageFault,
  type PageFile,
  readNumber,
  type TreeInfo,
} from './page-file.ts';

const NODE_HEADER = 8;
const MAX_DEPTH = 32;
/** Node flags. */
const NODE = { BIG: 1, SUBTREE: 2 } as const;

/** What a page is found to be used for. */
const USED = 1;

/** Where a walk reads, and what it tells. */
export interface WalkOptions {
  readonly file: PageFile;
  readonly transaction: number;
  readonly lastPage: number;
  /** One octet a page: what is reached is marked in it, so that several walks cannot share a page. */
  readonly used: Uint8Array;
  /** `key` and `value` are good until the next call. */
  readonly onNode: (key: Buffer, value: Buffer, place: NodePlace) => void;
  /** May throw to end the walk; when it returns, the walk goes on beside the page. */
  readonly onFault: (fault: PageFault) => void;
}

/** Where a node was found. */
export interface NodePlace {
  readonly page: number;
  readonly isSubtree: boolean;
  /** Bounds of the page's keys. */
  readonly low: Buffer | undefined;
  readonly high: Buffer | undefined;
}

/** Walk one tree. Returns how many nodes were told of. */
export function walkTree(tree: TreeInfo, options: WalkOptions): number {
  if (tree.root === NO_PAGE) return 0;
  return new TreeWalk(tree, options).run();
}

/** The pages that a walk may meet: all but the header pages, marked as not used yet. */
export function unusedPages(lastPage: number, filePages: number): Uint8Array {
  // A header page that tells more pages than the file has must not cost memory; what is beyond is refused when read.
  return new Uint8Array(Math.min(lastPage + 1, filePages));
}

/** Walk the tree of free pages. A page in use that is free as well would be overwritten: a fault. */
export function walkFreePages(tree: TreeInfo, options: Omit<WalkOptions, 'onNode'>): void {
  const { used, lastPage } = options;
  const free: [page: number, foundOn: number][] = [];
  walkTree(tree, {
    ...options,
    onNode: (_key, value, { page }) => {
      for (const each of freeRanges(value, page)) free.push([each, page]);
    },
  });
  for (const [page, foundOn] of free) {
    // Pages free at the end of the file need not be there.
    if (page >= 2 && page <= lastPage && used[page] !== USED) continue;
    const message =
      page >= 2 && page <= lastPage ? `lists page ${page} as free, which is in use` : `lists page ${page}`;
    options.onFault(faultOf(options.file, new PageError(foundOn, message), undefined, undefined));
  }
}

/** A list of page numbers: its length, then numbers; a negative one tells how many pages follow from the next on. */
function freeRanges(value: Buffer, page: number): number[] {
  const pages: number[] = [];
  const length = value.length >= 8 ? readNumber(value, 0) : Number.NaN;
  if (!(length * 8 + 8 <= value.length))
    throw new PageError(page, 'has a list of free pages that is longer than itself');
  let count = 1;
  for (let i = 1; i <= length; i++) {
    const number = Number(value.readBigInt64LE(i * 8));
    if (number < -(2 ** 31)) throw new PageError(page, 'has a list of free pages that cannot be');
    if (number < 0) count = -number;
    if (number <= 0) continue;
    for (let each = number; each < number + count; each++) pages.push(each);
    count = 1;
  }
  return pages;
}

class TreeWalk {
  readonly #tree: TreeInfo;
  readonly #options: WalkOptions;
  readonly #isInteger: boolean;
  #nodes = 0;

  constructor(tree: TreeInfo, options: WalkOptions) {
    this.#tree = tree;
    this.#options = options;
    this.#isInteger = (tree.flags & 8) !== 0;
  }

  run(): number {
    const { root, depth } = this.#tree;
    if (depth < 1 || depth > MAX_DEPTH) this.#fault(new PageError(root, `is the root of a tree of depth ${depth}`));
    else this.#visit(root, depth, undefined, undefined);
    return this.#nodes;
  }

  #visit(number: number, depth: number, low: Buffer | undefined, high: Buffer | undefined): void {
    try {
      const page = this.#take(number, depth === 1 ? PAGE.LEAF : PAGE.BRANCH);
      if (depth === 1) this.#visitLeaf(page, number, low, high);
      else this.#visitBranch(page, number, depth, low, high);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      this.#fault(error, low, high);
    }
  }

  /** Read a page that belongs to this tree, and mark it. */
  #take(number: number, kind: number): Buffer {
    const { file, transaction } = this.#options;
    this.#claim(number, 1);
    const page = file.read(number);
    if (readNumber(page, 0) !== number) throw new PageError(number, `says that it is page ${readNumber(page, 0)}`);
    if (page.readUInt16LE(18) !== kind) {
      throw new PageError(number, `is of kind ${page.readUInt16LE(18)} where one of kind ${kind} belongs`);
    }
    if (readNumber(page, 8) > transaction) throw new PageError(number, 'is of a transaction later than the last');
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
    if (lower % 2 !== 0 || lower === 0 || lower > upper || upper + PAGE_HEADER > page.length) {
      throw new PageError(number, 'has bounds that cannot be');
    }
    return page;
  }

  #claim(number: number, count: number): void {
    const { used, lastPage } = this.#options;
    if (!(number >= 2 && number + count - 1 <= lastPage)) throw new PageError(number, 'is outside of the file');
    for (let each = number; each < number + count && each < used.length; each++) {
      if (used[each] !== 0) throw new PageError(each, 'is reached twice');
      used[each] = USED;
    }
  }

  #visitBranch(page: Buffer, number: number, depth: number, low: Buffer | undefined, high: Buffer | undefined): void {
    const count = page.readUInt16LE(20) >> 1;
    // All of it is read before any of it is followed: what is wrong with the page concerns all below it.
    const children: { readonly number: number; readonly from: Buffer | undefined }[] = [];
    for (let i = 0; i < count; i++) {
      const at = nodeAt(page, number, i);
      // Three 16-bit words hold the number of the child; the first child needs no key.
      const child = page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 2 ** 32;
      const key = i === 0 ? low : keyAt(page, number, at);
      if (i > 0) this.#checkOrder(key as Buffer, number, children[i - 1]?.from, high);
      children.push({ number: child, from: key });
    }
    for (const [i, { number: child, from }] of children.entries()) {
      this.#visit(child, depth - 1, from, children[i + 1]?.from ?? high);
    }
  }

  #visitLeaf(page: Buffer, number: number, low: Buffer | undefined, high: Buffer | undefined): void {
    const count = page.readUInt16LE(20) >> 1;
    let before: Buffer | undefined;
    for (let i = 0; i < count; i++) {
      // One bad node leaves the others of its page readable.
      try {
        const at = nodeAt(page, number, i);
        const key = keyAt(page, number, at);
        this.#checkOrder(key, number, before ?? low, high, before === undefined);
        before = key;
        const value = this.#valueAt(page, number, at, key.length);
        this.#nodes += 1;
        this.#options.onNode(key, value, {
          page: number,
          isSubtree: page.readUInt16LE(at + 4) === NODE.SUBTREE,
          low,
          high,
        });
      } catch (error) {
        if (!(error instanceof PageError)) throw error;
        this.#fault(error, low, high);
      }
    }
  }

  /**
   * A key is greater than `above` (or equal, with `mayEqual`) and less than `below`. Where it is not, no bounds are to be
   * trusted, but the node may be: a walk that bears faults still tells of it.
   */
  #checkOrder(key: Buffer, number: number, above?: Buffer, below?: Buffer, mayEqual = false): void {
    const order = above === undefined ? 1 : this.#compare(key, above);
    const isBelow = below === undefined || this.#compare(key, below) < 0;
    if (isBelow && (order > 0 || (order === 0 && mayEqual))) return;
    this.#fault(new PageError(number, `has the key ${JSON.stringify(key.toString('utf8'))} out of order`));
  }

  #compare(a: Buffer, b: Buffer): number {
    if (!this.#isInteger) return Buffer.compare(a, b);
    return a.length === 8 && b.length === 8 ? readNumber(a, 0) - readNumber(b, 0) : -1;
  }

  #valueAt(page: Buffer, number: number, at: number, keyLength: number): Buffer {
    const length = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const from = at + NODE_HEADER + keyLength;
    if (flags === NODE.BIG) return this.#overflow(page, number, from, length);
    if (flags !== 0 && flags !== NODE.SUBTREE) throw new PageError(number, `has a node with flags ${flags}`);
    if (from + length > page.length) throw new PageError(number, 'has a value that runs out of it');
    return page.subarray(from, from + length);
  }

  /** A long value has pages of its own; the node holds their first number, and how many there are. */
  #overflow(page: Buffer, number: number, from: number, length: number): Buffer {
    if (from + 24 > page.length) throw new PageError(number, 'has a value that runs out of it');
    const { file } = this.#options;
    const first = readNumber(page, from);
    const count = readNumber(page, from + 16);
    if (count !== Math.floor((PAGE_HEADER - 1 + length) / file.pageSize) + 1) {
      throw new PageError(number, `has a value of ${length} octets in ${count} pages`);
    }
    this.#claim(first, count);
    const pages = file.read(first, count);
    if (
      readNumber(pages, 0) !== first ||
      pages.readUInt16LE(18) !== PAGE.OVERFLOW ||
      pages.readUInt32LE(20) !== count
    ) {
      throw new PageError(first, 'is not the long value that it should be');
    }
    return pages.subarray(PAGE_HEADER, PAGE_HEADER + length);
  }

  #fault(error: PageError, low?: Buffer, high?: Buffer): void {
    this.#options.onFault(faultOf(this.#options.file, error, low, high));
  }
}

/** Where node `i` of a page begins. */
function nodeAt(page: Buffer, number: number, i: number): number {
  const at = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + i * 2);
  if (at % 2 !== 0 || at < PAGE_HEADER + page.readUInt16LE(22) || at + NODE_HEADER > page.length) {
    throw new PageError(number, `has node ${i} outside of itself`);
  }
  return at;
}

/** The key of the node at `at`. */
function keyAt(page: Buffer, number: number, at: number): Buffer {
  const length = page.readUInt16LE(at + 6);
  const key = page.subarray(at + NODE_HEADER, at + NODE_HEADER + length);
  if (key.length !== length || length === 0) throw new PageError(number, 'has a key that runs out of it');
  return key;
}

function faultOf(file: PageFile, error: PageError, low: Buffer | undefined, high: Buffer | undefined): PageFault {
  return { page: error.page, offset: error.page * file.pageSize, message: error.message, low, high };
}

/** Every node of every leaf page in the file, in use or not, that can be read: what is left when the way to it is lost. */
export function scanLeaves(file: PageFile, onNode: (key: Buffer, value: Buffer, page: number) => void): void {
  for (let number = 2; number < file.pages; number++) {
    const page = file.read(number);
    if (readNumber(page, 0) !== number || page.readUInt16LE(18) !== PAGE.LEAF) continue;
    // Each page stands for a tree of its own: whatever order and bounds it had are of no interest here.
    const options = {
      ...{ file, transaction: NO_PAGE, lastPage: file.pages - 1, used: new Uint8Array(0) },
      onNode: (key: Buffer, value: Buffer) => onNode(key, value, number),
      onFault: () => {},
    };
    walkTree({ flags: 0, depth: 1, entries: 0, root: number }, options);
  }
}
