// foresight.ts -- explaining answers, and simulating other ones, from the View and the registry as they are

import type { Foresight, SimulationOutcome } from '../api/api-parts.ts';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { DomainNames } from '../nameserver/domain-names.ts';
import { explain } from '../nameserver/explain.ts';
import { type Simulation, simulate } from '../nameserver/simulate.ts';
import type { View } from '../nameserver/view.ts';
import type { Policy } from '../registry/policy.ts';
import type { Registry } from '../registry/registry.ts';
import { Slices } from './slices.ts';

/** Explanations under way and waiting for them. */
export const MAX_EXPLANATIONS = 32;

/** What the API asks when somebody wants to know why, or what if. */
export function foresightOf(view: () => View, registry: Registry, clock: Clock): Foresight {
  const slices = new Slices(clock);
  const state = { isSimulating: false, explanations: 0, last: Promise.resolve<unknown>(undefined) };
  return {
    async explain(question, { begun, present }, signal) {
      if (state.explanations >= MAX_EXPLANATIONS) {
        throw new CodedError('rate_limited', `${MAX_EXPLANATIONS} explanations are under way already`);
      }
      state.explanations++;
      // One after the other: each holds as much as the service is large.
      const before = state.last;
      const made = before.then(() => {
        function* work() {
          const service = (name: string) => registry.service(name);
          return yield* present(yield* explain(question, view(), service, begun));
        }
        return slices.run(work(), signal);
      });
      state.last = made.catch(() => {});
      try {
        return await made;
      } finally {
        state.explanations--;
      }
    },
    async simulate(wish, policy, present, signal) {
      if (state.isSimulating) throw new CodedError('rate_limited', 'another simulation is under way');
      const simulation = { ...wish, domain: firstDomain(view()) };
      const current = registry.service(wish.service.name)?.policy;
      function* work() {
        return yield* present(yield* simulateBoth(simulation, current, policy));
      }
      state.isSimulating = true;
      try {
        return await slices.run(work(), signal);
      } finally {
        state.isSimulating = false;
      }
    },
  };
}

function* simulateBoth(
  simulation: Simulation,
  present: Policy | undefined,
  other: Policy | undefined,
): Generator<void, SimulationOutcome> {
  const now = yield* simulate(simulation, present);
  const then = other === undefined ? undefined : yield* simulate(simulation, other);
  return { now, then };
}

/** Domains differ in their TTL and limits; the first one is the one that people mean. */
function firstDomain(view: View): DomainNames {
  const domain = view.zones.map((served) => served.domain).find((each) => each !== undefined);
  if (domain === undefined) throw new CodedError('not_supported', 'there is no domain to simulate a service in');
  return domain;
}
