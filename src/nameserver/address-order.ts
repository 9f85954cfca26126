// address-order.ts -- addresses in order, to tell whether there is one within a range
//
// A name of a reverse zone that stands for a whole network, 0.0.10.in-addr.arpa, exists while an address in it is known
// (RFC 8020). Counting addresses by network would take dozens of counts for every IPv6 address.

import { parseIp } from '../base/ip.ts';

/** Keys are moved within one part when one comes or goes. */
const MAX_PART = 512;

export class AddressOrder {
  readonly #v4 = new SortedKeys();
  readonly #v6 = new SortedKeys();

  /** An address, as canonical text, is known from now on. Each is added once. */
  add(address: string): void {
    const key = keyOf(address);
    this.#of(key).add(key);
  }

  /** It is known no longer. */
  remove(address: string): void {
    const key = keyOf(address);
    this.#of(key).remove(key);
  }

  /** Is there one from `low` to `high`? Both as hexadecimal digits: 8 for IPv4, 32 for IPv6. */
  hasBetween(low: string, high: string): boolean {
    return this.#of(low).hasBetween(low, high);
  }

  #of(key: string): SortedKeys {
    return key.length === 8 ? this.#v4 : this.#v6;
  }
}

function keyOf(address: string): string {
  return Buffer.from(parseIp(address)!.bytes).toString('hex');
}

/** Sorted texts in parts of bounded length, none of them empty. */
class SortedKeys {
  readonly #parts: string[][] = [];

  add(key: string): void {
    const at = this.#partFor(key);
    const part = this.#parts[at];
    if (part === undefined) {
      this.#parts.push([key]);
      return;
    }
    part.splice(placeOf(part, key), 0, key);
    if (part.length > MAX_PART) this.#parts.splice(at + 1, 0, part.splice(MAX_PART >> 1));
  }

  remove(key: string): void {
    const at = this.#partFor(key);
    const part = this.#parts[at];
    const place = part === undefined ? 0 : placeOf(part, key);
    if (part?.[place] !== key) return;
    part.splice(place, 1);
    if (part.length === 0) this.#parts.splice(at, 1);
  }

  hasBetween(low: string, high: string): boolean {
    const at = this.#partFor(low);
    const part = this.#parts[at];
    if (part === undefined) return false;
    const first = part[placeOf(part, low)] ?? this.#parts[at + 1]?.[0];
    return first !== undefined && first <= high;
  }

  /** The last part that begins at or before the key; the first one when none does. */
  #partFor(key: string): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#parts[middle]![0]! <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Where the key is, or would be. */
function placeOf(part: readonly string[], key: string): number {
  let low = 0;
  let high = part.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (part[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
