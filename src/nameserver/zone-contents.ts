// zone-contents.ts -- a whole zone as record sets: what its file says, and what the registry had at one moment
//
// Whoever gets a zone whole answers from it by himself, without knowing clients, loads or limits: he is told of every
// answerable instance of the general pool, as it would be for a client that no route concerns.

import { isPause } from '../base/pauses.ts';
import { TYPE } from '../dns/codes.ts';
import { type Name, prependLabels } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import { nodesOf } from '../zone/zone.ts';
import type { DynamicNode } from './dynamic-node.ts';
import { namesOfDomain, namesOfReverseZone } from './listed-names.ts';
import type { QueryDraw } from './query-draw.ts';
import type { RegistrySnapshot } from './registry-snapshot.ts';
import { aliasAt, locate } from './solve.ts';
import type { ServedZone } from './view.ts';

/** What the registry has records of. */
const DYNAMIC_TYPES = [TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT, TYPE.HTTPS, TYPE.SVCB, TYPE.PTR];
/** The branch of clients without a route or a home. */
const GENERAL_BRANCH = 0;

/** Every set but the SOA; undefined stands for a pause. `draw` is of no query. */
export function* zoneContents(
  served: ServedZone,
  snapshot: RegistrySnapshot,
  draw: QueryDraw,
): Generator<RRset | undefined, void> {
  for (const node of nodesOf(served.zone)) {
    for (const set of node.sets.values()) if (set.type !== TYPE.SOA) yield set;
  }
  const { domain, reverse, zone } = served;
  if (domain === undefined && reverse === undefined) return;
  for (const _ of snapshot.prepare()) yield undefined;
  const frozen = { ...served, domain: domain?.over(snapshot), ...(reverse && { reverse: reverse.over(snapshot) }) };
  const names = domain === undefined ? namesOfReverseZone(zone.apex, snapshot) : namesOfDomain(snapshot);
  let done = 0;
  for (const labels of names) {
    if (isPause(done++)) yield undefined;
    yield* setsAt(prependLabels(labels, zone.apex), frozen, draw);
  }
}

/** What the registry has at a name, as far as static records do not stand in its way (contract section 2). */
function* setsAt(owner: Name, served: ServedZone, draw: QueryDraw): Generator<RRset> {
  const { found, dynamic } = locate(owner, served);
  if (dynamic === undefined || found.kind === 'delegation' || found.kind === 'missing') return;
  const node = found.kind === 'node' ? found.node : undefined;
  if (node?.sets.has(TYPE.CNAME)) return;
  const alias = aliasAt(owner, { node, dynamic }, { draw });
  if (alias !== undefined) {
    yield alias;
    return;
  }
  for (const type of DYNAMIC_TYPES) {
    const set = node?.sets.has(type) ? undefined : wholeSet(dynamic, type, owner, draw);
    if (set !== undefined) yield set;
  }
}

function wholeSet(node: DynamicNode, type: number, owner: Name, draw: QueryDraw): RRset | undefined {
  const prepared = node.pool?.sets(type)?.at(GENERAL_BRANCH);
  if (prepared === undefined) return node.rrset(type, owner, draw);
  const { rdatas, ttlSeconds } = prepared;
  return rdatas.length === 0 ? undefined : rrset(owner, type, ttlSeconds, rdatas);
}
