// joined.ts -- two plans for different tiers of one pool as one
//
// Where very many clients each have a few candidates near to them, the others are planned once for all.

import type { Plan } from './plan.ts';
import { drawingParts, firstSharesOf } from './tiered.ts';

/** Plans made with `joinedTiers`. The candidates of `behind` are numbered on from those of `front`. */
export function joined(front: Plan, behind: Plan): Plan {
  const size = front.size + behind.size;
  const shifted = (behind.parts ?? []).map((part) => ({ ...part, offset: part.offset + front.size }));
  const parts = [...(front.parts ?? []), ...shifted].sort((a, b) => a.rank - b.rank);
  return {
    size,
    isRotation: false,
    // Made when somebody looks: records have them in their octets.
    get srvWeights() {
      return [...front.srvWeights, ...behind.srvWeights];
    },
    get srvPriorities() {
      return [...front.srvPriorities, ...behind.srvPriorities];
    },
    ...firstSharesOf(parts, size),
    draw: drawingParts(parts, size),
  };
}
