// policy-routes.ts -- a service's policy: how its instances are chosen and ordered

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import type { Registry } from '../registry/registry.ts';
import { readPolicy } from '../registry/validate-policy.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { entityTag, listedTags, requiredRevision } from './entity-tag.ts';
import { serviceName } from './path-part.ts';
import { presentPolicy } from './present-instance.ts';
import { presentRollout } from './present-rollout.ts';
import { routeSchema } from './route-schema.ts';

const PATH = '/v1/services/:service/policy';
const PolicyReply = Type.Ref('Policy');

export function addPolicyRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry } = parts;
  app.get(
    PATH,
    {
      config: { access: { action: 'read-policy', to: 'service' } },
      schema: routeSchema({
        summary: 'Read the policy of a service',
        tag: 'policies',
        replies: { 200: PolicyReply },
        replyHeaders: ['ETag'],
        errors: [404],
      }),
    },
    async (request, reply) => sendPolicy(reply, parts, serviceName(request)),
  );
  app.put(
    PATH,
    {
      config: { access: { action: 'write-policy', to: 'service' } },
      schema: routeSchema({
        summary: 'Set the policy of a service, which need not have instances yet',
        description: 'If-Match takes the ETag of the policy; `If-None-Match: *` sets it only where there is none.',
        tag: 'policies',
        headers: ['If-Match', 'If-None-Match'],
        body: PolicyReply,
        replies: { 200: PolicyReply },
        replyHeaders: ['ETag'],
        errors: [413, 415, 501, 503],
      }),
    },
    async (request, reply) => {
      const name = serviceName(request);
      const policy = readPolicy(request.body);
      await registry.setPolicy(name, policy, conditionOf(request, registry, name), authorOf(request));
      return sendPolicy(reply, parts, name);
    },
  );
  app.delete(
    PATH,
    {
      config: { access: { action: 'write-policy', to: 'service' } },
      schema: routeSchema({
        summary: 'Delete the policy of a service',
        tag: 'policies',
        headers: ['If-Match'],
        replies: { 204: undefined },
        errors: [404, 503],
      }),
    },
    async (request, reply) => {
      const name = serviceName(request);
      const condition = conditionOf(request, registry, name);
      existingPolicy(registry, name);
      await registry.setPolicy(name, undefined, condition, authorOf(request));
      return reply.code(204).send();
    },
  );
}

function conditionOf(request: FastifyRequest, registry: Registry, name: string): number | undefined {
  const revision = registry.service(name)?.policyRevision ?? 0;
  const unwanted = listedTags(request.headers['if-none-match'] ?? '');
  if (unwanted.includes('*')) return 0;
  if (revision > 0 && unwanted.includes(entityTag(revision))) {
    throw new CodedError('precondition_failed', `If-None-Match does not hold: it is at ${entityTag(revision)}`);
  }
  return requiredRevision(request, revision);
}

function existingPolicy(registry: Registry, name: string) {
  const service = registry.service(name);
  if (service?.policy === undefined) throw new CodedError('unknown_policy', `service '${name}' has no policy`);
  return { policy: service.policy, revision: service.policyRevision };
}

function sendPolicy(reply: FastifyReply, { registry, rollouts }: ApiParts, name: string) {
  const { policy, revision } = existingPolicy(registry, name);
  const view = rollouts.show(name);
  reply.header('etag', entityTag(revision));
  return { ...presentPolicy(policy), ...(view === undefined ? {} : { rollout: presentRollout(view) }) };
}
