// watch-routes.ts -- changes as they happen: server-sent events (WHATWG HTML, section 9.2)

import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import { normalService } from '../registry/label.ts';
import type { ApiParts } from './api-parts.ts';
import { QueryString } from './query-string.ts';
import { routeSchema } from './route-schema.ts';

/** After how long a browser that was cut off comes back. */
const RETRY = 'retry: 1000\n';

export function addWatchRoutes(app: FastifyInstance, parts: ApiParts): void {
  app.get(
    '/v1/watch',
    {
      // Nothing is to be said of a stream without its events.
      exposeHeadRoute: false,
      config: { access: 'known' },
      schema: routeSchema({
        summary: 'Follow the changes of one service, or of all that the token may read',
        description:
          'Server-sent events `register`, `update`, `deregister`, `health`, `policy`, and `end` when the server ends ' +
          'the stream. `Last-Event-ID` or `since` goes on behind an event; 410 when that is not possible.',
        tag: 'services',
        query: Type.Object({
          service: Type.Optional(Type.String()),
          since: Type.Optional(Type.String({ description: 'An event id; Last-Event-ID wins over it.' })),
        }),
        headers: ['Last-Event-ID'],
        replies: { 200: Type.String({ description: 'text/event-stream' }) },
        replyHeaders: ['X-Rollcall-Event-Id'],
        errors: [410, 429, 503],
      }),
    },
    async (request, reply) => watch(request, reply, parts),
  );
}

function watch(request: FastifyRequest, reply: FastifyReply, { watchers }: ApiParts): FastifyReply {
  const query = new QueryString(request);
  const stated = query.text('service');
  const since = query.text('since');
  query.finish();
  const service = stated === undefined ? undefined : normalService(stated);
  const { caller } = request;
  if (service !== undefined && !caller.scopes.allows('read', service)) {
    throw new CodedError('forbidden', `token '${caller.tokenId}' may not read '${service}'`);
  }
  watchers.checkRoom();
  // A browser that comes back sends the id it has; what stands in its URL is where it once began.
  const lastEventId = request.headers['last-event-id'];
  const position = watchers.positionOf(typeof lastEventId === 'string' ? lastEventId : since);
  reply.hijack();
  const { raw } = reply;
  // The stream ends with its connection: framing each event once more would double what a watcher costs.
  raw.removeHeader('transfer-encoding');
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no',
    'x-rollcall-event-id': watchers.ids.format(position),
    ...(request.raw.httpVersionMajor < 2 ? { connection: 'close' } : {}),
  });
  raw.write(RETRY);
  if (!isGone(raw)) watchers.add(raw, caller, service, position);
  return reply;
}

/** Has the connection ended, so that there is no `close` to come? A reply of HTTP/2 knows only through its stream. */
function isGone(raw: ServerResponse): boolean {
  const { stream } = raw as { stream?: { readonly destroyed: boolean } };
  return stream?.destroyed ?? raw.destroyed;
}
