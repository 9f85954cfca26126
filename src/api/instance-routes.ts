// instance-routes.ts -- registering, reading, patching and deregistering instances

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import type { Instance, InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import { readInstance } from '../registry/validate-instance.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { entityTag, requiredRevision } from './entity-tag.ts';
import { patchInstance, readPatch } from './instance-patch.ts';
import { instanceId, serviceName } from './path-part.ts';
import { presentInstance } from './present-instance.ts';
import { routeSchema } from './route-schema.ts';

const InstanceReply = Type.Ref('Instance');

export function addInstanceRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry, rules } = parts;
  app.put(
    '/v1/services/:service/instances/:id',
    {
      config: { access: { action: 'write', to: 'service' } },
      schema: routeSchema({
        summary: 'Register an instance, or replace it',
        description: 'Repeating it changes nothing and renews the lease. Unchanged checks keep their state.',
        tag: 'instances',
        headers: ['If-Match', 'If-None-Match'],
        body: Type.Ref('Registration'),
        replies: { 200: InstanceReply, 201: InstanceReply },
        replyHeaders: ['ETag', 'Location'],
        errors: [409, 413, 415, 501, 503],
      }),
    },
    async (request, reply) => {
      const known = { service: serviceName(request), id: instanceId(request) };
      return await register(request, reply, parts, readInstance(request.body, known, rules()), false);
    },
  );
  app.post(
    '/v1/services/:service/instances',
    {
      config: { access: { action: 'write', to: 'service' } },
      schema: routeSchema({
        summary: 'Register an instance that is not registered yet',
        tag: 'instances',
        body: Type.Ref('Registration'),
        replies: { 201: InstanceReply },
        replyHeaders: ['ETag', 'Location'],
        errors: [409, 413, 415, 501, 503],
      }),
    },
    async (request, reply) => {
      const instance = readInstance(request.body, { service: serviceName(request) }, rules());
      return await register(request, reply, parts, instance, true);
    },
  );
  app.get(
    '/v1/instances/:id',
    {
      config: { access: { action: 'read', to: 'instance' } },
      schema: routeSchema({
        summary: 'Read an instance',
        tag: 'instances',
        replies: { 200: InstanceReply },
        replyHeaders: ['ETag'],
        errors: [404],
      }),
    },
    async (request, reply) => sendInstance(reply, existingInstance(registry, instanceId(request)), parts),
  );
  addChangingRoutes(app, parts);
}

function addChangingRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry, rules } = parts;
  app.patch(
    '/v1/instances/:id',
    {
      config: { access: { action: 'write', to: 'instance' } },
      schema: routeSchema({
        summary: 'Change tags, weight, meta, ttl, ports, warmup or zone of an instance',
        description: 'A JSON merge patch (RFC 7396). If-Match takes the ETag of the instance.',
        tag: 'instances',
        headers: ['If-Match'],
        body: Type.Ref('InstancePatch'),
        bodyTypes: ['application/merge-patch+json', 'application/json'],
        replies: { 200: InstanceReply },
        replyHeaders: ['ETag'],
        errors: [404, 409, 413, 415, 503],
      }),
    },
    async (request, reply) => {
      const { revision } = existingInstance(registry, instanceId(request));
      const patch = readPatch(request.body);
      const state = await registry.update(
        instanceId(request),
        (instance) => patchInstance(instance, patch, rules()),
        requiredRevision(request, revision),
        authorOf(request),
      );
      return sendInstance(reply, state, parts);
    },
  );
  app.delete(
    '/v1/instances/:id',
    {
      config: { access: { action: 'write', to: 'instance' } },
      schema: routeSchema({
        summary: 'Deregister an instance',
        tag: 'instances',
        headers: ['If-Match'],
        replies: { 204: undefined },
        errors: [404, 409, 503],
      }),
    },
    async (request, reply) => {
      const id = instanceId(request);
      const { revision } = existingInstance(registry, id);
      await registry.deregister(id, authorOf(request), requiredRevision(request, revision));
      return reply.code(204).send();
    },
  );
}

/** The instance with this id, unless it comes from the configuration. Throws CodedError `unknown_instance`, `read_only`. */
export function writableInstance(registry: Registry, id: string): InstanceState {
  const state = existingInstance(registry, id);
  if (state.isStatic) throw new CodedError('read_only', `instance '${id}' comes from the configuration file`);
  return state;
}

/** The instance with this id. Throws CodedError `unknown_instance`. */
export function existingInstance(registry: Registry, id: string): InstanceState {
  const state = registry.instance(id);
  if (state === undefined) throw new CodedError('unknown_instance', `no instance '${id}'`);
  return state;
}

async function register(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: ApiParts,
  instance: Instance,
  onlyNew: boolean,
) {
  const { registry } = parts;
  const owner = registry.instance(instance.id)?.instance.service;
  // The registry's own message names the other service, which is not everybody's business.
  if (owner !== undefined && owner !== instance.service && !request.caller.scopes.allows('read', owner)) {
    throw new CodedError('id_taken', `id '${instance.id}' belongs to another service`);
  }
  const current = registry.instance(instance.id)?.revision ?? 0;
  if (request.headers['if-none-match'] === '*' && current > 0) {
    throw new CodedError('precondition_failed', `If-None-Match does not hold: instance '${instance.id}' is registered`);
  }
  const ifRevision = request.headers['if-none-match'] === '*' ? 0 : requiredRevision(request, current);
  const { state, isNew } = await registry.register(instance, onlyNew, ifRevision, authorOf(request));
  if (isNew) reply.code(201).header('location', `/v1/instances/${instance.id}`);
  return sendInstance(reply, state, parts);
}

function sendInstance(reply: FastifyReply, state: InstanceState, { vantages }: ApiParts) {
  reply.header('etag', entityTag(state.revision));
  return presentInstance(state, vantages(state.instance.id));
}
