// strategies.ts -- the table of strategies by their name in policies

import type { Strategy } from './plan.ts';
import { randomOrder } from './random.ts';
import { roundRobin } from './round-robin.ts';
import { sharing } from './shared-plans.ts';
import { weighted } from './weighted.ts';

/** To add a strategy: its file, its row here, its name in registry/policy.ts. */
export const STRATEGIES = {
  'round-robin': sharing(roundRobin),
  random: randomOrder,
  weighted: sharing(weighted),
} satisfies Record<string, Strategy>;
