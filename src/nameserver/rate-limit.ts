// rate-limit.ts -- keeps replies over UDP from being aimed at others: response rate limiting by network
//
// A sender's address can be forged, and then replies hit whoever has it. So the same reply goes to one network only so
// often in a second, and no network gets more than some times the octets that came from it. What is held back is
// dropped or, some of it, cut to an empty reply with TC: a client that really asks goes on over TCP, where addresses
// cannot be forged. (The way of BIND and NSD, and ISC-TN-2012-1; the bound on octets is our own.)
//
// The tables are shared by all threads, or each would let as many through. They are written without locks: a count that
// two threads miss now and then does no harm.

import { type IpPrefix, isMapped } from '../base/ip.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import type { ClientNetwork } from '../routing/client-hash.ts';
import { NetworkSet } from '../routing/network-set.ts';

/** Plain data, told to every thread. */
export interface RateLimitSettings {
  /** Equal replies to one network in a second; 1 or more. */
  readonly responsesPerSecond: number;
  /** Of the replies held back, one in so many is cut instead of dropped; 1: all, 0: none. */
  readonly slip: number;
  /** Leading bits of addresses that make a network. */
  readonly ipv4PrefixBits: number;
  readonly ipv6PrefixBits: number;
  /** Clients that are not limited. */
  readonly exempt: readonly IpPrefix[];
}

/** What becomes of a reply. */
export const SEND = 0;
export const CUT = 1;
export const DROP = 2;

/** Octets out for each octet in, in the long run. */
const AMPLIFICATION = 8;
/** Octets out that a network has to its credit at first, and gets back in a second whatever it asks. */
const BURST_OCTETS = 65_536;
const REFILL_OCTETS = 8192;

/** Each place holds a fingerprint, the second it is about, and a count or a credit. */
const WORDS = 3;
const PLACES = 1 << 16;

/** Memory for the tables of one server. What is not touched takes no room. */
export function createRateLimitMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * PLACES * WORDS * Int32Array.BYTES_PER_ELEMENT);
}

export class RateLimiter {
  readonly #settings: RateLimitSettings;
  readonly #exempt: NetworkSet;
  readonly #seed: number;
  readonly #replies: Int32Array;
  readonly #networks: Int32Array;
  #held = 0;

  /** `seed`: a secret, the same for every thread, so that nobody can choose whose counts he shares. */
  constructor(settings: RateLimitSettings, memory: SharedArrayBuffer, seed: number) {
    this.#settings = settings;
    this.#seed = seed;
    this.#exempt = new NetworkSet(settings.exempt);
    this.#replies = new Int32Array(memory, 0, PLACES * WORDS);
    this.#networks = new Int32Array(memory, this.#replies.byteLength, PLACES * WORDS);
  }

  /**
   * SEND, CUT or DROP for the reply in the first `length` octets of `reply` to a query of `queryLength` octets.
   * `isMadeUp`: the name has an answer only because a wildcard has one for any name. `nowSeconds`: whole seconds of a clock
   * that never goes back.
   */
  judge(
    client: ClientNetwork,
    queryLength: number,
    reply: Uint8Array,
    length: number,
    isMadeUp: boolean,
    nowSeconds: number,
  ): number {
    if (this.#exempt.has(client)) return SEND;
    const network = this.#networkOf(client.octets());
    const identity = isMadeUp ? MADE_UP : identityOf(reply, length);
    const isOften = this.#count(mix(network ^ identity), nowSeconds);
    const isPaidFor = this.#pay(network, queryLength, length, nowSeconds);
    if (!isOften && isPaidFor) return SEND;
    const { slip } = this.#settings;
    if (slip === 0) return DROP;
    this.#held = (this.#held + 1) % slip;
    return this.#held === 0 ? CUT : DROP;
  }

  #networkOf(octets: Uint8Array): number {
    const { ipv4PrefixBits, ipv6PrefixBits } = this.#settings;
    let bits = isMapped(octets) ? 96 + ipv4PrefixBits : ipv6PrefixBits;
    let hash = this.#seed ^ bits;
    for (let i = 0; bits > 0; i++, bits -= 8) {
      const octet = bits >= 8 ? octets[i]! : octets[i]! & (0xff00 >> bits);
      hash = mix(hash ^ octet);
    }
    return hash;
  }

  /** Count one more; true when there were too many in this second. */
  #count(fingerprint: number, nowSeconds: number): boolean {
    const at = placeOf(this.#replies, fingerprint, nowSeconds);
    const words = this.#replies;
    if (words[at] !== fingerprint || words[at + 1] !== nowSeconds) {
      words[at] = fingerprint;
      words[at + 1] = nowSeconds;
      words[at + 2] = 0;
    }
    if (words[at + 2]! >= this.#settings.responsesPerSecond) return true;
    words[at + 2]!++;
    return false;
  }

  /** Take a reply off the credit of a network; false when that does not suffice. */
  #pay(network: number, queryLength: number, length: number, nowSeconds: number): boolean {
    const words = this.#networks;
    const at = placeOf(words, network, nowSeconds);
    if (words[at] !== network) {
      words[at] = network;
      words[at + 2] = BURST_OCTETS;
    } else {
      const elapsed = Math.max(0, Math.min(nowSeconds - words[at + 1]!, BURST_OCTETS / REFILL_OCTETS));
      words[at + 2] = Math.min(words[at + 2]! + elapsed * REFILL_OCTETS, BURST_OCTETS);
    }
    words[at + 1] = nowSeconds;
    const credit = words[at + 2]! + queryLength * AMPLIFICATION;
    const isEnough = credit >= length;
    // What is cut is as long as the query.
    words[at + 2] = Math.min(credit - (isEnough ? length : queryLength), BURST_OCTETS);
    return isEnough;
  }
}

/** Of the two places that a fingerprint may have: its own, else the one that was not used for longer. */
function placeOf(words: Int32Array, fingerprint: number, nowSeconds: number): number {
  const first = ((fingerprint >>> 16) & (PLACES - 1)) * WORDS;
  if (words[first] === fingerprint) return first;
  const second = (fingerprint & (PLACES - 1)) * WORDS;
  if (words[second] === fingerprint) return second;
  return nowSeconds - words[first + 1]! >= nowSeconds - words[second + 1]! ? first : second;
}

/** Of all that wildcards answer; above every rcode. */
const MADE_UP = mix(0x100);

/**
 * What makes replies equal: the name, whatever was asked of it; of refusals, errors, denials and referrals the rcode alone,
 * since the names in them are the asker's to make up.
 */
function identityOf(reply: Uint8Array, length: number): number {
  const rcode = reply[3]! & 0xf;
  const answers = (reply[6]! << 8) | reply[7]!;
  if (rcode !== 0 || answers === 0) return mix(rcode + 1);
  let hash = 0;
  for (let at = HEADER_LENGTH; at < length && reply[at] !== 0; at++) {
    const octet = reply[at]!;
    // In lower case. Of the lengths of labels, all below 64, that leaves none that is another's.
    hash = mix(hash ^ (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet));
  }
  return hash;
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
