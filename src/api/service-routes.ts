// service-routes.ts -- reading services: the list, and one with its instances, at once or when it changes

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import { type InstanceState, STATUSES } from '../registry/instance.ts';
import { tagProblem } from '../registry/label.ts';
import type { ApiParts } from './api-parts.ts';
import { ServiceDocument, ServiceListDocument } from './documents.ts';
import { entityTag } from './entity-tag.ts';
import { serviceName } from './path-part.ts';
import { presentInstance, presentPercents, presentPolicy, presentServiceRow } from './present-instance.ts';
import { QueryString } from './query-string.ts';
import { routeSchema } from './route-schema.ts';

/** The most services on one page of the list, and how many there are when nothing is said. */
const MAX_PAGE = 1000;
const DEFAULT_WAIT_MS = 300_000;
const MAX_WAIT_MS = 600_000;

export function addServiceRoutes(app: FastifyInstance, parts: ApiParts): void {
  app.get(
    '/v1/services',
    {
      config: { access: 'known' },
      schema: routeSchema({
        summary: 'List the services that the token may read',
        tag: 'services',
        query: Type.Object({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: MAX_PAGE })),
          after: Type.Optional(Type.String({ description: 'Only services whose name sorts behind this.' })),
        }),
        replies: { 200: ServiceListDocument },
        replyHeaders: ['X-Rollcall-Event-Id'],
      }),
    },
    async (request, reply) => listServices(request, reply, parts),
  );
  app.get(
    '/v1/services/:service',
    {
      config: { access: { action: 'read', to: 'service' } },
      schema: routeSchema({
        summary: 'Read a service with its instances',
        description:
          'With `index` the reply comes when the index of the service differs from it, or after `wait` (default 5m, ' +
          'at most 10m). The index stands in the reply and, for unknown services too, in X-Rollcall-Index.',
        tag: 'services',
        query: Type.Object({
          status: Type.Optional(Type.Array(Type.String(), { description: 'Any of these.' })),
          tag: Type.Optional(Type.Array(Type.String(), { description: 'All of these.' })),
          index: Type.Optional(Type.Integer({ minimum: 0 })),
          wait: Type.Optional(Type.String({ examples: ['30s'] })),
        }),
        replies: { 200: ServiceDocument },
        replyHeaders: ['ETag', 'X-Rollcall-Index', 'X-Rollcall-Event-Id'],
        errors: [404, 429],
      }),
    },
    async (request, reply) => await readService(request, reply, parts),
  );
}

function listServices(request: FastifyRequest, reply: FastifyReply, { registry, watchers }: ApiParts) {
  const query = new QueryString(request);
  const limit = query.integer('limit', 1, MAX_PAGE) ?? MAX_PAGE;
  const after = query.text('after')?.toLowerCase() ?? '';
  query.finish();
  reply.header('x-rollcall-event-id', watchers.lastEventId);
  const readable = [...registry.services()].filter(
    ({ name }) => name > after && request.caller.scopes.allows('read', name),
  );
  readable.sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = readable.slice(0, limit);
  return {
    services: page.map(presentServiceRow),
    next: page.length < readable.length ? page.at(-1)!.name : null,
  };
}

async function readService(request: FastifyRequest, reply: FastifyReply, parts: ApiParts) {
  const { registry, blockingReads, watchers, isCurrent, vantages } = parts;
  const name = serviceName(request);
  const query = new QueryString(request);
  const statuses = query.all('status', (value) =>
    (STATUSES as readonly string[]).includes(value) ? undefined : `must be one of ${STATUSES.join(', ')}`,
  );
  const tags = query.all('tag', tagProblem).map((tag) => tag.toLowerCase());
  const index = query.integer('index', 0, Number.MAX_SAFE_INTEGER);
  const waitMs = Math.min(query.duration('wait') ?? DEFAULT_WAIT_MS, MAX_WAIT_MS);
  query.finish();
  if (index !== undefined) {
    await blockingReads.changed(name, index, waitMs, (wake) => reply.raw.once('close', wake));
    // A reload may have come in between.
    if (!isCurrent(request.caller)) throw new CodedError('unauthorized', 'the token is no longer known');
  }
  const now = blockingReads.indexOf(name);
  reply.header('x-rollcall-index', String(now));
  reply.header('x-rollcall-event-id', watchers.lastEventId);
  const service = registry.service(name);
  if (service === undefined) throw new CodedError('unknown_service', `no service '${name}'`);
  reply.header('etag', entityTag(now));
  const isWanted = ({ status, instance }: InstanceState): boolean =>
    (statuses.length === 0 || statuses.includes(status)) && tags.every((tag) => instance.tags.includes(tag));
  const percents = presentPercents(service);
  return {
    service: service.name,
    index: now,
    policy: service.policy === undefined ? null : presentPolicy(service.policy),
    ...(percents === undefined ? {} : { percents }),
    instances: [...service.instances.values()]
      .filter(isWanted)
      .map((state) => presentInstance(state, vantages(state.instance.id))),
  };
}
