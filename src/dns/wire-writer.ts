// wire-writer.ts -- writes numbers, octets and names, compressing names on request
//
// A writer with a limit never writes past it: it raises `overflowed`, and the caller goes back to a mark it took
// before (`rewind`). So filling a reply up to the client's size needs neither a second pass nor exceptions.

import { foldOctet, type Name } from './name.ts';

/** Pointers have 14 bits (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff;
/** Names remembered for compression; beyond it names are simply written out, which bounds the search. */
const MAX_REMEMBERED = 96;

/** Writes into `bytes`; when made by `WireWriter.growing()` the buffer grows and nothing overflows. */
export class WireWriter {
  bytes: Uint8Array;
  offset: number;
  /** No octet is written at or beyond this offset. */
  limit: number;
  /** Something did not fit since the last `rewind`. */
  overflowed = false;
  readonly #grows: boolean;
  readonly #start: number;
  // Where each remembered suffix begins, relative to the start of the message.
  readonly #suffixes: number[] = [];
  #suffixCount = 0;

  constructor(bytes: Uint8Array, offset = 0, limit = bytes.length, grows = false) {
    this.bytes = bytes;
    this.offset = offset;
    this.limit = limit;
    this.#grows = grows;
    this.#start = offset;
  }

  /** A writer without a limit, for stored RDATA: it never compresses. */
  static growing(capacity = 64): WireWriter {
    return new WireWriter(new Uint8Array(capacity), 0, Number.MAX_SAFE_INTEGER, true);
  }

  /** What has been written so far; a view. */
  written(): Uint8Array {
    return this.bytes.subarray(this.#start, this.offset);
  }

  u8(value: number): void {
    if (!this.#room(1)) return;
    this.bytes[this.offset++] = value;
  }

  u16(value: number): void {
    if (!this.#room(2)) return;
    this.bytes[this.offset++] = value >>> 8;
    this.bytes[this.offset++] = value;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  octets(octets: Uint8Array): void {
    if (!this.#room(octets.length)) return;
    this.bytes.set(octets, this.offset);
    this.offset += octets.length;
  }

  /** Overwrite two octets that were written before, at an absolute offset. */
  patchU16(offset: number, value: number): void {
    this.bytes[offset] = value >>> 8;
    this.bytes[offset + 1] = value;
  }

  /** A name: with `compress`, the longest suffix already in the message becomes a pointer. */
  name(name: Name, compress: boolean): void {
    // What was cut off is followed by octets of some earlier use of the buffer, which may hold any pointers.
    if (this.overflowed) return;
    if (!compress || this.#grows) {
      // It may not refer to others, but others may refer to it: the owner of an SRV target's address, above all.
      if (name.length > 1) this.#remember(this.offset - this.#start);
      this.octets(name);
      return;
    }
    // Only names that are whole by now: the octets behind this one's own labels are not written yet.
    const known = this.#suffixCount;
    for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
      const found = this.#find(name, at, known);
      if (found >= 0) {
        this.u16(0xc000 | found);
        return;
      }
      const here = this.offset - this.#start;
      this.octets(name.subarray(at, at + 1 + name[at]!));
      if (this.overflowed) return;
      this.#remember(here);
    }
    this.u8(0);
  }

  /** Forget everything from `mark` (an earlier `offset`) on, and the overflow. */
  rewind(mark: number): void {
    this.offset = mark;
    this.overflowed = false;
    while (this.#suffixCount > 0 && this.#suffixes[this.#suffixCount - 1]! + this.#start >= mark) this.#suffixCount--;
  }

  /** A name, or the rest of one, begins at message offset `at`. */
  #remember(at: number): void {
    if (this.#grows || at > MAX_POINTER || this.#suffixCount >= MAX_REMEMBERED) return;
    this.#suffixes[this.#suffixCount++] = at;
  }

  #find(name: Name, from: number, known: number): number {
    for (let i = 0; i < known; i++) {
      if (this.#matches(this.#suffixes[i]!, name, from)) return this.#suffixes[i]!;
    }
    return -1;
  }

  /** Does the suffix written at message offset `at` equal the rest of `name` from octet `from`? */
  #matches(at: number, name: Name, from: number): boolean {
    const { bytes } = this;
    let here = at + this.#start;
    let there = from;
    for (;;) {
      let length = bytes[here]!;
      while (length >= 0xc0) {
        here = (((length & 0x3f) << 8) | bytes[here + 1]!) + this.#start;
        length = bytes[here]!;
      }
      if (length !== name[there]) return false;
      if (length === 0) return true;
      for (let i = 1; i <= length; i++) {
        if (foldOctet(bytes[here + i]!) !== foldOctet(name[there + i]!)) return false;
      }
      here += length + 1;
      there += length + 1;
    }
  }

  #room(length: number): boolean {
    if (this.offset + length > this.limit) {
      this.overflowed = true;
      return false;
    }
    if (this.#grows && this.offset + length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.offset + length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    return !this.overflowed;
  }
}
