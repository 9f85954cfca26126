// input-octets.ts -- what a connection has sent and nobody has looked at yet
//
// Holds nothing while nothing waits, and never much more than has come in: a length that is announced costs no memory,
// and octets that dribble in one by one are not copied again and again. Memory is used again at once, since garbage of
// this kind is what a flood would have us pile up.

/** A buffer of the last size takes the longest message behind its length, and one read more. */
const SIZES: readonly number[] = [256, 1024, 2048, 4096, 16_384, 36_864, 65_537 + 4096];
/** Kept for the next connection, of all sizes together. */
const MAX_SPARE_BYTES = 1024 * 1024;

const spare: readonly Buffer[][] = SIZES.map(() => []);
let spareBytes = 0;

function takeBuffer(bytes: number): Buffer {
  const index = SIZES.findIndex((size) => size >= bytes);
  const found = spare[index]?.pop();
  if (found !== undefined) spareBytes -= found.length;
  return found ?? Buffer.allocUnsafeSlow(SIZES[index] ?? bytes);
}

function giveBack(buffer: Buffer): void {
  if (spareBytes + buffer.length > MAX_SPARE_BYTES) return;
  const list = spare[SIZES.indexOf(buffer.length)];
  if (list === undefined) return;
  list.push(buffer);
  spareBytes += buffer.length;
}

export class InputOctets {
  #octets: Buffer | undefined;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Octets of memory held. */
  get capacity(): number {
    return this.#octets?.length ?? 0;
  }

  /** A copy of `chunk` goes behind what is there. */
  append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const { length } = this;
    const before = this.#octets;
    let octets = before;
    if (octets === undefined || length + chunk.length > octets.length) octets = takeBuffer(length + chunk.length);
    if (before !== undefined && (octets !== before || this.#end + chunk.length > before.length)) {
      before.copy(octets, 0, this.#start, this.#end);
      this.#start = 0;
      this.#end = length;
      if (octets !== before) giveBack(before);
    }
    octets.set(chunk, this.#end);
    this.#end += chunk.length;
    this.#octets = octets;
  }

  /** What is there; good until the next call of anything else. */
  view(): Buffer {
    return this.#octets === undefined ? NOTHING : this.#octets.subarray(this.#start, this.#end);
  }

  /** Let go of the first `count` octets. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) this.clear();
  }

  clear(): void {
    if (this.#octets !== undefined) giveBack(this.#octets);
    this.#octets = undefined;
    this.#start = 0;
    this.#end = 0;
  }
}

const NOTHING = Buffer.alloc(0);
