// wire-reader.ts -- a bounds-checked cursor over a message
//
// Names are followed without recursion. Pointers may only lead backwards (RFC 1035 section 4.1.4: "a prior
// occurrence"); the labels and pointers followed in one message are budgeted, and so are the octets names expand to, so
// that reading is linear in the message whatever it holds (RFC 9267 lists what happens otherwise).

import { RCODE } from './codes.ts';
import { MAX_NAME_LENGTH, type Name } from './name.ts';
import { WireError } from './wire-error.ts';

/** Labels and pointers followed per octet of message; real messages stay below 2. */
const STEPS_PER_OCTET = 4;
/** Octets of expanded names per octet of message; a reverse zone for IPv6 comes to 4. */
const EXPANDED_PER_OCTET = 8;

/** Reads numbers, octets and names from `bytes`, throwing WireError(FORMERR) at anything that does not fit. */
export class WireReader {
  readonly bytes: Uint8Array;
  offset: number;
  #stepsLeft: number;
  #octetsLeft: number;
  // What a name that is nothing but a pointer came to: the same owner again and again is expanded once.
  #pointed: Map<number, Name> | undefined;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
    this.#stepsLeft = 256 + bytes.length * STEPS_PER_OCTET;
    this.#octetsLeft = 4096 + bytes.length * EXPANDED_PER_OCTET;
  }

  /** Octets not read yet. */
  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    this.#need(1);
    return this.bytes[this.offset++]!;
  }

  u16(): number {
    this.#need(2);
    const value = (this.bytes[this.offset]! << 8) | this.bytes[this.offset + 1]!;
    this.offset += 2;
    return value;
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  /** The next `length` octets; a view, not a copy. */
  octets(length: number): Uint8Array {
    this.#need(length);
    const slice = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return slice;
  }

  /** Pass over `length` octets. */
  skip(length: number): void {
    this.#need(length);
    this.offset += length;
  }

  /** A name, expanded. Without `pointers` a compressed name is an error (RFC 3597 section 4). */
  name(pointers = true): Name {
    const first = this.bytes[this.offset];
    const second = this.bytes[this.offset + 1];
    if (!pointers || first === undefined || first < 0xc0 || second === undefined) return this.#expand(pointers);
    const target = ((first & 0x3f) << 8) | second;
    const known = this.#pointed?.get(target);
    if (known !== undefined) {
      this.offset += 2;
      return known;
    }
    const name = this.#expand(true);
    this.#pointed ??= new Map();
    this.#pointed.set(target, name);
    return name;
  }

  #expand(pointers: boolean): Name {
    const { bytes } = this;
    const scratch = SCRATCH;
    let length = 0;
    let at = this.offset;
    // A pointer must lead in front of everything read of this name so far; that alone rules out loops.
    let floor = at;
    let after = -1;
    for (;;) {
      if (at >= bytes.length) throw formErr('name runs past the end');
      if (--this.#stepsLeft < 0) throw formErr('too much compression');
      const octet = bytes[at]!;
      if (octet === 0) break;
      if (octet >= 0xc0) {
        if (!pointers || at + 1 >= bytes.length) throw formErr('bad compression');
        if (after < 0) after = at + 2;
        at = ((octet & 0x3f) << 8) | bytes[at + 1]!;
        if (at >= floor) throw formErr('pointer does not lead backwards');
        floor = at;
        continue;
      }
      if (octet > 63) throw formErr('unknown label type');
      const end = at + 1 + octet;
      if (end >= bytes.length) throw formErr('label runs past the end');
      if (length + octet + 2 > MAX_NAME_LENGTH) throw formErr('name longer than 255 octets');
      for (let i = at; i < end; i++) scratch[length++] = bytes[i]!;
      at = end;
    }
    scratch[length++] = 0;
    this.#octetsLeft -= length;
    if (this.#octetsLeft < 0) throw formErr('too much compression');
    this.offset = after < 0 ? at + 1 : after;
    return scratch.slice(0, length) as Name;
  }

  #need(length: number): void {
    if (this.offset + length > this.bytes.length) throw formErr('message is cut short');
  }
}

const SCRATCH = new Uint8Array(MAX_NAME_LENGTH + 1);

/** The error for malformed octets. */
export function formErr(message: string): WireError {
  return new WireError(RCODE.FORMERR, message);
}
