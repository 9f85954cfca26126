// foresight.ts -- explaining answers, and simulating other ones, from the View and the registry as they are

import type { Foresight } from '../api/api-parts.ts';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { DomainNames } from '../nameserver/domain-names.ts';
import { explain } from '../nameserver/explain.ts';
import { simulate } from '../nameserver/simulate.ts';
import type { View } from '../nameserver/view.ts';
import type { Registry } from '../registry/registry.ts';

/** How long a simulation works before it lets the rest of the server go on. */
const SLICE_MS = 15;

/** What the API asks when somebody wants to know why, or what if. */
export function foresightOf(view: () => View, registry: Registry, clock: Clock): Foresight {
  const state = { isSimulating: false };
  return {
    explain: (question) => explain(question, view(), (name) => registry.service(name)),
    async simulate(wish, policy, signal) {
      if (state.isSimulating) throw new CodedError('rate_limited', 'another simulation is under way');
      const simulation = { ...wish, domain: firstDomain(view()) };
      state.isSimulating = true;
      try {
        const present = registry.service(wish.service.name)?.policy;
        const now = await inSlices(simulate(simulation, present), clock, signal);
        const then = policy === undefined ? undefined : await inSlices(simulate(simulation, policy), clock, signal);
        return { now, then };
      } finally {
        state.isSimulating = false;
      }
    },
  };
}

/** Domains differ in their TTL and limits; the first one is the one that people mean. */
function firstDomain(view: View): DomainNames {
  const domain = view.zones.map((served) => served.domain).find((each) => each !== undefined);
  if (domain === undefined) throw new CodedError('not_supported', 'there is no domain to simulate a service in');
  return domain;
}

/** Work to the end, and let sockets be read and timers run in between. */
async function inSlices<T>(work: Generator<void, T>, clock: Clock, signal: AbortSignal): Promise<T> {
  while (true) {
    const endsMs = clock.monotonicMs() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done) {
        // What is made of it is work as well.
        await othersFirst(clock);
        return step.value;
      }
    } while (clock.monotonicMs() < endsMs);
    if (signal.aborted) {
      work.return(undefined as never);
      throw new CodedError('stopping', 'nobody waits for the simulation any more');
    }
    await othersFirst(clock);
  }
}

function othersFirst(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.afterTurn(resolve));
}
