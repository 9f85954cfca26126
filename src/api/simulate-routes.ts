// simulate-routes.ts -- what a policy would do, before it is applied

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { formatDuration } from '../base/duration.ts';
import { CodedError } from '../base/errors.ts';
import { formatType } from '../dns/codes.ts';
import type { SimulationResult } from '../nameserver/simulate.ts';
import type { Policy } from '../registry/policy.ts';
import type { ApiParts, SimulationOutcome } from './api-parts.ts';
import { SimulationDocument, SimulationReplyDocument } from './foresight-documents.ts';
import { goneSignal, type JsonText, listJson, sendJson } from './long-reply.ts';
import { type AskedSimulation, readSimulation, simulatedService } from './read-simulation.ts';
import { routeSchema } from './route-schema.ts';

export function addSimulateRoutes(app: FastifyInstance, { registry, foresight }: ApiParts): void {
  app.post(
    '/v1/simulate',
    {
      // The service is in the body.
      config: { access: 'known' },
      schema: routeSchema({
        summary: 'Simulate clients of a service under a policy, and under the present one',
        description:
          'Needs a token that may read the service. Nothing is changed. One simulation runs at a time; the same seed ' +
          'gives the same result.',
        tag: 'policies',
        body: SimulationDocument,
        replies: { 200: SimulationReplyDocument },
        errors: [404, 413, 415, 429, 501, 503],
      }),
    },
    async (request, reply) => {
      checkMayRead(request);
      const asked = readSimulation(request.body, registry);
      const present = (outcome: SimulationOutcome) => presentSimulation(asked, outcome);
      const text = await foresight.simulate(asked.wish, asked.policy, present, goneSignal(reply));
      return sendJson(reply, text);
    },
  );
}

function checkMayRead({ caller, body }: FastifyRequest): void {
  const service = simulatedService(body);
  // A body without a name is refused for that.
  if (service === undefined || caller.scopes.allows('read', service)) return;
  throw new CodedError('forbidden', `token '${caller.tokenId}' may not read '${service}'`);
}

function presentSimulation(
  { wish, policy, present }: AskedSimulation,
  { now, then }: SimulationOutcome,
): Generator<void, JsonText> {
  const head = {
    service: wish.service.name,
    clients: wish.clients,
    duration: formatDuration(wish.durationMs),
    requestsPerSecond: wish.requestsPerSecond,
    type: formatType(wish.type),
    picks: wish.picks,
    seed: wish.seed,
    now: presentRun(now, present),
    policy: then === undefined ? null : presentRun(then, policy),
    moved: then === undefined ? null : presentMoved(now, then),
  };
  return listJson(head, 'instances', wish.service.instances, ({ instance, status }, i) => {
    const { id, address, weight } = instance;
    const loads = { now: now.loads[i]!, policy: then?.loads[i] ?? null };
    return {
      ...{ id, address, weight, status },
      now: presentLoad(loads.now),
      policy: loads.policy === null ? null : presentLoad(loads.policy),
      difference: loads.policy === null ? null : rounded(loads.policy.share - loads.now.share),
    };
  });
}

function presentRun(run: SimulationResult, policy: Policy | undefined) {
  const { requests, queries, failed, unanswered, lack, changed, p50, p99 } = run;
  const strategy = policy?.strategy ?? 'round-robin';
  return {
    ...{ strategy, requests, queries, failed, unanswered },
    unansweredReason: lack ?? null,
    changed: rounded(changed),
    inFlight: { p50, p99 },
  };
}

function presentLoad({ requests, share, p50, p99 }: SimulationResult['loads'][number]) {
  return { requests, share: rounded(share), inFlight: { p50, p99 } };
}

/** Clients whose most used instance is another one. */
function presentMoved(now: SimulationResult, then: SimulationResult) {
  const clients = now.favourites.filter((favourite, client) => favourite !== then.favourites[client]).length;
  return { clients, share: rounded(clients / now.favourites.length) };
}

function rounded(part: number): number {
  return Math.round(part * 1e4) / 1e4;
}
