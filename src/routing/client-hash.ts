// client-hash.ts -- who asks, as routing sees it: the octets of a network, and 32-bit hashes of them
//
// The hashes are the same on every node and after every restart, since what a client gets for good hangs on them.

/** An address, or the part of one that an EDNS client subnet tells. */
export interface ClientNetwork {
  /** 16 octets, IPv4 mapped (RFC 4291 section 2.5.5.2), zero behind the known bits. Holds until the next query. */
  octets(): Uint8Array;
  /** Leading bits of the octets that are known; 128 for a whole address. */
  readonly knownBits: number;
}

/** An unsigned 32-bit hash of 16 octets (MurmurHash3, words in network order). Two IPv4 addresses never have the same. */
export function hashClient(octets: Uint8Array): number {
  let hash = 0;
  for (let at = 0; at < 16; at += 4) {
    let word = Math.imul(wordAt(octets, at), 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return mix(hash ^ 16);
}

/** Where a client stands on the line from 0 to 2^32 in a matter of its own: clients stand apart differently in each. */
export function pointOf(clientHash: number, salt: number): number {
  return mix(clientHash ^ salt);
}

/** A salt for `pointOf` from a name. */
export function saltOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The four octets at `at` as a signed number, the first the highest. */
export function wordAt(octets: Uint8Array, at: number): number {
  return (octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!;
}

/** Every bit of the input has a say in every bit of the result; nothing is lost. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
