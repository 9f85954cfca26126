// tiered.ts -- a strategy within each tier, and one tier behind the other

import { type Candidate, type Plan, type PlanPart, type PlanPurpose, purposeOfPart, type Strategy } from './plan.ts';
import { splitByWeight } from './standby.ts';

const MAX_PRIORITY = 65535;

/** Candidates of one tier: those with a weight, or those that stand by. */
export interface Group {
  readonly tier: number;
  readonly isStandby: boolean;
  readonly indexes: readonly number[];
}

/**
 * The same strategy, where candidates have tiers: those of a higher number only follow, and their SRV priorities say so.
 * Weight 0 stands behind all tiers. `isRanking`: the strategy has a priority for each candidate.
 */
export function tiered(strategy: Strategy, isRanking = false): Strategy {
  return (candidates, purpose) => {
    const first = candidates[0]?.tier ?? 0;
    const isOne = candidates.every(({ tier = 0 }) => tier === first);
    if (!isOne || purpose?.joinedTiers !== undefined) return composed(strategy, isRanking, candidates, purpose);
    const plan = strategy(candidates, purpose);
    return first === 0 ? plan : { ...plan, srvPriorities: plan.srvPriorities.map((each) => priority(first + each)) };
  };
}

function composed(
  strategy: Strategy,
  isRanking: boolean,
  candidates: readonly Candidate[],
  purpose?: PlanPurpose,
): Plan {
  const { joinedTiers } = purpose ?? {};
  const srvWeights = new Array<number>(candidates.length).fill(0);
  const srvPriorities = new Array<number>(candidates.length).fill(0);
  const parts: PlanPart[] = [];
  let places = purpose?.limit ?? candidates.length;
  let next = 0;
  for (const { tier, isStandby, indexes } of groupsOf(candidates)) {
    const plan = strategy(
      indexes.map((index) => candidates[index]!),
      purposeOfPart(purpose, `tier ${tier}`, Math.max(1, places)),
    );
    places -= plan.size;
    const rank = joinedTiers !== undefined && isStandby ? joinedTiers + tier : tier;
    const base = joinedTiers === undefined ? Math.max(tier, next) : rank * prioritiesOfRank(isRanking, joinedTiers);
    for (const [i, index] of indexes.entries()) {
      srvWeights[index] = plan.srvWeights[i]!;
      srvPriorities[index] = priority(base + plan.srvPriorities[i]!);
      next = Math.max(next, base + plan.srvPriorities[i]! + 1);
    }
    parts.push({ plan, indexes, offset: 0, rank });
  }
  return {
    size: candidates.length,
    isRotation: false,
    srvWeights,
    srvPriorities,
    ...(joinedTiers === undefined ? {} : { parts }),
    ...firstSharesOf(parts, candidates.length),
    draw: drawingParts(parts, candidates.length),
  };
}

/** The first shares of parts one behind the other, of `size` candidates in all: those of the first part. */
export function firstSharesOf(parts: readonly PlanPart[], size: number): Pick<Plan, 'firstShares'> {
  const first = parts.find(({ plan }) => plan.size > 0);
  if (first?.plan.firstShares === undefined) return {};
  return {
    firstShares() {
      const shares = new Array<number>(size).fill(0);
      for (const [i, share] of first.plan.firstShares!().entries()) shares[first.offset + first.indexes[i]!] = share;
      return shares;
    },
  };
}

/** Draw from parts one behind the other, of `size` candidates in all. */
export function drawingParts(parts: readonly PlanPart[], size: number): Plan['draw'] {
  let drawn = new Uint16Array(0);
  return (limit, state, order) => {
    const places = Math.max(0, Math.min(limit, size));
    if (drawn.length < places) drawn = new Uint16Array(places);
    let written = 0;
    for (const { plan, indexes, offset } of parts) {
      if (written >= places) break;
      const count = plan.draw(places - written, state, drawn);
      for (let i = 0; i < count; i++) order[written++] = offset + indexes[drawn[i]!]!;
    }
    return written;
  };
}

/** By tier; behind all, those of weight 0, who do not take the lead of their tier where it has nobody else. */
export function groupsOf(candidates: readonly Candidate[]): Group[] {
  const { active, standby } = splitByWeight(candidates);
  return [active, standby].flatMap((indexes) => {
    const isStandby = indexes === standby;
    const tiers = new Map<number, number[]>();
    for (const index of indexes) {
      const tier = candidates[index]!.tier ?? 0;
      const known = tiers.get(tier);
      if (known === undefined) tiers.set(tier, [index]);
      else known.push(index);
    }
    return [...tiers].sort(([a], [b]) => a - b).map(([tier, members]) => ({ tier, isStandby, indexes: members }));
  });
}

/** How many are left to each rank when it is not known who else there is: of each tier, and of its weight 0. */
function prioritiesOfRank(isRanking: boolean, tiers: number): number {
  return isRanking ? Math.floor((MAX_PRIORITY + 1) / (2 * tiers)) : 1;
}

function priority(value: number): number {
  return Math.min(value, MAX_PRIORITY);
}
