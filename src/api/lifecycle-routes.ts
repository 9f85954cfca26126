// lifecycle-routes.ts -- heartbeat, drain, maintenance and readmission of an instance

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Type } from 'typebox';
import { rfc3339 } from '../base/clock.ts';
import type { InstanceState } from '../registry/instance.ts';
import { readHeartbeat, readMaintenance } from '../registry/validate-lifecycle.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { DrainReplyDocument, HeartbeatDocument, HeartbeatReplyDocument, MaintenanceDocument } from './documents.ts';
import { existingInstance, writableInstance } from './instance-routes.ts';
import { instanceId } from './path-part.ts';
import { presentInstance } from './present-instance.ts';
import { routeSchema } from './route-schema.ts';

/** When instances that drain may be stopped, by id: as it was said first. */
type SafeAfter = LRUCache<string, number>;

const MAX_DRAINS = 10_000;
const WRITE_INSTANCE = { action: 'write', to: 'instance' } as const;

export function addLifecycleRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry, vantages } = parts;
  const safeAfterMs: SafeAfter = new LRUCache({ max: MAX_DRAINS });
  addReadmission(app, parts);
  app.put(
    '/v1/instances/:id/heartbeat',
    {
      config: { access: WRITE_INSTANCE },
      schema: routeSchema({
        summary: 'Renew the lease and every heartbeat check of an instance',
        description: 'The body may be left out. `expiresAt` is null when there is nothing to renew.',
        tag: 'instances',
        body: HeartbeatDocument,
        replies: { 200: HeartbeatReplyDocument },
        errors: [404, 413, 415],
      }),
    },
    async (request) => await beat(request, parts),
  );
  app.post(
    '/v1/instances/:id/drain',
    {
      config: { access: WRITE_INSTANCE },
      schema: routeSchema({
        summary: 'Take an instance out of the answers and keep it registered',
        description: 'From `safeAfter` on no resolver holds an answer with it any more.',
        tag: 'instances',
        replies: { 200: DrainReplyDocument },
        errors: [404, 409, 503],
      }),
    },
    async (request) => await drain(request, parts, safeAfterMs),
  );
  app.delete(
    '/v1/instances/:id/drain',
    {
      config: { access: WRITE_INSTANCE },
      schema: routeSchema({
        summary: 'End the drain',
        tag: 'instances',
        replies: { 204: undefined },
        errors: [404, 409, 503],
      }),
    },
    async (request, reply) => {
      const { id } = writableInstance(registry, instanceId(request)).instance;
      await registry.setDraining(id, false, authorOf(request));
      return reply.code(204).send();
    },
  );
  app.put(
    '/v1/instances/:id/maintenance',
    {
      config: { access: WRITE_INSTANCE },
      schema: routeSchema({
        summary: 'Begin or end maintenance of an instance',
        tag: 'instances',
        body: MaintenanceDocument,
        replies: { 200: Type.Ref('Instance') },
        errors: [404, 409, 413, 415, 503],
      }),
    },
    async (request) => {
      const id = instanceId(request);
      writableInstance(registry, id);
      const state = await registry.setMaintenance(id, readMaintenance(request.body), authorOf(request));
      return presentInstance(state, vantages(id));
    },
  );
}

function addReadmission(app: FastifyInstance, { registry }: ApiParts): void {
  app.delete(
    '/v1/instances/:id/ejection',
    {
      config: { access: WRITE_INSTANCE },
      schema: routeSchema({
        summary: 'Let an instance back in that the gateway ejected',
        description: 'Also one from the configuration file. Nothing happens when it is not ejected.',
        tag: 'instances',
        replies: { 204: undefined },
        errors: [404],
      }),
    },
    async (request, reply) => {
      registry.readmit(instanceId(request), authorOf(request));
      return reply.code(204).send();
    },
  );
}

async function beat(request: FastifyRequest, { registry, clock, heartbeat }: ApiParts) {
  const id = instanceId(request);
  const { report, load } = readHeartbeat(request.body);
  const before = existingInstance(registry, id);
  heartbeat(id, report);
  const leaseExpiresAtMs = registry.heartbeat(id, load, authorOf(request));
  const after = existingInstance(registry, id);
  // An acknowledged change of health is a stored one; a beat that changes nothing costs no write.
  if (before.status !== after.status || hasNewOutcome(before, after)) await registry.flush();
  const expiresAtMs = leaseExpiresAtMs ?? checkExpiresAtMs(after, clock.wallMs());
  return { expiresAt: expiresAtMs === undefined ? null : rfc3339(expiresAtMs) };
}

function hasNewOutcome(before: InstanceState, after: InstanceState): boolean {
  return after.instance.checks.some(({ id }) => before.checks[id]?.outcome !== after.checks[id]?.outcome);
}

/** Without a lease: when the first heartbeat check will have waited too long. */
function checkExpiresAtMs({ instance }: InstanceState, nowMs: number): number | undefined {
  const intervals = instance.checks.filter(({ type }) => type === 'heartbeat').map(({ intervalMs }) => intervalMs);
  return intervals.length === 0 ? undefined : nowMs + Math.min(...intervals);
}

async function drain(
  request: FastifyRequest,
  { registry, clock, ttlInForceSeconds }: ApiParts,
  safeAfterMs: SafeAfter,
) {
  const id = instanceId(request);
  const { instance, draining } = writableInstance(registry, id);
  const known = draining ? safeAfterMs.get(id) : undefined;
  // Asked before the drain as well: with the instance its TTL may leave the names.
  const ttlBefore = ttlInForceSeconds(instance);
  await registry.setDraining(id, true, authorOf(request));
  const ttlSeconds = Math.max(ttlBefore, ttlInForceSeconds(instance));
  // Answers made after the first drain do not hold the instance, however often it is said again.
  const atMs = known ?? clock.wallMs() + ttlSeconds * 1000;
  safeAfterMs.set(id, atMs);
  return { status: 'draining', safeAfter: rfc3339(atMs) };
}
