// doh-routes.ts -- DNS over HTTPS (RFC 8484): questions by GET and POST at /dns-query, open to everybody
//
// The name is not guarded against DNS rebinding as the rest of the API is: what is answered here is what any DNS client
// is answered. Pages of other sites cannot read it: there are no CORS headers, and no preflight is granted.

import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { Type } from 'typebox';
import { CodedError } from '../base/errors.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import { AddressClient } from '../nameserver/client.ts';
import type { ApiBackend } from './api-parts.ts';
import { replyLifetime } from './reply-lifetime.ts';
import { routeSchema } from './route-schema.ts';
import { UntakenReplies } from './untaken-replies.ts';

export const DOH_PATH = '/dns-query';
/** The longest DNS message. */
export const MAX_DOH_OCTETS = 65_535;

const MEDIA_TYPE = 'application/dns-message';
const OTHER_METHODS: HTTPMethods[] = ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** Add the routes, in a place of their own, where bodies are DNS messages. */
export async function addDohRoutes(app: FastifyInstance, backend: Pick<ApiBackend, 'answerDns'>): Promise<void> {
  const parts = { answerDns: backend.answerDns, untaken: new UntakenReplies() };
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Whatever the type: the route itself has looked at it before.
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) => body);
    addGet(scope, parts);
    addPost(scope, parts);
    scope.route({
      url: DOH_PATH,
      method: OTHER_METHODS,
      config: { access: 'open' },
      schema: { hide: true },
      onRequest: async (request, reply) => {
        reply.header('allow', 'GET, HEAD, POST');
        throw new CodedError('method_not_allowed', `${request.method} is no way to ask; GET and POST are`);
      },
      handler: async () => {},
    });
  });
}

interface Parts extends Pick<ApiBackend, 'answerDns'> {
  readonly untaken: UntakenReplies;
}

/** Whatever the rcode. */
const REPLIES = { 200: { content: { [MEDIA_TYPE]: { schema: Type.String({ format: 'binary' }) } } } };

function addGet(scope: FastifyInstance, parts: Parts): void {
  scope.get(
    DOH_PATH,
    {
      config: { access: 'open' },
      schema: routeSchema({
        summary: 'Ask a DNS question (RFC 8484)',
        tag: 'operation',
        query: Type.Object({ dns: Type.String({ description: 'The message in base64url, without padding.' }) }),
        replies: REPLIES,
        errors: [413, 429, 503],
      }),
    },
    async (request, reply) => answer(messageOf(request), request, reply, parts),
  );
}

function addPost(scope: FastifyInstance, parts: Parts): void {
  scope.post(
    DOH_PATH,
    {
      bodyLimit: MAX_DOH_OCTETS,
      config: { access: 'open' },
      schema: routeSchema({
        summary: 'Ask a DNS question (RFC 8484)',
        tag: 'operation',
        body: Type.String({ description: 'The message.' }),
        bodyTypes: [MEDIA_TYPE],
        replies: REPLIES,
        errors: [413, 415, 429, 503],
      }),
      onRequest: async ({ headers }) => {
        const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
        if (type !== MEDIA_TYPE) throw new CodedError('unsupported_media_type', `the body must be ${MEDIA_TYPE}`);
      },
    },
    async (request, reply) => {
      const { body } = request;
      return await answer(body instanceof Uint8Array ? body : new Uint8Array(0), request, reply, parts);
    },
  );
}

/** Of a GET. Other parameters are left alone: there may be more in a client's template than we know. */
function messageOf(request: FastifyRequest): Uint8Array {
  const text = (request.query as Readonly<Record<string, unknown>>).dns;
  if (typeof text !== 'string') throw new CodedError('invalid', 'the query needs one parameter dns');
  if (text.length > Math.ceil((MAX_DOH_OCTETS * 4) / 3)) {
    throw new CodedError('too_large', `the message is longer than ${MAX_DOH_OCTETS} octets`);
  }
  const message = Buffer.from(text, 'base64url');
  // The decoder passes over what it does not know; what comes back the same had nothing of the kind.
  if (message.toString('base64url') !== text) {
    throw new CodedError('invalid', 'the parameter dns is not in base64url without padding');
  }
  return message;
}

async function answer(
  message: Uint8Array,
  request: FastifyRequest,
  reply: FastifyReply,
  { answerDns, untaken }: Parts,
): Promise<FastifyReply> {
  if (message.length < HEADER_LENGTH) throw new CodedError('invalid', 'the message is shorter than a DNS header');
  const answered = await answerDns(message, new AddressClient(request.socket.remoteAddress ?? ''));
  if (answered === undefined) throw new CodedError('invalid', 'the message is not a DNS query');
  untaken.hold(answered.length, reply.raw);
  const lifetime = replyLifetime(answered);
  // Answers differ from client to client, and by turns: a cache that many share would send them all to the same place.
  if (lifetime !== undefined) reply.header('cache-control', `max-age=${lifetime}, private`);
  return reply.type(MEDIA_TYPE).send(answered);
}
