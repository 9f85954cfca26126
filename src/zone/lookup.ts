// lookup.ts -- where a name leads in a zone (RFC 1034 section 4.3.2, RFC 4592)
//
// Names that come and go with registrations hang below the same apex, but not in this tree: every combination of a
// service's tags is a name, in any order, so they cannot be listed. What the algorithm has to know of them is only
// whether they exist, since an existing name is its own closest encloser and shuts out wildcards above it (RFC 4592
// section 3.3.1). So the caller passes that as a question, `exists`, and this file never sees a dynamic record.

import { TYPE } from '../dns/codes.ts';
import { isWithin, type Name, stripLabels } from '../dns/name.ts';
import type { RRset } from '../dns/rrset.ts';
import { isCut, labelsBelowApex, type Zone, type ZoneNode } from './zone.ts';

/** What a walk down the tree ends at. */
export type Found =
  /** A zone cut on the way to the name, or at it: refer, or answer DS at `cut` itself. */
  | { readonly kind: 'delegation'; readonly cut: ZoneNode }
  /** The name's own node; with no sets, an empty non-terminal. */
  | { readonly kind: 'node'; readonly node: ZoneNode; readonly wildcard: false }
  /** The source of synthesis (RFC 4592 section 3.3.1); the owner of its records is the name that was asked. */
  | { readonly kind: 'node'; readonly node: ZoneNode; readonly wildcard: true }
  /** Not in the tree, but `exists` says that it is there: a dynamic name, or one with dynamic names below it. */
  | { readonly kind: 'grafted' }
  /** No such name, and no wildcard for it. */
  | { readonly kind: 'missing'; readonly closestEncloser: Name };

/**
 * Walk from the apex to `name`, which must be in the zone. `exists` tells whether a name exists dynamically; when it
 * does, so must all names between it and the apex (they are empty non-terminals at least). It is asked about each name
 * from the end of the static tree downwards until one does not exist: once, for a name that nobody has heard of.
 */
export function findNode(zone: Zone, name: Name, exists: (name: Name) => boolean): Found {
  const labels = labelsBelowApex(zone, name);
  let node = zone.root;
  let depth = 0;
  while (depth < labels.length) {
    const child = node.children.get(labels[depth]!);
    if (child === undefined) break;
    node = child;
    depth++;
    // Below a cut nothing is ours, neither static nor dynamic.
    if (isCut(zone, node)) return { kind: 'delegation', cut: node };
  }
  if (depth === labels.length) return { kind: 'node', node, wildcard: false };

  const staticDepth = depth;
  while (depth < labels.length && exists(stripLabels(name, labels.length - depth - 1))) depth++;
  if (depth === labels.length) return { kind: 'grafted' };
  // A closest encloser that exists only dynamically has no static wildcard below it.
  const wildcard = depth === staticDepth ? node.children.get('*') : undefined;
  if (wildcard !== undefined) return { kind: 'node', node: wildcard, wildcard: true };
  return { kind: 'missing', closestEncloser: stripLabels(name, labels.length - depth) };
}

/** The node of exactly this name, below zone cuts too; undefined when there is none or it is outside the zone. */
export function nodeAt(zone: Zone, name: Name): ZoneNode | undefined {
  if (!isWithin(name, zone.apex)) return undefined;
  let node: ZoneNode | undefined = zone.root;
  for (const label of labelsBelowApex(zone, name)) {
    node = node.children.get(label);
    if (node === undefined) return undefined;
  }
  return node;
}

/** The A and AAAA sets stored at a name, below zone cuts too: glue for referrals (RFC 1034 section 4.2.1). */
export function glueOf(zone: Zone, name: Name): RRset[] {
  const sets = nodeAt(zone, name)?.sets;
  return [sets?.get(TYPE.A), sets?.get(TYPE.AAAA)].filter((set) => set !== undefined);
}
