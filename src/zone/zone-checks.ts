// zone-checks.ts -- what makes a zone wrong as a whole, or doubtful
//
// What named-checkzone refuses to load is an error here, and what it loads with a complaint is a warning. A target that
// seems to have no address is only a warning, too, because the name may be a registered service's.

import type { Problem } from '../base/errors.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import { formatName, isWildcard, isWithin, type Name, ROOT } from '../dns/name.ts';
import type { RRset } from '../dns/rrset.ts';
import { findNode, glueOf } from './lookup.ts';
import type { LocatedRecord } from './master-file.ts';
import { isCut, type Zone, type ZoneNode } from './zone.ts';

/** The records of every set, in the order of its RDATA: where to point at. */
export type RecordsOfSet = ReadonlyMap<RRset, readonly LocatedRecord[]>;

/** Look through a whole zone. */
export function checkZone(zone: Zone, recordsOfSet: RecordsOfSet): Problem[] {
  const check: Check = { zone, recordsOfSet, problems: [] };
  const extraSoa = recordsOfSet.get(zone.soa)![1];
  if (extraSoa !== undefined) report(check, extraSoa, 'error', 'a zone has exactly one SOA record');
  if (!zone.root.sets.has(TYPE.NS)) {
    const soa = recordsOfSet.get(zone.soa)![0]!;
    report(check, soa, 'error', `no NS record at the apex ${formatName(zone.apex)}`);
  }
  checkNode(check, zone.root, undefined);
  return check.problems;
}

/** A problem with a record. */
export function problemAt(record: LocatedRecord, severity: Problem['severity'], message: string): Problem {
  return { file: record.file, line: record.line, column: record.column, message, severity };
}

interface Check {
  readonly zone: Zone;
  readonly recordsOfSet: RecordsOfSet;
  readonly problems: Problem[];
}

function report(check: Check, record: LocatedRecord, severity: Problem['severity'], message: string): void {
  check.problems.push(problemAt(record, severity, message));
}

/** `cut` is the zone cut above the node, if any. Recursion is bounded by the 127 labels of a name. */
function checkNode(check: Check, node: ZoneNode, cut: ZoneNode | undefined): void {
  checkCname(check, node);
  const isAtCut = isCut(check.zone, node);
  if (cut !== undefined) warnHidden(check, node, GLUE, `below the zone cut ${formatName(cut.name)}`);
  else if (isAtCut) warnHidden(check, node, AT_CUT, 'at a zone cut');
  if (cut === undefined) {
    const ns = node.sets.get(TYPE.NS);
    if (ns !== undefined && isWildcard(node.name)) {
      // RFC 4592 section 4.2 leaves it without meaning.
      report(check, firstRecord(check, ns), 'error', 'a wildcard cannot own NS records');
    }
    for (const [type, targetAt] of TARGETS) checkTargets(check, node, type, targetAt);
  }
  for (const child of node.children.values()) checkNode(check, child, cut ?? (isAtCut ? node : undefined));
}

/** What may stand beside a CNAME (RFC 2181 section 10.1, RFC 4034 section 2.5). */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

function checkCname(check: Check, node: ZoneNode): void {
  const cname = node.sets.get(TYPE.CNAME);
  if (cname === undefined) return;
  const second = check.recordsOfSet.get(cname)![1];
  const owner = formatName(node.name);
  if (second !== undefined) report(check, second, 'error', `${owner} has more than one CNAME`);
  const others = [...node.sets.values()].filter((set) => !BESIDE_CNAME.has(set.type));
  if (others.length === 0) return;
  const types = others.map((set) => formatType(set.type)).join(', ');
  report(check, firstRecord(check, cname), 'error', `${owner} has a CNAME and other data (${types})`);
}

const GLUE: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA]);
const AT_CUT: ReadonlySet<number> = new Set([...GLUE, TYPE.NS, TYPE.DS, TYPE.RRSIG, TYPE.NSEC]);

function warnHidden(check: Check, node: ZoneNode, seen: ReadonlySet<number>, where: string): void {
  for (const set of node.sets.values()) {
    if (seen.has(set.type)) continue;
    const what = `${formatType(set.type)} record of ${formatName(node.name)}`;
    report(check, firstRecord(check, set), 'warning', `${what} is ${where} and is never answered`);
  }
}

/** Types that name a host, and how many octets of their RDATA stand in front of that name. */
const TARGETS: readonly (readonly [number, number])[] = [
  [TYPE.NS, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
];

function checkTargets(check: Check, node: ZoneNode, type: number, targetAt: number): void {
  const set = node.sets.get(type);
  if (set === undefined) return;
  // Without its own servers a zone cannot be reached at all, so these are held to more.
  const severity = type === TYPE.NS && node === check.zone.root ? 'error' : 'warning';
  for (const [i, rdata] of set.rdatas.entries()) {
    const target = rdata.subarray(targetAt) as Name;
    const trouble = targetTrouble(check.zone, target, type);
    if (trouble === undefined) continue;
    const record = check.recordsOfSet.get(set)![i]!;
    report(check, record, severity, `${formatType(type)} target ${formatName(target)} ${trouble}`);
  }
}

/** What is wrong with a target; names outside the zone are not ours to judge. */
function targetTrouble(zone: Zone, target: Name, type: number): string | undefined {
  // As a target the root means "none" (RFC 2782, RFC 7505).
  if (target.length === ROOT.length || !isWithin(target, zone.apex)) return undefined;
  const found = findNode(zone, target, () => false);
  if (found.kind === 'delegation') {
    if (type !== TYPE.NS || glueOf(zone, target).length > 0) return undefined;
    return 'is below a zone cut and has no glue (A or AAAA)';
  }
  const sets = found.kind === 'node' ? found.node.sets : undefined;
  if (sets?.has(TYPE.CNAME)) return 'is a CNAME (RFC 2181 section 10.3)';
  return sets?.has(TYPE.A) || sets?.has(TYPE.AAAA) ? undefined : 'has no address (A or AAAA) in the zone';
}

function firstRecord(check: Check, set: RRset): LocatedRecord {
  return check.recordsOfSet.get(set)![0]!;
}
