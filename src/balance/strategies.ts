// strategies.ts -- the table of strategies by their name in policies, and the plan that a policy makes with them

import { failover } from './failover.ts';
import { hash } from './hash.ts';
import { latency } from './latency.ts';
import { leastConnections } from './least-connections.ts';
import { oneSubnet } from './one-subnet.ts';
import type { Candidate, Plan, PlanPurpose, Strategy } from './plan.ts';
import { randomOrder } from './random.ts';
import { roundRobin } from './round-robin.ts';
import { sharing } from './shared-plans.ts';
import { scaleSrvWeights } from './srv-weights.ts';
import { subset } from './subset.ts';
import { tiered } from './tiered.ts';
import { weighted } from './weighted.ts';

/** To add a strategy: its file, its row here, its name in registry/policy.ts. */
export const STRATEGIES = {
  'round-robin': sharing(roundRobin),
  random: randomOrder,
  weighted: sharing(weighted),
  'least-connections': leastConnections,
  latency,
  hash,
  subset,
  failover,
} satisfies Record<string, Strategy>;

/** What a policy says about balancing. */
export interface Balancing {
  readonly strategy?: keyof typeof STRATEGIES;
  /** Factor on SRV weights; default 1. */
  readonly srvWeightScale?: number;
  /** Addresses of an answer are of one subnet. */
  readonly oneSubnetPerAnswer?: boolean;
}

/** The plan for candidates, which may be in tiers. Only those of A and AAAA have addresses, so only these have subnets. */
export function planOf(balancing: Balancing, candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const { strategy: name = 'round-robin', srvWeightScale = 1, oneSubnetPerAnswer = false } = balancing;
  const strategy = STRATEGIES[name];
  const isGrouped = oneSubnetPerAnswer && candidates.every(({ address }) => address !== undefined);
  // A client's few stay the same only in a subnet that is always the same.
  const chooser = name === 'subset' ? hash : strategy;
  const plan = tiered(isGrouped ? oneSubnet(strategy, chooser) : strategy, name === 'failover')(candidates, purpose);
  return srvWeightScale === 1 ? plan : scaleSrvWeights(plan, srvWeightScale);
}
