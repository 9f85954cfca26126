// plain-query.ts -- the question of a query that has nothing unusual about it, taken apart in words of four octets

import { CLASS, EDNS_OPTION, TYPE } from '../dns/codes.ts';
import { OPT_LENGTH } from '../dns/edns.ts';
import { HEADER_LENGTH } from '../dns/header.ts';

const MAX_NAME_LENGTH = 255;
/** Type and class. */
const QUESTION_TAIL = 4;
/** Code and length of an EDNS option. */
const OPTION_HEAD_LENGTH = 4;

/** Filled in anew by every `read`. */
export class PlainQuery {
  hash = 0;
  nameLength = 0;
  type = 0;
  /** Where the question ends. */
  end = 0;
  hasEdns = false;
  dnssecOk = false;
  udpSize = 0;
  /** Octets of its DNS cookie, 8 or 24; 0: it has none. */
  cookieLength = 0;
  /** The name in lower case, padded with zeros: words in the order of memory, the first octet lowest. */
  readonly folded = new Int32Array((MAX_NAME_LENGTH + 1) / 4);

  /** Take the first `length` octets apart; false when the general path must look at them. */
  read(bytes: Uint8Array, length: number): boolean {
    if (length < HEADER_LENGTH + 1 + QUESTION_TAIL) return false;
    // QUERY, not a response; one question, no answers, no authorities, at most one additional.
    if ((bytes[2]! & 0xf8) !== 0 || bytes[4] !== 0 || bytes[5] !== 1) return false;
    if ((bytes[6]! | bytes[7]! | bytes[8]! | bytes[9]! | bytes[10]!) !== 0 || bytes[11]! > 1) return false;
    let at = HEADER_LENGTH;
    for (let label = bytes[at]!; label !== 0; label = bytes[at]!) {
      at += label + 1;
      if (label > 63 || at + 1 + QUESTION_TAIL > length) return false;
    }
    this.nameLength = at + 1 - HEADER_LENGTH;
    if (this.nameLength > MAX_NAME_LENGTH || bytes[at + 3] !== 0 || bytes[at + 4] !== CLASS.IN) return false;
    this.type = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    this.end = at + 1 + QUESTION_TAIL;
    this.hash = mix(this.#fold(bytes) ^ this.type);
    this.hasEdns = bytes[11] === 1;
    this.cookieLength = 0;
    return this.hasEdns ? this.#readOpt(bytes, length) : length === this.end;
  }

  /** Fill `folded`; returns its hash. */
  #fold(bytes: Uint8Array): number {
    const { folded, nameLength } = this;
    const end = HEADER_LENGTH + nameLength;
    let hash = nameLength;
    let at = HEADER_LENGTH;
    let i = 0;
    for (; at + 4 <= end; at += 4) {
      const word = foldWord(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      folded[i++] = word;
      hash = mix(hash ^ word);
    }
    if (at === end) return hash;
    let rest = bytes[at]!;
    if (at + 1 < end) rest |= bytes[at + 1]! << 8;
    if (at + 2 < end) rest |= bytes[at + 2]! << 16;
    const word = foldWord(rest);
    folded[i] = word;
    return mix(hash ^ word);
  }

  /** Where the cookie is, when there is one. */
  get cookieAt(): number {
    return this.end + OPT_LENGTH + OPTION_HEAD_LENGTH;
  }

  /** An OPT record of version 0 without options, or with a cookie alone, and nothing behind it. */
  #readOpt(bytes: Uint8Array, length: number): boolean {
    const at = this.end;
    const optionsLength = length - at - OPT_LENGTH;
    if (optionsLength !== 0 && !this.#readCookie(bytes, at + OPT_LENGTH, optionsLength)) return false;
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== TYPE.OPT) return false;
    if (bytes[at + 6] !== 0 || bytes[at + 9] !== 0 || bytes[at + 10] !== optionsLength) return false;
    this.udpSize = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    this.dnssecOk = (bytes[at + 7]! & 0x80) !== 0;
    return true;
  }

  /** The lengths that clients of this kind of server send; the general path knows the others. */
  #readCookie(bytes: Uint8Array, at: number, length: number): boolean {
    const cookieLength = length - OPTION_HEAD_LENGTH;
    if (cookieLength !== 8 && cookieLength !== 24) return false;
    this.cookieLength = cookieLength;
    if (bytes[at] !== 0 || bytes[at + 1] !== EDNS_OPTION.COOKIE) return false;
    return bytes[at + 2] === 0 && bytes[at + 3] === cookieLength;
  }
}

/**
 * Four octets with ASCII upper case folded to lower, at once: in each octet below 0x80, adding 0x3f reaches the top bit
 * from 'A' on, and adding 0x25 only behind 'Z'. Lengths of labels, at most 63, stay as they are.
 */
function foldWord(word: number): number {
  const low = word & 0x7f7f7f7f;
  const isUpper = ~word & 0x80808080 & ((low + 0x3f3f3f3f) ^ (low + 0x25252525));
  return word | (isUpper >>> 2);
}

function mix(hash: number): number {
  const product = Math.imul(hash, 0x9e3779b1);
  return product ^ (product >>> 15);
}
