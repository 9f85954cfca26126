// special-names.ts -- names that have no business in the public DNS: answered here, never asked upstream
//
// RFC 6761 (localhost, invalid, test), 6762 (local), 6303 and 7793 (reverse zones of private addresses), 7686 (onion),
// 8375 (home.arpa), 9462 (resolver.arpa), 9476 (alt). Zones of ours below them come first.

import { RCODE, TYPE } from '../dns/codes.ts';
import { isWithin, type Name, nameKey, parentName, parseName } from '../dns/name.ts';
import { soaRdata } from '../dns/rdata/basic.ts';
import { rrset } from '../dns/rrset.ts';
import { type Answer, emptyAnswer } from './answer.ts';

/**
 * What is said of a tree of names. `nowhere`: nothing in it exists, its top neither. `empty`: its top exists and has
 * nothing (RFC 6303 section 3). `silent`: whatever is asked has nothing (RFC 9462 section 6). `localhost`: this machine.
 */
type Kind = 'nowhere' | 'empty' | 'silent' | 'localhost';

const IPV4_REVERSE = [
  ...['0', '10', '127', '254.169', '168.192', '2.0.192', '100.51.198', '113.0.203', '255.255.255.255'],
  ...range(16, 31).map((octet) => `${octet}.172`),
  // Shared address space of carriers (RFC 7793).
  ...range(64, 127).map((octet) => `${octet}.100`),
].map((digits) => `${digits}.in-addr.arpa.`);

const IPV6_REVERSE = [
  `${'0.'.repeat(32)}ip6.arpa.`,
  `1.${'0.'.repeat(31)}ip6.arpa.`,
  ...['d.f', '8.e.f', '9.e.f', 'a.e.f', 'b.e.f', '8.b.d.0.1.0.0.2'].map((digits) => `${digits}.ip6.arpa.`),
];

const KINDS: readonly (readonly [Kind, readonly string[]])[] = [
  ['nowhere', ['invalid.', 'test.', 'local.', 'onion.', 'alt.']],
  ['empty', ['home.arpa.', ...IPV4_REVERSE, ...IPV6_REVERSE]],
  ['silent', ['resolver.arpa.']],
  ['localhost', ['localhost.']],
];

interface Special {
  readonly kind: Kind;
  readonly apex: Name;
}

const SPECIAL: ReadonlyMap<string, Special> = new Map(
  KINDS.flatMap(([kind, texts]) =>
    texts.map((text) => {
      const apex = parseName(text);
      return [nameKey(apex), { kind, apex }];
    }),
  ),
);

const HOME_ARPA = parseName('home.arpa.');
const LOCALHOST = parseName('localhost.');
const LOOPBACK_POINTERS = new Set(
  ['1.0.0.127.in-addr.arpa.', `1.${'0.'.repeat(31)}ip6.arpa.`].map((text) => nameKey(parseName(text))),
);
const IPV4_LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const IPV6_LOOPBACK = Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
/** RFC 6303 section 3. */
const TTL_SECONDS = 10_800;

/** The answer to a question of class IN for a special name; undefined for every other name. `dnssecOk`: DO is set. */
export function specialAnswer(name: Name, type: number, dnssecOk: boolean): Answer | undefined {
  const special = specialOf(name);
  if (special === undefined) return undefined;
  const { kind, apex } = special;
  const isApex = name.length === apex.length;
  // That home.arpa is not signed has a proof, which only the real servers have (RFC 8375 section 4).
  if (type === TYPE.DS && dnssecOk && isApex && isWithin(name, HOME_ARPA)) return undefined;
  const answer = emptyAnswer();
  const records = recordsOf(name, type, special, isApex);
  if (records !== undefined) {
    answer.answer.push(rrset(name, type, TTL_SECONDS, records));
    return answer;
  }
  const exists = kind === 'silent' || kind === 'localhost' || (kind === 'empty' && isAtOrAboveRecords(name, isApex));
  if (!exists) answer.rcode = RCODE.NXDOMAIN;
  answer.authority.push(soaOf(apex));
  return answer;
}

/** Is that a name which is answered here? */
function specialOf(name: Name): Special | undefined {
  for (let rest = name; rest.length > 1; rest = parentName(rest)) {
    const found = SPECIAL.get(nameKey(rest));
    if (found !== undefined) return found;
  }
  return undefined;
}

function recordsOf(name: Name, type: number, { kind, apex }: Special, isApex: boolean): Uint8Array[] | undefined {
  if (kind === 'localhost') {
    if (type === TYPE.A) return [IPV4_LOOPBACK];
    return type === TYPE.AAAA ? [IPV6_LOOPBACK] : undefined;
  }
  if (type === TYPE.PTR && LOOPBACK_POINTERS.has(nameKey(name))) return [LOCALHOST];
  if (kind !== 'empty' || !isApex) return undefined;
  if (type === TYPE.NS) return [apex];
  return type === TYPE.SOA ? [...soaOf(apex).rdatas] : undefined;
}

/** The tops of these zones, and what leads to the names of the loopback addresses. */
function isAtOrAboveRecords(name: Name, isApex: boolean): boolean {
  return isApex || LOOPBACK_POINTERS.has(nameKey(name)) || isAboveLoopback(name);
}

function isAboveLoopback(name: Name): boolean {
  const key = nameKey(name);
  return [...LOOPBACK_POINTERS].some((pointer) => pointer.endsWith(key));
}

function soaOf(apex: Name) {
  const fields = { refreshSeconds: 3600, retrySeconds: 1200, expireSeconds: 604_800, minimumSeconds: TTL_SECONDS };
  const mailbox = parseName('nobody.invalid.');
  return rrset(apex, TYPE.SOA, TTL_SECONDS, [soaRdata({ ...fields, primary: apex, mailbox, serial: 1 })]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
