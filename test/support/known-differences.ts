// known-differences.ts -- where Rollcall and Knot with the same zones answer differently, and why each is right

import { RCODE, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import type { Message } from '../../src/dns/message.ts';
import { formatName, isWithin, type Name } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import type { AskedQuestion } from './random-questions.ts';

/** One question and both replies. */
export interface Exchanged {
  readonly question: AskedQuestion;
  readonly ours: Message;
  readonly theirs: Message;
  readonly transport: 'udp' | 'tcp';
}

/** What the servers hold. */
export interface World {
  /** Zones, the nearest of several first. */
  readonly apexes: readonly Name[];
  /** All records of all zones, as `comparableRecord` writes them. */
  readonly records: ReadonlySet<string>;
  /** The names that failing instances make. */
  readonly failing: readonly Name[];
}

export interface KnownDifference {
  readonly title: string;
  readonly reason: string;
  isIt(exchanged: Exchanged, world: World): boolean;
}

/** Looked through in this order. None of them lets a wrong record pass: what one has beside the other has to be in the zones. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    title: 'both cut',
    reason:
      'RFC 2181 section 9 lets a server send of a cut reply what it likes: Rollcall sends the records that fit, Knot none. Both are asked again over TCP',
    isIt: ({ ours, theirs, transport }, world) =>
      transport === 'udp' && isCut(ours) && isCut(theirs) && isSameHeader(ours, theirs) && isTrue(ours, world),
  },
  {
    title: 'one cut',
    reason:
      'within some octets of the limit it is the compression of names that decides who has room. Both are asked again over TCP',
    isIt: ({ ours, theirs, transport }, world) =>
      transport === 'udp' && isCut(ours) !== isCut(theirs) && ours.rcode === theirs.rcode && isTrue(ours, world),
  },
  {
    title: 'additional records of an answer',
    reason:
      'optional (RFC 2181 section 9), and each server picks its own: Rollcall adds what DNS-SD and SVCB clients ask next, as far as there is room',
    isIt: ({ ours, theirs }, world) =>
      ours.answers.length > 0 &&
      isSameHeader(ours, theirs) &&
      isSameSet(ours.answers, theirs.answers) &&
      isSameSet(ours.authorities, theirs.authorities) &&
      isTrue(ours, world),
  },
  {
    title: 'ANY',
    reason: 'RFC 8482 leaves a choice: Rollcall has a HINFO record made up for it, Knot the first set it finds',
    isIt: ({ question, ours, theirs }) =>
      question.type === TYPE.ANY &&
      ours.rcode === theirs.rcode &&
      (theirs.answers.length > 0 || isCut(theirs)) &&
      ours.answers.at(-1)?.type === TYPE.HINFO &&
      ours.authorities.length === 0,
  },
  {
    title: 'a long referral for ANY',
    reason:
      'RFC 8482 section 4.4: over UDP, Rollcall sends ANY over TCP when the reply is more than four times the question',
    isIt: ({ question, ours, theirs, transport }) =>
      transport === 'udp' &&
      question.type === TYPE.ANY &&
      isCut(ours) &&
      ours.rcode === theirs.rcode &&
      theirs.authorities.some(({ type }) => type === TYPE.NS),
  },
  {
    title: 'an alias into another zone',
    reason:
      'RFC 1034 section 4.3.2 step 3a goes back to step 1, where the zone is chosen anew: Rollcall does, Knot stays in the zone it is in',
    isIt: ({ ours, theirs }, world) => {
      const last = theirs.answers.at(-1);
      if (last?.type !== TYPE.CNAME) return false;
      const [from, to] = [zoneOf(last.name, world), zoneOf(last.rdata as Name, world)];
      return from !== to && to !== undefined && isSubset(theirs.answers, ours.answers);
    },
  },
  {
    title: 'repeats',
    reason: 'Knot has an alias twice when a wildcard leads to the very name that was asked for',
    isIt: ({ ours, theirs }) =>
      isSameHeader(ours, theirs) &&
      isSubset(ours.answers, theirs.answers) &&
      isSubset(theirs.answers, ours.answers) &&
      isSameSet(ours.authorities, theirs.authorities) &&
      isSameSet(ours.additionals, theirs.additionals),
  },
  {
    title: 'names of several tags',
    reason: 'not in a transfer, since they are all combinations of up to four: Knot does not know them',
    isIt: ({ question, ours, theirs }) =>
      theirs.rcode === RCODE.NXDOMAIN &&
      ours.rcode === RCODE.NOERROR &&
      /^(?:(?:v1|v2|eu)\.){2,4}svc-\d+\.service\.local\.$/i.test(formatName(question.name)),
  },
  {
    title: 'names of failing instances only',
    reason:
      'a transfer has what is answered at that moment; to Rollcall the name is there without records, since it comes back with them',
    isIt: ({ question, ours, theirs }, { failing }) =>
      theirs.rcode === RCODE.NXDOMAIN &&
      ours.rcode === RCODE.NOERROR &&
      (ours.answers.length === 0
        ? isSameSet(ours.authorities, theirs.authorities)
        : question.type === TYPE.ANY && ours.answers[0]!.type === TYPE.HINFO) &&
      failing.some((name) => isWithin(name, question.name)),
  },
  {
    title: 'local.',
    reason: 'dns.claimLocal has a SOA for nss-mdns there: not a zone that can be transferred',
    isIt: ({ question, ours, theirs }) =>
      formatName(question.name).toLowerCase() === 'local.' &&
      theirs.rcode === RCODE.REFUSED &&
      ours.rcode === RCODE.NOERROR,
  },
];

/** As text without letter case, which in names differs with the compression of each server. */
export function comparableRecord(record: ResourceRecord): string {
  return formatRecord(record).toLowerCase();
}

function isCut({ flags }: Message): boolean {
  return (flags & FLAG.TC) !== 0;
}

function isSameHeader(ours: Message, theirs: Message): boolean {
  return ours.rcode === theirs.rcode && (ours.flags & ~0xf) === (theirs.flags & ~0xf);
}

function isSameSet(ours: readonly ResourceRecord[], theirs: readonly ResourceRecord[]): boolean {
  return ours.length === theirs.length && isSubset(theirs, ours);
}

function isSubset(few: readonly ResourceRecord[], many: readonly ResourceRecord[]): boolean {
  const has = new Set(many.map(comparableRecord));
  return few.every((record) => has.has(comparableRecord(record)));
}

/** All its records are in the zones, at least as those of a wildcard. */
function isTrue({ answers, authorities, additionals }: Message, { records }: World): boolean {
  return [...answers, ...authorities, ...additionals].every((record) => {
    const text = comparableRecord(record);
    return records.has(text) || records.has(text.slice(text.indexOf(' ')));
  });
}

function zoneOf(name: Name, { apexes }: World): Name | undefined {
  return apexes.find((apex) => isWithin(name, apex));
}
