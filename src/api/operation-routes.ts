// operation-routes.ts -- running the server: alive, ready, status, metrics, reload

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { errorsIn, LocatedError } from '../base/errors.ts';
import type { ApiParts } from './api-parts.ts';
import { ReadinessDocument, ReloadReplyDocument, StatusDocument } from './documents.ts';
import { QueryString } from './query-string.ts';
import { routeSchema } from './route-schema.ts';

export function addOperationRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { metrics, reload } = parts;
  addProbeRoutes(app, parts);
  app.get(
    '/v1/status',
    {
      config: { access: 'overview' },
      schema: routeSchema({ summary: 'How this server is', tag: 'operation', replies: { 200: StatusDocument } }),
    },
    async () => presentStatus(parts),
  );
  app.get(
    '/metrics',
    {
      config: { access: 'overview' },
      schema: routeSchema({ summary: 'Metrics for Prometheus', tag: 'operation', replies: { 200: Type.String() } }),
    },
    async (_request, reply) => {
      const text = await metrics.metrics();
      return reply.type(metrics.contentType).serializer(String).send(text);
    },
  );
  app.post(
    '/v1/reload',
    {
      config: { access: 'operator' },
      schema: routeSchema({
        summary: 'Read configuration and zones anew',
        description: 'With any error nothing changes, and every error is in the details.',
        tag: 'operation',
        replies: { 200: ReloadReplyDocument },
      }),
    },
    async () => {
      const { problems } = await reload();
      const errors = errorsIn(problems);
      if (errors.length > 0) throw new LocatedError('invalid_config', errors);
      return { problems };
    },
  );
}

function addProbeRoutes(app: FastifyInstance, { readiness }: ApiParts): void {
  app.get(
    '/healthz',
    {
      config: { access: 'open' },
      schema: routeSchema({
        summary: 'Is the process alive?',
        tag: 'operation',
        replies: { 200: Type.Object({ alive: Type.Literal(true) }) },
      }),
    },
    async () => ({ alive: true }),
  );
  app.get(
    '/readyz',
    {
      config: { access: 'open' },
      schema: routeSchema({
        summary: 'Can this server be asked?',
        description:
          '503 before the first load and while stopping; with `fresh=1` also while the store is not heard of.',
        tag: 'operation',
        query: Type.Object({ fresh: Type.Optional(Type.Integer({ minimum: 0, maximum: 1 })) }),
        replies: { 200: ReadinessDocument, 503: ReadinessDocument },
      }),
    },
    async (request, reply) => {
      const query = new QueryString(request);
      const mustBeFresh = query.flag('fresh');
      query.finish();
      const { ready, stale } = readiness();
      if (!ready || (stale && mustBeFresh)) reply.code(503);
      return { ready, stale };
    },
  );
}

function presentStatus({ registry, blockingReads, watchers, readiness, status }: ApiParts) {
  let services = 0;
  for (const _ of registry.services()) services++;
  const { ready, stale } = readiness();
  return {
    ready,
    stale,
    services,
    instances: registry.instanceCount,
    sequence: registry.sequence,
    blockingReads: blockingReads.count,
    watchers: watchers.count,
    ...status(),
  };
}
