// page-file.ts -- the data file of lmdb as pages, read without lmdb: its header pages, and any page by number
//
// lmdb maps the file into memory and trusts what it finds there: a file cut short is a SIGBUS, a flipped page header a
// SIGSEGV, and a flipped header page an older state than the last one, without a word. So the file is read with plain
// reads and every number in it is doubted. Format: data version 2 of the lmdb that comes with lmdb-js 3.5 (struct
// MDB_page_header, MDB_meta and MDB_db in its mdb.c), on little-endian machines.

import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Octets before the contents of every page. */
export const PAGE_HEADER = 24;
/** Page flags. */
export const PAGE = { BRANCH: 1, LEAF: 2, OVERFLOW: 4, META: 8 } as const;
/** The number that stands where a tree has no root. */
export const NO_PAGE = Number.POSITIVE_INFINITY;

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const MIN_PAGE_SIZE = 512;
const MAX_PAGE_SIZE = 65536;
const DEFAULT_PAGE_SIZE = 4096;
const META_OCTETS = PAGE_HEADER + 144;
/** Flags of the tree of free pages (MDB_INTEGERKEY), and of an environment without options. */
const FREE_TREE_FLAGS = 8;

/** Where a tree begins and what it should hold (MDB_db). */
export interface TreeInfo {
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  /** NO_PAGE when the tree is empty. */
  readonly root: number;
}

/** One of the two header pages; the one of the later transaction holds. */
export interface MetaPage {
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: TreeInfo;
  readonly main: TreeInfo;
}

/** What is wrong with one page. */
export interface PageFault {
  readonly page: number;
  /** Of the page in the file. */
  readonly offset: number;
  readonly message: string;
  /** Keys that lie on or below the page: from `low` on, before `high`. Undefined: no bound. */
  readonly low: Buffer | undefined;
  readonly high: Buffer | undefined;
}

/** Thrown for a page that is not what it should be. */
export class PageError extends Error {
  override readonly name = 'PageError';
  readonly page: number;

  constructor(page: number, message: string) {
    super(message);
    this.page = page;
  }
}

/** An open data file. */
export class PageFile {
  readonly octets: number;
  readonly pageSize: number;
  readonly #descriptor: number;

  /** Throws the system's error when there is no such file, and PageError when it is none of lmdb's. */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    try {
      this.octets = fstatSync(this.#descriptor).size;
      this.pageSize = this.#findPageSize();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** Pages that the file holds whole. */
  get pages(): number {
    return Math.floor(this.octets / this.pageSize);
  }

  /** The octets of `count` pages from `page` on, a copy. Throws PageError when the file ends before. */
  read(page: number, count = 1): Buffer {
    if (!(page >= 0 && page + count <= this.pages)) throw new PageError(page, 'the file ends before it');
    return this.#readAt(page * this.pageSize, count * this.pageSize);
  }

  /** A header page, 0 or 1. Throws PageError. */
  meta(slot: 0 | 1): MetaPage {
    const octets = this.read(slot);
    const refuse = (message: string): never => {
      throw new PageError(slot, message);
    };
    if (octets.readUInt16LE(18) !== PAGE.META || readNumber(octets, 0) !== slot) refuse('is no header page');
    if (octets.readUInt32LE(24) !== MAGIC) refuse('does not carry the mark of lmdb');
    const version = octets.readUInt32LE(28);
    if (version !== DATA_VERSION) refuse(`is of data version ${version}, not ${DATA_VERSION}`);
    if (octets.readUInt32LE(48) !== this.pageSize) refuse('tells another page size');
    const meta = {
      transaction: readNumber(octets, 152),
      lastPage: readNumber(octets, 144),
      free: readTree(octets, 48),
      main: readTree(octets, 96),
    };
    if (meta.free.flags !== FREE_TREE_FLAGS || meta.main.flags !== 0) refuse('has flags that are never set');
    if (!(readNumber(octets, 40) >= (meta.lastPage + 1) * this.pageSize)) refuse('tells a map smaller than its pages');
    return meta;
  }

  #findPageSize(): number {
    const first = this.octets >= META_OCTETS ? this.#readAt(0, META_OCTETS) : Buffer.alloc(META_OCTETS);
    const told = first.readUInt32LE(48);
    if (first.readUInt32LE(24) === MAGIC && isPageSize(told)) return told;
    // The first header page is damaged: the second lies one page further, and tells how far that is.
    for (let size = MIN_PAGE_SIZE; size <= MAX_PAGE_SIZE && size + META_OCTETS <= this.octets; size *= 2) {
      const second = this.#readAt(size, META_OCTETS);
      if (second.readUInt32LE(24) === MAGIC && second.readUInt32LE(48) === size) return size;
    }
    if (first.readUInt32LE(24) === MAGIC) return DEFAULT_PAGE_SIZE;
    throw new PageError(0, 'does not begin a file of lmdb');
  }

  #readAt(offset: number, length: number): Buffer {
    const octets = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const got = readSync(this.#descriptor, octets, filled, length - filled, offset + filled);
      if (got === 0) throw new PageError(Math.floor(offset / (this.pageSize ?? 1)), 'the file ends before it');
      filled += got;
    }
    return octets;
  }
}

/** The 64-bit number at `at`; above 2^53 it is not exact, and no page or transaction has such a number. */
export function readNumber(octets: Buffer, at: number): number {
  return octets.readUInt32LE(at) + octets.readUInt32LE(at + 4) * 2 ** 32;
}

/** The MDB_db at `at`. */
export function readTree(octets: Buffer, at: number): TreeInfo {
  const root = readNumber(octets, at + 40);
  return {
    flags: octets.readUInt16LE(at + 4),
    depth: octets.readUInt16LE(at + 6),
    entries: readNumber(octets, at + 32),
    root: root === 2 ** 64 ? NO_PAGE : root,
  };
}

function isPageSize(size: number): boolean {
  return size >= MIN_PAGE_SIZE && size <= MAX_PAGE_SIZE && (size & (size - 1)) === 0;
}
