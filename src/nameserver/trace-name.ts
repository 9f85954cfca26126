// trace-name.ts -- where a name leads and why, for people: the walk of solve.ts, told instead of answered

import { formatType, RCODE, TYPE } from '../dns/codes.ts';
import { foldedLabels, formatName, labelCount, type Name, nameKey } from '../dns/name.ts';
import { type DynamicNode, EMPTY_NON_TERMINAL } from './dynamic-node.ts';
import type { QueryDraw } from './query-draw.ts';
import { aliasAt, locate, MAX_ALIASES, type Standing, zoneFor } from './solve.ts';
import { MADE_UP } from './synthetic-zone.ts';
import type { ServedZone, View } from './view.ts';

/** What a name comes to. `answer`: there are records; `service`: as the instances of a service say. */
export type TraceResult = 'answer' | 'service' | 'nodata' | 'nxdomain' | 'referral' | 'refused' | 'alias-loop';

/** One alias that was followed. */
export interface TracedAlias {
  readonly name: string;
  readonly target: string;
  /** From a zone file, or made by a service whose instances all have one host name for an address. */
  readonly by: 'static' | 'service';
}

export interface Trace {
  readonly result: TraceResult;
  readonly rcode: number;
  readonly reason: string;
  /** Where the walk ended: the name asked for, or what its aliases lead to. */
  readonly owner: Name;
  /** The zone that answers there. */
  readonly served: ServedZone | undefined;
  readonly aliases: readonly TracedAlias[];
  /** Services behind the aliases and the end. */
  readonly services: readonly string[];
  /** The last service on the way that is an alias: all its instances have one host name for an address. */
  readonly aliasOf: { readonly service: string; readonly target: string } | undefined;
  /** What the registry has at the end, where it counts. */
  readonly dynamic: DynamicNode | undefined;
}

/** Follow a question of class IN through a View. Looks at nobody's turn. */
export function traceName(name: Name, type: number, view: View, draw: QueryDraw): Trace {
  const aliases: TracedAlias[] = [];
  const services = new Set<string>();
  const seen = new Set<string>();
  let owner = name;
  let aliasOf: Trace['aliasOf'];
  const end = (result: TraceResult, rcode: number, reason: string, dynamic?: DynamicNode): Trace => {
    return {
      result,
      rcode,
      reason,
      owner,
      served: zoneFor(owner, type, view),
      aliases,
      services: [...services],
      aliasOf,
      dynamic,
    };
  };
  for (let hops = 0; hops <= MAX_ALIASES; hops++) {
    seen.add(nameKey(owner));
    const served = zoneFor(owner, type, view);
    if (served === undefined) {
      if (hops === 0) return end('refused', RCODE.REFUSED, whyRefused(owner, view));
      return end('answer', RCODE.NOERROR, 'the alias leads out of the zones that are served here');
    }
    const { found, dynamic } = locate(owner, served);
    if (dynamic?.service !== undefined) services.add(dynamic.service);
    if (found.kind === 'missing') return end('nxdomain', RCODE.NXDOMAIN, whyMissing(owner, served));
    if (found.kind === 'delegation' && !(type === TYPE.DS && found.cut.name.length === owner.length)) {
      return end('referral', RCODE.NOERROR, `the zone file delegates ${formatName(found.cut.name)} to other servers`);
    }
    const node = found.kind === 'node' ? found.node : found.kind === 'delegation' ? found.cut : undefined;
    const standing: Standing = { node, dynamic: found.kind === 'delegation' ? undefined : dynamic };
    const alias = aliasAt(owner, standing, { draw });
    const by = node?.sets.has(TYPE.CNAME) === true ? 'static' : 'service';
    if (alias !== undefined && by === 'service') {
      aliasOf = { service: dynamic!.service!, target: formatName(alias.rdatas[0] as Name) };
    }
    if (alias === undefined || type === TYPE.CNAME || type === TYPE.ANY) {
      const isWildcard = found.kind === 'node' && found.wildcard;
      const stood = alias === undefined ? whatStands(type, standing, served, isWildcard) : ANSWERED_ALIAS;
      return end(stood.result, RCODE.NOERROR, stood.reason, stood.result === 'service' ? dynamic : undefined);
    }
    const target = alias.rdatas[0] as Name;
    aliases.push({ name: formatName(owner), target: formatName(target), by });
    if (seen.has(nameKey(target))) break;
    owner = target;
  }
  return end('alias-loop', RCODE.NOERROR, `the aliases go round, or there are more than ${MAX_ALIASES}`);
}

