// zone.ts -- a static zone as an immutable tree of names
//
// The tree has a node for every name that exists: those with records and the empty non-terminals above them (RFC 4592
// section 2.2.2). Existence of a name is therefore existence of a node, which is what the wildcard rules are about.

import { TYPE } from '../dns/codes.ts';
import { foldedLabels, labelCount, type Name } from '../dns/name.ts';
import type { RRset } from '../dns/rrset.ts';

/** A name that exists. An empty non-terminal has no sets. */
export interface ZoneNode {
  readonly name: Name;
  /** By type. */
  readonly sets: ReadonlyMap<number, RRset>;
  /** By label, folded to lower case (`foldedLabels`). */
  readonly children: ReadonlyMap<string, ZoneNode>;
}

/** The records of one zone; what is below a zone cut is glue or never answered. */
export interface Zone {
  readonly apex: Name;
  /** The apex's node. */
  readonly root: ZoneNode;
  /** Exactly one record. */
  readonly soa: RRset;
  /** The master file it came from, as the operator would name it. */
  readonly file: string;
}

/** Is the node, which is not the apex, where authority ends (RFC 1034 section 4.2)? */
export function isCut(zone: Zone, node: ZoneNode): boolean {
  return node !== zone.root && node.sets.has(TYPE.NS);
}

/**
 * The labels of a name that stand in front of the apex, from the apex downwards: the way through the tree. The name must
 * be in the zone.
 */
export function labelsBelowApex(zone: Zone, name: Name): string[] {
  const labels = foldedLabels(name);
  labels.length -= labelCount(zone.apex);
  return labels.reverse();
}

/** Every node, parents first, in canonical order (RFC 4034 section 6.1). */
export function* nodesOf(zone: Zone): Generator<ZoneNode> {
  const waiting = [zone.root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node;
    const labels = [...node.children.keys()].sort((a, b) => (a < b ? 1 : -1));
    for (const label of labels) waiting.push(node.children.get(label)!);
  }
}
