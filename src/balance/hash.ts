// hash.ts -- every client has its own fixed order: the same candidate first each time, while it is there

import { type Candidate, type Plan, type PlanPurpose, placesOf, samePriorities } from './plan.ts';
import { Rendezvous } from './rendezvous.ts';
import { splitByWeight } from './standby.ts';
import { stickySrvWeights } from './sticky-weights.ts';

/** Over all clients, first places go by weight. Clients that draw by SRV weight are not held to theirs. */
export function hash(candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const { active, standby } = splitByWeight(candidates);
  const first = new Rendezvous(candidates, active, true);
  const last = new Rendezvous(candidates, standby, false);
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights: stickySrvWeights(candidates, placesOf(purpose, active.length)),
    srvPriorities: samePriorities(candidates),
    draw(limit, state, order) {
      // An answer that is the same for everybody must not look at who asks.
      const client = candidates.length > 1 ? state.client : 0;
      const written = first.order(client, limit, order);
      return written + last.order(client, limit - written, order, written);
    },
  };
}
