// build-zone.ts -- records into a checked zone

import type { Problem } from '../base/errors.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import { foldedLabels, formatName, isWithin, labelCount, type Name, nameKey, stripLabels } from '../dns/name.ts';
import type { RRset } from '../dns/rrset.ts';
import type { LocatedRecord } from './master-file.ts';
import type { Zone, ZoneNode } from './zone.ts';
import { checkZone, problemAt } from './zone-checks.ts';

/** The zone, unless one of the problems is an error. */
export interface BuiltZone {
  readonly zone?: Zone;
  readonly problems: readonly Problem[];
}

/**
 * Make a zone of all records of a master file; the owner of the first SOA is the apex. Repeated records are dropped and
 * a set takes the least TTL stated in it (RFC 2181 sections 5 and 5.2), both with a warning.
 */
export function buildZone(records: readonly LocatedRecord[], file: string): BuiltZone {
  const firstSoa = records.find((record) => record.type === TYPE.SOA);
  if (firstSoa === undefined) {
    return { problems: [{ file, line: 0, column: 0, message: 'no SOA record', severity: 'error' }] };
  }
  const problems: Problem[] = [];
  const apex = firstSoa.name;
  const root = draftNode(apex);
  for (const record of records) {
    const { name, type } = record;
    if (!isWithin(name, apex)) {
      problems.push(problemAt(record, 'error', `${formatName(name)} is outside the zone ${formatName(apex)}`));
    } else if (type === TYPE.SOA && name.length !== apex.length) {
      problems.push(problemAt(record, 'error', `SOA at ${formatName(name)}, below the apex ${formatName(apex)}`));
    } else {
      addRecord(nodeFor(root, name, labelCount(apex)), record, problems);
    }
  }
  const recordsOfSet = new Map<RRset, readonly LocatedRecord[]>();
  const rootNode = finish(root, recordsOfSet);
  const zone: Zone = { apex, root: rootNode, soa: rootNode.sets.get(TYPE.SOA)!, file };
  problems.push(...checkZone(zone, recordsOfSet));
  return problems.some(({ severity }) => severity === 'error') ? { problems } : { zone, problems };
}

interface DraftNode {
  readonly name: Name;
  readonly sets: Map<number, DraftSet>;
  readonly children: Map<string, DraftNode>;
}

interface DraftSet {
  readonly records: LocatedRecord[];
  /** What is there already, one key per RDATA. */
  readonly keys: Set<string>;
}

function draftNode(name: Name): DraftNode {
  return { name, sets: new Map(), children: new Map() };
}

function nodeFor(root: DraftNode, name: Name, apexLabels: number): DraftNode {
  const labels = foldedLabels(name);
  let node = root;
  for (let i = labels.length - apexLabels - 1; i >= 0; i--) {
    let child = node.children.get(labels[i]!);
    if (child === undefined) {
      child = draftNode(stripLabels(name, i));
      node.children.set(labels[i]!, child);
    }
    node = child;
  }
  return node;
}

function addRecord(node: DraftNode, record: LocatedRecord, problems: Problem[]): void {
  const { type, ttlSeconds } = record;
  let set = node.sets.get(type);
  if (set === undefined) {
    set = { records: [], keys: new Set() };
    node.sets.set(type, set);
  }
  const key = rdataKey(type, record.rdata);
  if (set.keys.has(key)) {
    problems.push(problemAt(record, 'warning', `repeated ${describe(record)} is dropped`));
    return;
  }
  const first = set.records[0];
  // The TTL of an RRSIG is that of the set it covers, so these differ rightly (RFC 4034 section 3).
  if (first !== undefined && first.ttlSeconds !== ttlSeconds && type !== TYPE.RRSIG) {
    const ttls = `TTL ${ttlSeconds} of this ${describe(record)} differs from ${first.ttlSeconds} in line ${first.line}`;
    problems.push(problemAt(record, 'warning', `${ttls}; the least is used`));
  }
  set.keys.add(key);
  set.records.push(record);
}

function describe(record: LocatedRecord): string {
  return `${formatType(record.type)} record of ${formatName(record.name)}`;
}

/** How many octets stand in front of the name that ends the RDATA. */
const NAME_AT = new Map<number, number>([
  [TYPE.NS, 0],
  [TYPE.CNAME, 0],
  [TYPE.PTR, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
]);

/** Equal exactly for equal RDATA; names in it compare without case (RFC 4034 section 6.2). */
function rdataKey(type: number, rdata: Uint8Array): string {
  const nameAt = NAME_AT.get(type) ?? rdata.length;
  const front = Buffer.from(rdata.subarray(0, nameAt)).toString('latin1');
  return front + nameKey(rdata.subarray(nameAt) as Name);
}

const NO_SETS: ReadonlyMap<number, RRset> = new Map();
const NO_CHILDREN: ReadonlyMap<string, ZoneNode> = new Map();

/** Recursion is bounded by the 127 labels of a name. */
function finish(draft: DraftNode, recordsOfSet: Map<RRset, readonly LocatedRecord[]>): ZoneNode {
  const sets = new Map<number, RRset>();
  for (const [type, { records }] of draft.sets) {
    const { name, class: recordClass } = records[0]!;
    const ttlSeconds = records.reduce((least, record) => Math.min(least, record.ttlSeconds), Number.MAX_SAFE_INTEGER);
    const set: RRset = { name, type, class: recordClass, ttlSeconds, rdatas: records.map(({ rdata }) => rdata) };
    sets.set(type, set);
    recordsOfSet.set(set, records);
  }
  const children = new Map<string, ZoneNode>();
  for (const [label, child] of draft.children) children.set(label, finish(child, recordsOfSet));
  return {
    name: draft.name,
    sets: sets.size > 0 ? sets : NO_SETS,
    children: children.size > 0 ? children : NO_CHILDREN,
  };
}
