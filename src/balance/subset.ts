// subset.ts -- every client has its own fixed few of the candidates, in an order that is drawn anew for each answer
//
// Who comes first of them is drawn so that over all clients first places go by weight: as in the race of rendezvous.ts,
// run again for those who are known to have come in before the first that is left out.

import type { Random } from '../base/random.ts';
import { type Candidate, type Plan, type PlanPurpose, placesOf, samePriorities } from './plan.ts';
import { Rendezvous } from './rendezvous.ts';
import { splitByWeight } from './standby.ts';
import { stickySrvWeights } from './sticky-weights.ts';

/** As many as an answer has places: the same for each answer to a client. */
export function subset(candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const { active, standby } = splitByWeight(candidates);
  const isSome = active.length > 0;
  const members = new Rendezvous(candidates, isSome ? active : standby, isSome);
  const last = new Rendezvous(candidates, isSome ? standby : [], false);
  const places = placesOf(purpose, active.length);
  let few = new Uint16Array(places + 1);
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights: stickySrvWeights(candidates, places),
    srvPriorities: samePriorities(candidates),
    draw(limit, state, order) {
      const { random } = state;
      const count = Math.max(0, Math.min(limit, members.size));
      // Where all fit, there is nothing that a client could have of its own.
      const client = limit < candidates.length ? state.client : 0;
      if (few.length <= count) few = new Uint16Array(count + 1);
      // One more than are answered says how early those must have come.
      members.order(client, members.isEven ? count : count + 1, few);
      let next = members.isEven ? random.below(Math.max(1, count)) : firstOf(few, count, client, members, random);
      for (let i = 0; i < count; i++) {
        order[i] = few[next]!;
        next = next + 1 === count ? 0 : next + 1;
      }
      return count + last.order(client, limit - count, order, count);
    },
  };
}

/** Who of the first `count` of `few` wins a race that all of them finish in time. */
function firstOf(few: Uint16Array, count: number, client: number, members: Rendezvous, random: Random): number {
  const end = count < members.size ? members.arrivalOf(client, few[count]!) : Number.POSITIVE_INFINITY;
  let first = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const weight = members.weightOf(few[i]!);
    const time = -Math.log1p(random.next() * Math.expm1(-weight * end)) / weight;
    if (time >= least) continue;
    least = time;
    first = i;
  }
  return first;
}
