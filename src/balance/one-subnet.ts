// one-subnet.ts -- answers whose addresses are all of one subnet, so that clients that sort by address have no choice
//
// glibc and others prefer addresses with more leading bits like their own (RFC 6724 section 5, rule 9): in a mixed answer
// the nearest subnet always wins. So the strategy picks the first address, and only its neighbours follow.

import {
  type Candidate,
  type DrawState,
  type Plan,
  type PlanPurpose,
  placesOf,
  purposeOfPart,
  type Strategy,
} from './plan.ts';

/** Leading bits that make a subnet: /24 and /64. */
const SUBNET_OCTETS: Readonly<Record<number, number>> = { 4: 3, 16: 8 };

/**
 * The same strategy, one subnet to an answer. `chooser` picks the first address and with it the subnet: it must be one
 * that always leads a client to the same subnet where its answers should not change.
 */
export function oneSubnet(strategy: Strategy, chooser: Strategy = strategy): Strategy {
  return (candidates, purpose) => {
    const subnets = subnetsOf(candidates);
    if (subnets.size < 2) return strategy(candidates, purpose);
    return composed(strategy, chooser, candidates, subnets, purpose);
  };
}

function composed(
  strategy: Strategy,
  chooser: Strategy,
  candidates: readonly Candidate[],
  subnets: ReadonlyMap<string, readonly number[]>,
  purpose?: PlanPurpose,
): Plan {
  const choice = chooser(candidates, { ...purpose, limit: 1 });
  const places = placesOf(purpose, candidates.length);
  const groups = Array.from(subnets, ([name, indexes]) => ({ name, indexes }));
  // Made when they are first drawn from: there may be as many as candidates.
  const plans = new Array<Plan | undefined>(groups.length);
  const planOf = (subnet: number): Plan => {
    const { name, indexes } = groups[subnet]!;
    return strategy(
      indexes.map((index) => candidates[index]!),
      purposeOfPart(purpose, `subnet ${name}`, places),
    );
  };
  const subnetOf = new Uint16Array(candidates.length);
  for (const [subnet, { indexes }] of groups.entries()) for (const index of indexes) subnetOf[index] = subnet;
  const draw = (limit: number, state: DrawState, order: Uint16Array): number => {
    if (choice.draw(Math.min(limit, 1), state, order) === 0) return 0;
    const first = order[0]!;
    const subnet = subnetOf[first]!;
    const { indexes } = groups[subnet]!;
    plans[subnet] ??= planOf(subnet);
    const count = plans[subnet].draw(limit, state, order);
    for (let i = 0; i < count; i++) order[i] = indexes[order[i]!]!;
    if (strategy === chooser) bringToFront(first, order, count);
    return count;
  };
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights: choice.srvWeights,
    srvPriorities: choice.srvPriorities,
    firstShares: strategy === chooser ? choice.firstShares : undefined,
    draw,
  };
}

/** Those in front of it move back by one; if it is not there, the last one leaves. */
function bringToFront(index: number, order: Uint16Array, count: number): void {
  let at = 0;
  while (at < count - 1 && order[at] !== index) at++;
  for (; at > 0; at--) order[at] = order[at - 1]!;
  order[0] = index;
}

/** Indexes by subnet; those without an address are each for themselves. */
function subnetsOf(candidates: readonly Candidate[]): ReadonlyMap<string, readonly number[]> {
  const subnets = new Map<string, number[]>();
  for (const [index, { key, address }] of candidates.entries()) {
    const subnet = address === undefined ? key : address.subarray(0, SUBNET_OCTETS[address.length]).join('.');
    const known = subnets.get(subnet);
    if (known === undefined) subnets.set(subnet, [index]);
    else known.push(index);
  }
  return subnets;
}
