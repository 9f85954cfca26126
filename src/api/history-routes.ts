// history-routes.ts -- what happened to a service: when, what, by whom, why

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { rfc3339 } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import { MAX_PER_SERVICE, type PastChange } from '../registry/change-history.ts';
import type { ApiParts } from './api-parts.ts';
import { HistoryDocument } from './documents.ts';
import { serviceName } from './path-part.ts';
import { presentPolicy } from './present-instance.ts';
import { presentPlace } from './present-rollout.ts';
import { QueryString } from './query-string.ts';
import { routeSchema } from './route-schema.ts';

export function addHistoryRoutes(app: FastifyInstance, { registry }: ApiParts): void {
  app.get(
    '/v1/services/:service/history',
    {
      config: { access: { action: 'read', to: 'service' } },
      schema: routeSchema({
        summary: 'Read the last changes of a service, newest first',
        description: 'Of a service that is gone too, while they are known.',
        tag: 'services',
        query: Type.Object({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PER_SERVICE, default: MAX_PER_SERVICE })),
        }),
        replies: { 200: HistoryDocument },
        errors: [404],
      }),
    },
    async (request: FastifyRequest) => {
      const service = serviceName(request);
      const query = new QueryString(request);
      const limit = query.integer('limit', 1, MAX_PER_SERVICE) ?? MAX_PER_SERVICE;
      query.finish();
      const changes = registry.history(service, limit);
      if (changes === undefined && registry.service(service) === undefined) {
        throw new CodedError('unknown_service', `no service '${service}'`);
      }
      return { service, changes: (changes ?? []).map(presentPastChange) };
    },
  );
}

function presentPastChange({ atMs, kind, by, service: _, policy, rollout, ...about }: PastChange) {
  return {
    at: rfc3339(atMs),
    kind,
    by,
    ...about,
    ...(policy === undefined ? {} : { policy: policy === null ? null : presentPolicy(policy) }),
    ...(rollout === undefined ? {} : { rollout: presentPlace(rollout) }),
  };
}
