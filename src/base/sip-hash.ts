// sip-hash.ts -- SipHash-2-4, the keyed hash of DNS server cookies (RFC 9018 section 4.4)
//
// 64-bit words are pairs of 32-bit halves, since BigInt would allocate; hashing allocates nothing.

const KEY_LENGTH = 16;
const COMPRESSION_ROUNDS = 2;
const FINAL_ROUNDS = 4;

/** A key, ready to hash with. Not for two threads at once. */
export class SipHash {
  readonly #key: Int32Array;
  /** v0 to v3, the lower half of each in front. */
  readonly #state = new Int32Array(8);

  /** `key`: 16 octets. Throws a RangeError for any other length. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_LENGTH) throw new RangeError(`a key of SipHash has 16 octets, not ${key.length}`);
    this.#key = Int32Array.from({ length: 4 }, (_, i) => littleEndian(key, i * 4));
  }

  /** Hash the first `length` octets of `input`; the hash is `low` and `high` until the next call. */
  hash(input: Uint8Array, length: number): void {
    this.#begin();
    const whole = length & ~7;
    for (let at = 0; at < whole; at += 8) this.#compress(littleEndian(input, at), littleEndian(input, at + 4));
    let low = 0;
    let high = length << 24;
    for (let i = whole; i < length; i++) {
      const shift = (i & 3) * 8;
      if (i - whole < 4) low |= input[i]! << shift;
      else high |= input[i]! << shift;
    }
    this.#compress(low, high);
    this.#state[4]! ^= 0xff;
    sipRounds(this.#state, FINAL_ROUNDS);
  }

  /** The first four octets of the hash, the lowest of the number first. */
  get low(): number {
    const state = this.#state;
    return state[0]! ^ state[2]! ^ state[4]! ^ state[6]!;
  }

  /** The last four octets of the hash. */
  get high(): number {
    const state = this.#state;
    return state[1]! ^ state[3]! ^ state[5]! ^ state[7]!;
  }

  #begin(): void {
    const key = this.#key;
    const state = this.#state;
    state[0] = key[0]! ^ 0x70736575;
    state[1] = key[1]! ^ 0x736f6d65;
    state[2] = key[2]! ^ 0x6e646f6d;
    state[3] = key[3]! ^ 0x646f7261;
    state[4] = key[0]! ^ 0x6e657261;
    state[5] = key[1]! ^ 0x6c796765;
    state[6] = key[2]! ^ 0x79746573;
    state[7] = key[3]! ^ 0x74656462;
  }

  #compress(low: number, high: number): void {
    const state = this.#state;
    state[6]! ^= low;
    state[7]! ^= high;
    sipRounds(state, COMPRESSION_ROUNDS);
    state[0]! ^= low;
    state[1]! ^= high;
  }
}

/** The halves are in variables of their own: a 64-bit addition is two with a carry, a rotation crosses them. */
function sipRounds(state: Int32Array, count: number): void {
  let a = state[0]!;
  let aHigh = state[1]!;
  let b = state[2]!;
  let bHigh = state[3]!;
  let c = state[4]!;
  let cHigh = state[5]!;
  let d = state[6]!;
  let dHigh = state[7]!;
  for (let i = 0; i < count; i++) {
    let sum = (a + b) | 0;
    aHigh = (aHigh + bHigh + (sum >>> 0 < a >>> 0 ? 1 : 0)) | 0;
    a = sum;
    let kept = b;
    b = ((b << 13) | (bHigh >>> 19)) ^ a;
    bHigh = ((bHigh << 13) | (kept >>> 19)) ^ aHigh;
    // A rotation by 32 swaps the halves.
    kept = a;
    a = aHigh;
    aHigh = kept;

    sum = (c + d) | 0;
    cHigh = (cHigh + dHigh + (sum >>> 0 < c >>> 0 ? 1 : 0)) | 0;
    c = sum;
    kept = d;
    d = ((d << 16) | (dHigh >>> 16)) ^ c;
    dHigh = ((dHigh << 16) | (kept >>> 16)) ^ cHigh;

    sum = (a + d) | 0;
    aHigh = (aHigh + dHigh + (sum >>> 0 < a >>> 0 ? 1 : 0)) | 0;
    a = sum;
    kept = d;
    d = ((d << 21) | (dHigh >>> 11)) ^ a;
    dHigh = ((dHigh << 21) | (kept >>> 11)) ^ aHigh;

    sum = (c + b) | 0;
    cHigh = (cHigh + bHigh + (sum >>> 0 < c >>> 0 ? 1 : 0)) | 0;
    c = sum;
    kept = b;
    b = ((b << 17) | (bHigh >>> 15)) ^ c;
    bHigh = ((bHigh << 17) | (kept >>> 15)) ^ cHigh;
    kept = c;
    c = cHigh;
    cHigh = kept;
  }
  state[0] = a;
  state[1] = aHigh;
  state[2] = b;
  state[3] = bHigh;
  state[4] = c;
  state[5] = cHigh;
  state[6] = d;
  state[7] = dHigh;
}

function littleEndian(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}
