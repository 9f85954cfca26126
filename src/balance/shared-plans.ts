// shared-plans.ts -- one plan for all services whose candidates have the same weights
//
// Most services have a few instances of weight 1, and a large registry has very many such services.

import { type Plan, placesOf, type Strategy } from './plan.ts';

const MAX_CANDIDATES = 64;
const MAX_PLANS = 4096;

/** The same strategy, sharing its plans. Only for one whose draws depend on weights and turn and on nothing else. */
export function sharing(strategy: Strategy): Strategy {
  const plans = new Map<string, Plan>();
  return (candidates, purpose) => {
    if (candidates.length > MAX_CANDIDATES) return strategy(candidates, purpose);
    const key = `${placesOf(purpose, candidates.length)} of ${candidates.map(({ weight }) => weight).join()}`;
    let plan = plans.get(key);
    if (plan === undefined) {
      if (plans.size >= MAX_PLANS) plans.clear();
      plan = strategy(candidates, purpose);
      plans.set(key, plan);
    }
    return plan;
  };
}
