// check-routes.ts -- the health checks of an instance

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import { MAX_CHECKS, readSingleCheck } from '../registry/validate-instance.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { ChecksDocument } from './documents.ts';
import { requiredRevision } from './entity-tag.ts';
import { existingInstance } from './instance-routes.ts';
import { checkId, instanceId } from './path-part.ts';
import { presentCheck, presentChecks } from './present-instance.ts';
import { routeSchema } from './route-schema.ts';

const CheckReply = Type.Ref('CheckState');

export function addCheckRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry, vantages } = parts;
  app.get(
    '/v1/instances/:id/checks',
    {
      config: { access: { action: 'read', to: 'instance' } },
      schema: routeSchema({
        summary: 'Read the checks of an instance',
        tag: 'checks',
        replies: { 200: ChecksDocument },
        errors: [404],
      }),
    },
    async (request) => {
      const state = existingInstance(registry, instanceId(request));
      return { checks: presentChecks(state, vantages(state.instance.id)) };
    },
  );
  app.put(
    '/v1/instances/:id/checks/:check',
    {
      config: { access: { action: 'write', to: 'instance' } },
      schema: routeSchema({
        summary: 'Add a check to an instance, or replace it',
        description: 'A check that is added to a live instance has no say before its first result.',
        tag: 'checks',
        headers: ['If-Match'],
        body: Type.Ref('Check'),
        replies: { 200: CheckReply },
        errors: [404, 409, 413, 415, 501, 503],
      }),
    },
    async (request) => await putCheck(request, parts),
  );
  app.delete(
    '/v1/instances/:id/checks/:check',
    {
      config: { access: { action: 'write', to: 'instance' } },
      schema: routeSchema({
        summary: 'Remove a check',
        tag: 'checks',
        headers: ['If-Match'],
        replies: { 204: undefined },
        errors: [404, 409, 503],
      }),
    },
    async (request, reply) => {
      const id = instanceId(request);
      const { revision } = existingInstance(registry, id);
      await registry.deleteCheck(id, checkId(request), authorOf(request), requiredRevision(request, revision));
      return reply.code(204).send();
    },
  );
}

async function putCheck(request: FastifyRequest, { registry, rules, vantages }: ApiParts) {
  const { instance, revision } = existingInstance(registry, instanceId(request));
  const check = readSingleCheck(request.body, checkId(request), instance, rules().checkDefaults);
  const isNew = !instance.checks.some(({ id }) => id === check.id);
  if (isNew && instance.checks.length >= MAX_CHECKS) {
    throw new CodedError('invalid', `an instance has at most ${MAX_CHECKS} checks`);
  }
  const required = requiredRevision(request, revision);
  const after = await registry.putCheck(instance.id, check, authorOf(request), required);
  return presentCheck(check, after.checks[check.id], vantages(instance.id));
}
