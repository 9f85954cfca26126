// solve.ts -- from a question to an Answer: RFC 1034 section 4.3.2 over static and dynamic names
//
//   zone of the name -> static node, wildcard, delegation or dynamic node -> records | alias (again) | NODATA | NXDOMAIN
//
// A static RRset hides the dynamic one of its type; a static CNAME or a zone cut hides everything (contract section 2).

import { RCODE, TYPE } from '../dns/codes.ts';
import { foldedLabels, labelCount, type Name, nameKey, parentName } from '../dns/name.ts';
import { type RRset, rrset, withOwner } from '../dns/rrset.ts';
import { type Found, findNode, glueOf } from '../zone/lookup.ts';
import type { ZoneNode } from '../zone/zone.ts';
import { addAdditional } from './additional.ts';
import { type Answer, emptyAnswer } from './answer.ts';
import { type DynamicNode, EMPTY_NON_TERMINAL } from './dynamic-node.ts';
import type { QueryDraw } from './query-draw.ts';
import { currentSoa, negativeSoa, type ServedZone, type View, type ViewState } from './view.ts';

/** Aliases followed in one answer; the client goes on from there (NSD and Knot have bounds like it). */
export const MAX_ALIASES = 16;
/** RFC 8482 section 4.2: an answer to ANY that tells the asker to stop. */
const ANY_HINFO_TTL_SECONDS = 3600;
const ANY_HINFO = Buffer.from('\x07RFC8482\x00', 'latin1');

/** What solving draws on. */
export interface SolveContext {
  readonly view: View;
  readonly state: ViewState;
  readonly draw: QueryDraw;
}

/** Answer a question of class IN; undefined when the name is outside every zone. */
export function solve(name: Name, type: number, context: SolveContext): Answer | undefined {
  const first = zoneFor(name, type, context.view);
  if (first === undefined) return undefined;
  const answer = emptyAnswer();
  const seen = new Set<string>();
  let owner = name;
  let served: ServedZone | undefined = first;
  for (let hops = 0; served !== undefined && hops <= MAX_ALIASES; hops++) {
    seen.add(nameKey(owner));
    const target = solveName(owner, type, served, answer, context);
    if (target === undefined || seen.has(nameKey(target))) break;
    owner = target;
    served = zoneFor(owner, type, context.view);
  }
  addAdditional(answer, (each, types) => setsAt(each, types, context));
  return answer;
}

/** The zone that answers: the nearest, but for DS at its apex the one above, if that delegates it (RFC 4035 3.1.4.1). */
export function zoneFor(name: Name, type: number, view: View): ServedZone | undefined {
  const served = view.zoneOf(name);
  if (type !== TYPE.DS || served === undefined || served.zone.apex.length !== name.length) return served;
  const above = view.zoneOf(parentName(name));
  if (above === undefined || above === served) return served;
  const found = findNode(above.zone, name, () => false);
  return found.kind === 'delegation' && found.cut.name.length === name.length ? above : served;
}

/** One round: adds what there is at `owner`; returns the target when that is an alias. */
function solveName(
  owner: Name,
  type: number,
  served: ServedZone,
  answer: Answer,
  context: SolveContext,
): Name | undefined {
  const { found, dynamic } = locate(owner, served);
  switch (found.kind) {
    case 'delegation':
      // DS lives on the parent's side of a cut (RFC 4035 section 3.1.4.1).
      if (type === TYPE.DS && found.cut.name.length === owner.length) {
        return answerNode(owner, type, { node: found.cut, dynamic: undefined }, served, answer, context);
      }
      refer(found.cut, served, answer);
      return undefined;
    case 'node': {
      const node = found.node;
      if (found.wildcard) answer.isMadeUp = true;
      return answerNode(owner, type, { node, dynamic }, served, answer, context);
    }
    case 'grafted':
      return answerNode(owner, type, { node: undefined, dynamic }, served, answer, context);
    case 'missing':
      answer.rcode = RCODE.NXDOMAIN;
      answer.authority.push(negativeSoa(served, context.state));
      return undefined;
  }
}

