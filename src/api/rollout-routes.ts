// rollout-routes.ts -- where the progressive canary of a service is, and what people may do with it

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import { Findings, InputObject } from '../registry/input.ts';
import { ROLLOUT_ACTIONS, type RolloutAction } from '../routing/rollout.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { RolloutActionDocument, RolloutDocument } from './documents.ts';
import { serviceName } from './path-part.ts';
import { presentRollout } from './present-rollout.ts';
import { routeSchema } from './route-schema.ts';

const PATH = '/v1/services/:service/rollout';

export function addRolloutRoutes(app: FastifyInstance, { rollouts }: ApiParts): void {
  const show = (name: string) => {
    const view = rollouts.show(name);
    if (view === undefined) throw new CodedError('unknown_rollout', `the policy of service '${name}' has no steps`);
    return presentRollout(view);
  };
  app.get(
    PATH,
    {
      config: { access: { action: 'read-policy', to: 'service' } },
      schema: routeSchema({
        summary: 'Read how far the steps of a policy have come',
        tag: 'policies',
        replies: { 200: RolloutDocument },
        errors: [404],
      }),
    },
    async (request) => show(serviceName(request)),
  );
  app.post(
    PATH,
    {
      config: { access: { action: 'write-policy', to: 'service' } },
      schema: routeSchema({
        summary: 'Pause, resume, restart or roll back a progressive canary',
        tag: 'policies',
        body: RolloutActionDocument,
        replies: { 200: RolloutDocument },
        errors: [404, 409, 413, 415, 503],
      }),
    },
    async (request) => {
      const name = serviceName(request);
      await rollouts.act(name, readAction(request), authorOf(request));
      return show(name);
    },
  );
}

function readAction(request: FastifyRequest): RolloutAction {
  const findings = new Findings();
  const input = InputObject.of(request.body, '', findings);
  const action = input?.oneOf('action', ROLLOUT_ACTIONS);
  if (input !== undefined && !input.has('action')) input.fail('action', 'is missing');
  input?.finish();
  findings.throwAny('rollout');
  return action!;
}
