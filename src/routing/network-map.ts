// network-map.ts -- numbers by network: what holds for an address is found by halving, whatever many networks there are
//
// Networks nest or lie apart, so they cut the line of all addresses into stretches, and a value is worked out for each
// stretch beforehand.

import type { IpPrefix } from '../base/ip.ts';
import { type ClientNetwork, wordAt } from './client-hash.ts';

/** A network and what holds in it; 0 means nothing. */
export interface NetworkValue {
  readonly prefix: IpPrefix;
  readonly value: number;
}

/** What holds where several networks do. */
export interface MergeRule {
  /** Of the networks around a stretch, the largest first; none for those around none. */
  merge(values: readonly number[]): number;
  /** Of two stretches that a client may be in. */
  common(a: number, b: number): number;
}

/** The smallest network decides. */
export const SMALLEST: MergeRule = {
  merge: (values) => values.at(-1) ?? 0,
  common: (a, b) => (a === b ? a : 0),
};

/** Values are sets of bits, and all networks count. */
export const ALL_BITS: MergeRule = {
  merge: (values) => values.reduce((bits, each) => bits | each, 0),
  common: (a, b) => a & b,
};

const ALL_ONES = 0xffffffff;
/** ::ffff:0:0/96, where IPv4 addresses are. IPv6 networks around it do not mean them. */
const MAPPED = { start: 0xffffn << 32n, end: 0x10000n << 32n };
const END = 1n << 128n;

interface Stretch {
  readonly start: bigint;
  readonly value: number;
}

export class NetworkMap {
  readonly #common: MergeRule['common'];
  /** Four words for the beginning of each stretch, ascending; the first begins at 0. */
  readonly #starts: Uint32Array;
  readonly #values: readonly number[];

  constructor(networks: readonly NetworkValue[], rule: MergeRule) {
    const stretches = layOut(networks, rule);
    this.#common = rule.common;
    this.#values = stretches.map(({ value }) => value);
    this.#starts = Uint32Array.from(stretches.flatMap(({ start }) => wordsOf(start)));
  }

  /** What holds for a client; of one that is known in part, what holds wherever it may be. */
  lookup(client: ClientNetwork): number {
    if (this.#values.length === 1) return this.#values[0]!;
    const octets = client.octets();
    const { knownBits } = client;
    const first = this.#find(octets, 128);
    let value = this.#values[first]!;
    if (knownBits >= 128) return value;
    const last = this.#find(octets, knownBits);
    for (let i = first + 1; i <= last; i++) value = this.#common(value, this.#values[i]!);
    return value;
  }

  /** The stretch of the address whose bits behind the first `bits` are all ones. */
  #find(octets: Uint8Array, bits: number): number {
    const first = paddedWord(octets, 0, bits);
    const second = paddedWord(octets, 1, bits);
    const third = paddedWord(octets, 2, bits);
    const fourth = paddedWord(octets, 3, bits);
    const starts = this.#starts;
    let low = 0;
    let high = this.#values.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const at = middle * 4;
      const order =
        compare(starts[at]!, first) ||
        compare(starts[at + 1]!, second) ||
        compare(starts[at + 2]!, third) ||
        compare(starts[at + 3]!, fourth);
      if (order <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Negative, 0 or positive; numbers below 2^32 subtract exactly. */
function compare(a: number, b: number): number {
  return a - b;
}

/** Word `index` of an address, with ones behind its first `bits`. */
function paddedWord(octets: Uint8Array, index: number, bits: number): number {
  const known = bits - index * 32;
  const padding = known >= 32 ? 0 : known <= 0 ? ALL_ONES : ALL_ONES >>> known;
  return (wordAt(octets, index * 4) | padding) >>> 0;
}

function wordsOf(address: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((address >> shift) & 0xffffffffn));
}

interface Span {
  readonly start: bigint;
  readonly end: bigint;
  /** 0: of the place where IPv4 addresses are. */
  readonly family: 0 | 4 | 6;
  readonly value: number;
}

/** All addresses cut into stretches of one value each. */
function layOut(networks: readonly NetworkValue[], rule: MergeRule): Stretch[] {
  const spans: Span[] = networks.map(spanOf);
  spans.push({ ...MAPPED, family: 0, value: 0 });
  // Larger ones first where several begin; of equals, the place of IPv4 goes around 0.0.0.0/0.
  spans.sort((a, b) => order(a.start, b.start) || order(b.end, a.end) || a.family - b.family);
  const stretches: Stretch[] = [];
  const around: Span[] = [];
  let reached = 0n;
  const goTo = (end: bigint): void => {
    if (end === reached) return;
    const family = around.some((span) => span.family === 0) ? 4 : 6;
    const value = rule.merge(around.filter((span) => span.family === family).map((span) => span.value));
    if (stretches.at(-1)?.value !== value) stretches.push({ start: reached, value });
    reached = end;
  };
  const leaveUpTo = (place: bigint): void => {
    for (let span = around.at(-1); span !== undefined && span.end <= place; span = around.at(-1)) {
      goTo(span.end);
      around.pop();
    }
  };
  for (const span of spans) {
    leaveUpTo(span.start);
    goTo(span.start);
    around.push(span);
  }
  leaveUpTo(END);
  goTo(END);
  return stretches;
}

function spanOf({ prefix: { family, bytes, length }, value }: NetworkValue): Span {
  let start = 0n;
  for (const octet of bytes) start = (start << 8n) | BigInt(octet);
  if (family === 4) start += MAPPED.start;
  const size = 1n << BigInt((family === 4 ? 32 : 128) - length);
  return { start, end: start + size, family, value };
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
