// additional.ts -- what goes along with an answer: the records that the asker will want next

import { TYPE } from '../dns/codes.ts';
import { foldedLabels, isWithin, type Name, nameKey, parentName } from '../dns/name.ts';
import { srvTarget } from '../dns/rdata/locating.ts';
import type { RRset } from '../dns/rrset.ts';
import type { Answer } from './answer.ts';
import { bindingTarget } from './service-binding.ts';

/** The records of some types at a name, in the order of the types, as far as they are ours to know. */
export type Lookup = (name: Name, types: readonly number[]) => RRset[];

/** What goes along with a longer list of DNS-SD instances costs much time, and finds no room over UDP. */
const MAX_INSTANCES = 16;
const ADDRESSES = [TYPE.A, TYPE.AAAA];
const INSTANCE_TYPES = [TYPE.SRV, TYPE.TXT];

/** Add what goes along with the records that are answered. */
export function addAdditional(answer: Answer, lookup: Lookup): void {
  const done = new Set<string>();
  const add = (name: Name, types: readonly number[]): RRset[] => {
    const key = `${types[0]} ${nameKey(name)}`;
    if (done.has(key)) return [];
    done.add(key);
    const sets = lookup(name, types);
    answer.additional.push(...sets);
    return sets;
  };
  const addTargets = (set: RRset): void => {
    for (const rdata of set.rdatas) {
      const target = targetOf(set, rdata);
      if (target === undefined) continue;
      // Where a binding leads, there may be another one (RFC 9460 section 4.1).
      add(target, isBinding(set.type) && target !== set.name ? [set.type, ...ADDRESSES] : ADDRESSES);
    }
  };
  for (const set of [...answer.answer]) {
    if (set.type !== TYPE.PTR) addTargets(set);
    else for (const instance of instancesOf(set)) add(instance, INSTANCE_TYPES).forEach(addTargets);
  }
}

/** The name that a record of NS, MX, SRV, SVCB or HTTPS points to. */
function targetOf({ type, name }: RRset, rdata: Uint8Array): Name | undefined {
  if (type === TYPE.NS) return rdata as Name;
  if (type === TYPE.MX) return rdata.subarray(2) as Name;
  if (type === TYPE.SRV) return srvTarget(rdata);
  if (!isBinding(type)) return undefined;
  const target = bindingTarget(rdata);
  return target.length === 1 ? name : target;
}

function isBinding(type: number): boolean {
  return type === TYPE.SVCB || type === TYPE.HTTPS;
}

/** The instances that `_http._tcp.D`, or a subtype of it, points to (RFC 6763 section 12.1). */
function instancesOf({ name, rdatas }: RRset): readonly Name[] {
  if (rdatas.length > MAX_INSTANCES) return [];
  const [first, second] = foldedLabels(name);
  const isSubtype = second === '_sub';
  if (!first?.startsWith('_') || (!isSubtype && second !== '_tcp' && second !== '_udp')) return [];
  const type = isSubtype ? parentName(parentName(name)) : name;
  return (rdatas as readonly Name[]).filter((each) => each.length > type.length && isWithin(parentName(each), type));
}