/** Where a name leads statically, and what the registry has at that very name. */
export function locate(name: Name, served: ServedZone): { found: Found; dynamic: DynamicNode | undefined } {
  const dynamic = findDynamic(name, served);
  const exists = (each: Name): boolean =>
    (each.length === name.length ? dynamic : findDynamic(each, served)) !== undefined;
  return { found: findNode(served.zone, name, exists), dynamic };
}

function findDynamic(name: Name, served: ServedZone): DynamicNode | undefined {
  const { zone } = served;
  const names = served.domain ?? served.reverse;
  if (names === undefined) return undefined;
  const labels = foldedLabels(name);
  return names.find(labels.slice(0, labels.length - labelCount(zone.apex)));
}

/** What stands at one name: static records, dynamic ones, or both. */
export interface Standing {
  readonly node: ZoneNode | undefined;
  readonly dynamic: DynamicNode | undefined;
}

function answerNode(
  owner: Name,
  type: number,
  standing: Standing,
  served: ServedZone,
  answer: Answer,
  context: SolveContext,
): Name | undefined {
  const alias = aliasAt(owner, standing, context);
  if (alias !== undefined && type !== TYPE.CNAME) {
    answer.answer.push(alias);
    return type === TYPE.ANY ? undefined : (alias.rdatas[0] as Name);
  }
  const set = type === TYPE.CNAME ? alias : recordsAt(owner, type, standing, served, context);
  // Static records that hide the service's are none of its answers.
  if (!standing.node?.sets.has(type)) answer.service ??= standing.dynamic?.service;
  if (set !== undefined) answer.answer.push(set);
  else answer.authority.push(negativeSoa(served, context.state));
  return undefined;
}

/** The alias at a name, from a zone file or of a service; undefined: there is none. Draws nothing. */
export function aliasAt(
  owner: Name,
  { node, dynamic }: Standing,
  context: Pick<SolveContext, 'draw'>,
): RRset | undefined {
  const own = node?.sets.get(TYPE.CNAME);
  if (own !== undefined) return withOwner(own, owner);
  // An alias tolerates nothing beside it (RFC 1034 section 3.6.2), so static records win over a dynamic one.
  return node !== undefined && node.sets.size > 0 ? undefined : dynamic?.rrset(TYPE.CNAME, owner, context.draw);
}

function recordsAt(
  owner: Name,
  type: number,
  { node, dynamic }: Standing,
  served: ServedZone,
  context: SolveContext,
): RRset | undefined {
  if (type === TYPE.ANY) {
    const isEmpty = !node?.sets.size && (dynamic === undefined || dynamic === EMPTY_NON_TERMINAL);
    return isEmpty ? undefined : rrset(owner, TYPE.HINFO, ANY_HINFO_TTL_SECONDS, [ANY_HINFO]);
  }
  if (type === TYPE.SOA && node === served.zone.root) return currentSoa(served, context.state);
  const own = node?.sets.get(type);
  return own === undefined ? dynamic?.rrset(type, owner, context.draw) : withOwner(own, owner);
}

/** A referral (RFC 1034 section 4.3.2 step 3b): the cut's NS, and the addresses of those of them below our apex. */
function refer(cut: ZoneNode, served: ServedZone, answer: Answer): void {
  const servers = cut.sets.get(TYPE.NS)!;
  // AA speaks for the first owner name in the answer, so after an alias of ours it stays (RFC 6604 section 2.1).
  if (answer.answer.length === 0) answer.authoritative = false;
  answer.authority.push(servers);
  for (const server of servers.rdatas) answer.additional.push(...glueOf(served.zone, server as Name));
  answer.glueCount = answer.additional.length;
}

/** The records of some types at a name, as far as they are ours to know. */
function setsAt(name: Name, types: readonly number[], context: SolveContext): RRset[] {
  const served = context.view.zoneOf(name);
  if (served === undefined) return [];
  const { found, dynamic } = locate(name, served);
  if (found.kind === 'missing') return [];
  if (found.kind === 'delegation') return types.includes(TYPE.A) ? glueOf(served.zone, name) : [];
  const node = found.kind === 'node' ? found.node : undefined;
  const standing = { node, dynamic };
  return types.flatMap((type) => recordsAt(name, type, standing, served, context) ?? []);
}
