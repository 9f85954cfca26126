// protocol.ts -- what every authoritative server owes, a question a row, and how a reply is judged
//
// The rows are put to Rollcall and, to show that they ask nothing odd, to Knot, NSD and BIND with the same zones
// (test/e2e/conformance.test.ts). `except` names a server that answers otherwise, and why it may.

import { EDNS_OPTION, formatRcode, RCODE, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { formatName, isWithin, parseName } from '../../src/dns/name.ts';
import { formatRecord, parseRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import type { QuestionPath } from '../support/raw-questions.ts';
import { soaMinimum } from './protocol-zone.ts';

export type ServerTitle = 'Rollcall' | 'Knot' | 'NSD' | 'BIND';

/** One duty. */
export interface ProtocolRow {
  /** Where it is written. */
  readonly rfc: string;
  readonly duty: string;
  /** As support/query-text.ts has it. */
  readonly query: string;
  /**
   * `RCODE [aa|aa?] [tc]`, or `silence`; several with ` or ` between. AA and TC have to be as they stand there; AA of
   * FORMERR, NOTIMP, BADVERS and NOTAUTH is not looked at.
   */
  readonly expected: string;
  /** All records of the section, as master-file text; '' for none; left out: not looked at. */
  readonly answer?: string;
  readonly authority?: string;
  /** Records that have to be there; others may be. */
  readonly additional?: string;
  /** The zone whose SOA, alone, has to be in the authority section, with a TTL of at most its MINIMUM (RFC 2308). */
  readonly negative?: string;
  /** What else is wrong with it; nothing: undefined. */
  readonly check?: (reply: Message, octets: Buffer) => string | undefined;
  /** Only over UDP, or only over TCP and TLS. */
  readonly over?: 'udp' | 'stream';
  readonly except?: Partial<Readonly<Record<ServerTitle, string>>>;
}

/** Short for tables. */
export function row(
  rfc: string,
  duty: string,
  query: string,
  expected: string,
  details: Omit<ProtocolRow, 'rfc' | 'duty' | 'query' | 'expected'> = {},
): ProtocolRow {
  return { rfc, duty, query, expected, ...details };
}

/** What is wrong with a reply, or with there being one; empty for nothing. */
export function faultsOf(
  row: ProtocolRow,
  query: Buffer,
  reply: Buffer | undefined,
  transport: QuestionPath['transport'],
): string[] {
  const alternatives = row.expected.split(' or ');
  if (reply === undefined) return alternatives.includes('silence') ? [] : ['silence'];
  if (alternatives.join() === 'silence') return [`a reply: ${reply.toString('hex')}`];
  const form = formFaults(query, reply, transport);
  let message: Message;
  try {
    message = decodeMessage(reply);
  } catch (error) {
    return [...form, `cannot be read: ${error}`];
  }
  return [
    ...form,
    ...generalFaults(row, query, message),
    ...(alternatives.some((each) => isLike(message, each)) ? [] : [`is ${summary(message)}`]),
    ...sectionFaults(row, message),
    row.check?.(message, reply) ?? [],
  ].flat();
}

/** What can be said of octets without reading them. */
function formFaults(query: Buffer, reply: Buffer, transport: QuestionPath['transport']): string[] {
  if (reply.length < 12) return ['no whole header'];
  const faults: string[] = [];
  const bit = (message: Buffer, mask: number) => message.readUInt16BE(2) & mask;
  if (reply.readUInt16BE(0) !== query.readUInt16BE(0)) faults.push('another id');
  if (bit(reply, FLAG.QR) === 0) faults.push('QR is clear');
  if (bit(reply, 0x7800) !== bit(query, 0x7800)) faults.push('another opcode');
  if (bit(reply, FLAG.RA) !== 0) faults.push('RA is set');
  if (bit(reply, 0x40) !== 0) faults.push('the reserved bit is set');
  if (transport !== 'udp' && bit(reply, FLAG.TC) !== 0) faults.push('TC on a stream');
  return faults;
}

/** What holds for every reply to a query in order. */
function generalFaults(row: ProtocolRow, query: Buffer, reply: Message): string[] {
  const faults: string[] = [];
  const records = [...reply.answers, ...reply.authorities];
  const seen = new Map<string, number>();
  const texts = records.map(formatRecord);
  if (new Set(texts).size < texts.length) faults.push('a record twice');
  for (const { name, type, class: recordClass, ttlSeconds } of records) {
    const key = `${formatName(name).toLowerCase()} ${type} ${recordClass}`;
    if ((seen.get(key) ?? ttlSeconds) !== ttlSeconds) faults.push(`two TTLs of ${key}`);
    seen.set(key, ttlSeconds);
  }
  if ((reply.edns?.version ?? 0) !== 0) faults.push('EDNS version above 0');
  if (row.query.startsWith('hex:')) return faults;
  const request = decodeIfSound(query);
  if (request === undefined) return faults;
  if ((reply.flags & FLAG.RD) !== (request.flags & FLAG.RD)) faults.push('RD is not copied');
  const isAnswer = reply.rcode === RCODE.NOERROR || reply.rcode === RCODE.NXDOMAIN;
  if (request.edns === undefined && reply.edns !== undefined) faults.push('EDNS, unasked');
  // Who says FORMERR may not have read so far.
  if (request.edns !== undefined && reply.edns === undefined && reply.rcode !== RCODE.FORMERR) faults.push('no EDNS');
  // What flags mean in another version is not known.
  const isSpoken = request.edns?.version === 0;
  if (isSpoken && reply.edns && reply.edns.dnssecOk !== request.edns!.dnssecOk) faults.push('DO is not copied');
  const [asked, echoed] = [request.questions[0], reply.questions[0]];
  if (isAnswer && asked !== undefined && echoed === undefined) faults.push('the question is not there');
  // Octet by octet, so letter case counts.
  if (asked && echoed && !Buffer.from(asked.name).equals(Buffer.from(echoed.name))) faults.push('another question');
  if (asked && echoed && (asked.type !== echoed.type || asked.class !== echoed.class)) faults.push('another question');
  return faults;
}

function decodeIfSound(query: Buffer): Message | undefined {
  try {
    return decodeMessage(query);
  } catch {
    return undefined;
  }
}

/** The most octets a UDP reply to this may have. */
export function udpLimit(query: Buffer): number {
  const size = decodeIfSound(query)?.edns?.udpSize;
  return size === undefined ? 512 : Math.min(1232, Math.max(512, size));
}

const AA_IS_OPEN = new Set(['FORMERR', 'NOTIMP', 'BADVERS', 'NOTAUTH']);

function isLike(reply: Message, expected: string): boolean {
  const [rcode, ...flags] = expected.split(' ');
  if (formatRcode(reply.rcode) !== rcode) return false;
  const isSet = (bit: number) => (reply.flags & bit) !== 0;
  if (isSet(FLAG.TC) !== flags.includes('tc')) return false;
  return AA_IS_OPEN.has(rcode!) || flags.includes('aa?') || isSet(FLAG.AA) === flags.includes('aa');
}

function summary(reply: Message): string {
  const flags = [
    ['aa', FLAG.AA],
    ['tc', FLAG.TC],
  ] as const;
  return [formatRcode(reply.rcode), ...flags.filter(([, bit]) => (reply.flags & bit) !== 0).map(([word]) => word)].join(
    ' ',
  );
}

function sectionFaults(row: ProtocolRow, reply: Message): string[] {
  const faults: string[] = [];
  for (const [section, wanted, got] of [
    ['answer', row.answer, reply.answers],
    ['authority', row.authority, reply.authorities],
  ] as const) {
    if (wanted !== undefined && asSet(got) !== asSet(recordsOf(wanted))) faults.push(`${section} is ${asSet(got)}`);
  }
  const have = new Set(reply.additionals.map(comparable));
  const missing = recordsOf(row.additional ?? '').filter((record) => !have.has(comparable(record)));
  if (missing.length > 0) faults.push(`not in the additional section: ${asSet(missing)}`);
  if (row.negative !== undefined) faults.push(...negativeFaults(parseName(row.negative), reply));
  return faults;
}

function negativeFaults(apex: ReturnType<typeof parseName>, { authorities }: Message): string[] {
  const [soa] = authorities;
  if (authorities.length !== 1 || soa?.type !== TYPE.SOA) return [`authority is ${asSet(authorities)}`];
  const faults: string[] = [];
  if (soa.name.length !== apex.length || !isWithin(soa.name, apex)) faults.push('the SOA of another zone');
  if (soa.ttlSeconds > soaMinimum(soa.rdata)) faults.push('the TTL of the SOA is above its MINIMUM');
  return faults;
}

function recordsOf(text: string): ResourceRecord[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => parseRecord(line));
}

function asSet(records: readonly ResourceRecord[]): string {
  return records.map(comparable).sort().join(' | ');
}

/** Letter case of names differs with the compression of each server. */
function comparable(record: ResourceRecord): string {
  return formatRecord(record).toLowerCase();
}

/** Checks for rows. */
export const CHECK = {
  /** So many answers. */
  answers: (count: number) => (reply: Message) =>
    reply.answers.length === count ? undefined : `${reply.answers.length} answers`,
  /** None of the options comes back. */
  noOption: (code: number) => (reply: Message) =>
    reply.edns?.options.some((each) => each.code === code) ? `option ${code} comes back` : undefined,
  /** A server cookie behind the client's. */
  cookie: (client: string) => (reply: Message) => {
    const option = reply.edns?.options.find(({ code }) => code === EDNS_OPTION.COOKIE);
    if (option === undefined) return 'no cookie';
    const hex = Buffer.from(option.data).toString('hex');
    return hex.startsWith(client) && hex.length >= 32 && hex.length <= 80 ? undefined : `cookie ${hex}`;
  },
  /** Whether octets stand anywhere in the reply: a name is spelled out there. */
  spells: (hex: string) => (_: Message, octets: Buffer) =>
    octets.includes(Buffer.from(hex.replaceAll(' ', ''), 'hex')) ? undefined : `${hex} is compressed`,
};