/** The service that a name would belong to, by its labels alone; `addr`, which is none, for those of addresses. */
export function meantService(name: Name, served: ServedZone | undefined): string | undefined {
  if (served?.domain === undefined) return undefined;
  const below = labelsBelow(name, served);
  const last = below.at(-1);
  if (last === undefined) return undefined;
  return last.startsWith('_') ? below[0]!.replace(/^_/, '') : last;
}

function labelsBelow(name: Name, served: ServedZone): string[] {
  const labels = foldedLabels(name);
  return labels.slice(0, labels.length - labelCount(served.zone.apex));
}

const ANSWERED_ALIAS = { result: 'answer', reason: 'the name is an alias' } as const;

function whatStands(
  type: number,
  { node, dynamic }: Standing,
  served: ServedZone,
  isWildcard: boolean,
): { result: TraceResult; reason: string } {
  const from = isWildcard ? 'a wildcard of the zone file' : served.zone.file === MADE_UP ? 'the zone' : 'the zone file';
  if (node?.sets.has(type)) {
    const hides = dynamic?.pool?.sets(type) === undefined ? '' : `; it hides those of service '${dynamic.service}'`;
    return { result: 'answer', reason: `${from} has ${formatType(type)} records here${hides}` };
  }
  if (type === TYPE.ANY) {
    const isEmpty = !node?.sets.size && (dynamic === undefined || dynamic === EMPTY_NON_TERMINAL);
    if (!isEmpty) return { result: 'answer', reason: 'ANY is answered with HINFO (RFC 8482)' };
  }
  if (dynamic?.address !== undefined) {
    if (dynamic.address.type === type) return { result: 'answer', reason: 'an instance has this address' };
    return { result: 'nodata', reason: `the address is one for ${formatType(dynamic.address.type)}` };
  }
  const fixed = dynamic?.fixed?.recordsOf(type);
  if (fixed !== undefined) {
    const { length } = fixed.rdatas;
    const what = `${dynamic!.fixed!.about}: ${length} ${length === 1 ? 'record' : 'records'}`;
    return length > 0
      ? { result: 'answer', reason: what }
      : { result: 'nodata', reason: `${dynamic!.fixed!.about}, of which none is answerable` };
  }
  if (dynamic?.pool !== undefined) {
    if (dynamic.pool.sets(type) !== undefined) return { result: 'service', reason: '' };
    return { result: 'nodata', reason: `the name has no ${formatType(type)} records, whatever the instances` };
  }
  if (dynamic?.fixed !== undefined) {
    return { result: 'nodata', reason: `${dynamic.fixed.about}, which has no ${formatType(type)} records` };
  }
  if (node !== undefined && node.sets.size > 0) {
    return { result: 'nodata', reason: `${from} has other records here, but no ${formatType(type)}` };
  }
  return { result: 'nodata', reason: 'only names below this one exist' };
}

function whyRefused(owner: Name, view: View): string {
  const why = 'the name is in none of the zones that are served here';
  const domain = view.zones.find((served) => served.domain !== undefined);
  if (labelCount(owner) !== 1 || domain === undefined) return why;
  return `${why}; names of services end in a domain, like ${formatName(domain.zone.apex)}`;
}

function whyMissing(owner: Name, served: ServedZone): string {
  if (served.reverse !== undefined) return 'no instance has this address, or one below this name';
  const below = labelsBelow(owner, served);
  const last = below.at(-1);
  if (last === '_tcp' || last === '_udp') {
    return below.length > 2
      ? 'no instance of this name, in any status, has a port of this name'
      : 'no service of this name is known, and no instance, in any status, has a port of this name';
  }
  const service = meantService(owner, served);
  if (service === undefined) return 'there is no such name';
  if (service === 'addr') return 'no instance has this address';
  if (served.domain?.knows(service) !== true)
    return `no service '${service}' is known: it has no instance and no policy`;
  return `service '${service}' has no such name: no instance, in any status, has all these tags or this port`;
}
