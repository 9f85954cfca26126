// rollout-routes.ts -- where the progressive canary of a service is, and what people may do with it

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import { Findings, InputObject } from '../registry/input.ts';
import { MAX_STEPS } from '../registry/validate-steps.ts';
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
        description: 'With `restart` and a `step` it begins with that one at once, whatever time the step waits for.',
        tag: 'policies',
        body: RolloutActionDocument,
        replies: { 200: RolloutDocument },
        errors: [404, 409, 413, 415, 503],
      }),
    },
    async (request) => {
      const name = serviceName(request);
      const { action, toStep } = readWish(request);
      await rollouts.act(name, action, authorOf(request), toStep);
      return show(name);
    },
  );
}

interface RolloutWish {
  readonly action: RolloutAction;
  /** Index of the step that `restart` begins with. */
  readonly toStep: number | undefined;
}

function readWish(request: FastifyRequest): RolloutWish {
  const findings = new Findings();
  const input = InputObject.of(request.body, '', findings);
  const action = input?.oneOf('action', ROLLOUT_ACTIONS);
  if (input !== undefined && !input.has('action')) input.fail('action', 'is missing');
  const step = input?.integer('step', 1, MAX_STEPS);
  if (step !== undefined && action !== undefined && action !== 'restart') input?.fail('step', 'is for restart only');
  input?.finish();
  findings.throwAny('rollout');
  return { action: action!, toStep: step === undefined ? undefined : step - 1 };
}
