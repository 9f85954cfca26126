// tiered.ts -- a strategy within each tier, and one tier behind the other

import { type Candidate, type Plan, type PlanPurpose, purposeOfPart, type Strategy } from './plan.ts';
import { splitByWeight } from './standby.ts';

const MAX_PRIORITY = 65535;

/** Candidates that are drawn together, and where they are among all. */
interface Group {
  readonly plan: Plan;
  readonly indexes: readonly number[];
}

/**
 * The same strategy, where candidates have tiers: those of a higher number only follow, and their SRV priorities say so.
 * Weight 0 stands behind all tiers.
 */
export function tiered(strategy: Strategy): Strategy {
  return (candidates, purpose) => {
    const first = candidates[0]?.tier ?? 0;
    const isOne = candidates.every(({ tier = 0 }) => tier === first);
    if (!isOne) return composed(strategy, candidates, purpose);
    const plan = strategy(candidates, purpose);
    return first === 0 ? plan : { ...plan, srvPriorities: plan.srvPriorities.map((each) => priority(first + each)) };
  };
}

function composed(strategy: Strategy, candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const srvWeights = new Array<number>(candidates.length).fill(0);
  const srvPriorities = new Array<number>(candidates.length).fill(0);
  const groups: Group[] = [];
  let places = purpose?.limit ?? candidates.length;
  let next = 0;
  for (const { tier, indexes } of groupsOf(candidates)) {
    const plan = strategy(
      indexes.map((index) => candidates[index]!),
      purposeOfPart(purpose, `tier ${tier}`, Math.max(1, places)),
    );
    places -= plan.size;
    const base = Math.max(tier, next);
    for (const [i, index] of indexes.entries()) {
      srvWeights[index] = plan.srvWeights[i]!;
      srvPriorities[index] = priority(base + plan.srvPriorities[i]!);
      next = Math.max(next, base + plan.srvPriorities[i]! + 1);
    }
    groups.push({ plan, indexes });
  }
  const drawn = new Uint16Array(candidates.length);
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights,
    srvPriorities,
    draw: (limit, state, order) => {
      let written = 0;
      for (const { plan, indexes } of groups) {
        if (written >= limit) break;
        const count = plan.draw(limit - written, state, drawn);
        for (let i = 0; i < count; i++) order[written++] = indexes[drawn[i]!]!;
      }
      return written;
    },
  };
}

/** By tier; behind all, those of weight 0, who do not take the lead of their tier where it has nobody else. */
function groupsOf(candidates: readonly Candidate[]): { tier: number; indexes: number[] }[] {
  const { active, standby } = splitByWeight(candidates);
  return [active, standby].flatMap((indexes) => {
    const tiers = new Map<number, number[]>();
    for (const index of indexes) {
      const tier = candidates[index]!.tier ?? 0;
      const known = tiers.get(tier);
      if (known === undefined) tiers.set(tier, [index]);
      else known.push(index);
    }
    return [...tiers].sort(([a], [b]) => a - b).map(([tier, members]) => ({ tier, indexes: members }));
  });
}

function priority(value: number): number {
  return Math.min(value, MAX_PRIORITY);
}
