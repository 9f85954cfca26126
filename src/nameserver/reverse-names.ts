// reverse-names.ts -- PTR records for the addresses of instances, in in-addr.arpa and ip6.arpa (RFC 1035, RFC 3596)

import { type IpPrefix, ipFromBytes } from '../base/ip.ts';
import { TYPE } from '../dns/codes.ts';
import { foldedLabels, type Name, parseName, prependLabels } from '../dns/name.ts';
import type { AnsweringInstance } from '../registry/member.ts';
import { type DynamicNode, EMPTY_NON_TERMINAL, type FixedRecords, fixedNode } from './dynamic-node.ts';
import { recordTtlSeconds } from './pool-answers.ts';
import type { RegistryNames } from './registry-names.ts';

/** Names of one address: more would help nobody. */
const MAX_NAMES = 32;
/** Instances of one address that are looked at for them. */
const MAX_HOLDERS = 1024;

interface Family {
  /** Labels of the apex, from the root down. */
  readonly apex: readonly string[];
  /** Hexadecimal digits in a whole address, and in one label. */
  readonly digits: number;
  readonly digitsInLabel: number;
  /** The digits that a label stands for; undefined: for none. */
  digitsOf(label: string): string | undefined;
}

const FAMILIES: readonly Family[] = [
  { apex: ['arpa', 'in-addr'], digits: 8, digitsInLabel: 2, digitsOf: octetDigits },
  {
    apex: ['arpa', 'ip6'],
    digits: 32,
    digitsInLabel: 1,
    digitsOf: (label) => (/^[0-9a-f]$/.test(label) ? label : undefined),
  },
];

/** What names are made of: the domain that the services' names are in, and which networks are spoken for. */
export interface ReverseSettings {
  readonly domain: { readonly apex: Name; readonly ttlSeconds: number };
  readonly networks: readonly IpPrefix[];
}

export class ReverseNames {
  readonly #names: RegistryNames;
  readonly #settings: ReverseSettings;
  readonly #zone: Name;
  /** Of the zone's apex, from the root down. */
  readonly #apex: readonly string[];
  readonly #ranges: readonly Range[];

  /** The names below (and at) `apex`, which may be anywhere: above the networks, or inside one. */
  constructor(apex: Name, settings: ReverseSettings, names: RegistryNames) {
    this.#names = names;
    this.#settings = settings;
    this.#zone = apex;
    this.#apex = foldedLabels(apex).reverse();
    this.#ranges = settings.networks.map(rangeOf);
  }

  /** The same zone over another registry. */
  over(names: RegistryNames): ReverseNames {
    return new ReverseNames(this.#zone, this.#settings, names);
  }

  /** The node of a name: its labels below the apex, lower case, leftmost first. */
  find(labels: readonly string[]): DynamicNode | undefined {
    const path = [...this.#apex, ...labels.toReversed()];
    const family = FAMILIES.find(({ apex }) => apex.every((label, i) => path[i] === undefined || path[i] === label));
    if (family === undefined) return undefined;
    let digits = '';
    for (const label of path.slice(family.apex.length)) {
      const more = family.digitsOf(label);
      if (more === undefined || digits.length === family.digits) return undefined;
      digits += more;
    }
    if (digits.length < family.digits) return this.#hasBelow(path, family, digits) ? EMPTY_NON_TERMINAL : undefined;
    if (!this.#ranges.some(({ low, high }) => low.length === digits.length && low <= digits && digits <= high))
      return undefined;
    const address = ipFromBytes(Uint8Array.from(Buffer.from(digits, 'hex'))).text;
    const [first] = this.#names.index.atAddress(address);
    if (first === undefined) return undefined;
    return fixedNode('a known address', undefined, (type) =>
      type === TYPE.PTR ? this.#pointers(this.#names.index.atAddress(address)) : undefined,
    );
  }

  /** Is an address known whose name is below this one? */
  #hasBelow(path: readonly string[], { digits: all }: Family, digits: string): boolean {
    // `arpa` itself is above both families.
    const lengths = path.length < 2 ? FAMILIES.map((family) => family.digits) : [all];
    return this.#ranges.some(({ low, high }) => {
      if (!lengths.includes(low.length)) return false;
      const from = digits.padEnd(low.length, '0');
      const to = digits.padEnd(low.length, 'f');
      if (from > high || to < low) return false;
      const [, first] = [from, low].sort();
      const [last] = [to, high].sort();
      return this.#names.index.addressOrder.hasBetween(first!, last!);
    });
  }

  /** A PTR to the name of each service that has the address. */
  #pointers(holders: Iterable<AnsweringInstance>): FixedRecords {
    const { domain } = this.#settings;
    const services = new Set<string>();
    let least = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const instance of holders) {
      if (++looked > MAX_HOLDERS || (services.size === MAX_NAMES && !services.has(instance.service))) break;
      services.add(instance.service);
      const policy = this.#names.service(instance.service)?.policy;
      least = Math.min(least, recordTtlSeconds(policy, [instance], domain.ttlSeconds));
    }
    return { ttlSeconds: least, rdatas: Array.from(services, (service) => prependLabels([service], domain.apex)) };
  }
}

/** First and last address, as hexadecimal digits. */
interface Range {
  readonly low: string;
  readonly high: string;
}

function rangeOf({ bytes, length }: IpPrefix): Range {
  const last = bytes.map((octet, i) => octet | (0xff >> Math.min(8, Math.max(0, length - i * 8))));
  return { low: Buffer.from(bytes).toString('hex'), high: Buffer.from(last).toString('hex') };
}

function octetDigits(label: string): string | undefined {
  const octet = /^(?:0|[1-9]\d{0,2})$/.test(label) ? Number(label) : 256;
  return octet > 255 ? undefined : octet.toString(16).padStart(2, '0');
}

/**
 * The apexes of zones that hold the names of a network and no others: one at a boundary between labels, else up to 128
 * at the next one below it.
 */
export function reverseApexes({ family, bytes, length }: IpPrefix): Name[] {
  const { apex, digitsInLabel } = FAMILIES[family === 4 ? 0 : 1]!;
  const bitsInLabel = digitsInLabel * 4;
  const labels = Math.ceil(length / bitsInLabel);
  const free = labels * bitsInLabel - length;
  const suffix = apex.toReversed().join('.');
  return Array.from({ length: 1 << free }, (_, i) => {
    const texts: string[] = [];
    for (let label = 0; label < labels; label++) {
      const octet = bytes[(label * bitsInLabel) >> 3]!;
      const value = bitsInLabel === 8 ? octet : label % 2 === 0 ? octet >> 4 : octet & 0xf;
      const whole = label === labels - 1 ? value + i : value;
      texts.unshift(bitsInLabel === 8 ? String(whole) : whole.toString(16));
    }
    return parseName([...texts, suffix, ''].join('.'));
  });
}

/** Networks without those that others hold. */
export function widest(networks: readonly IpPrefix[]): IpPrefix[] {
  const held = (inner: IpPrefix, outer: IpPrefix): boolean => {
    const [a, b] = [rangeOf(inner), rangeOf(outer)];
    return a.low.length === b.low.length && b.low <= a.low && a.high <= b.high;
  };
  return networks.filter(
    (each, i) => !networks.some((other, j) => i !== j && held(each, other) && (j < i || !held(other, each))),
  );
}
