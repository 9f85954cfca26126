// batch-routes.ts -- many registrations and deregistrations in one call: all of them or none

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError, type ErrorDetail } from '../base/errors.ts';
import { type BatchOperation, MAX_OPERATIONS, readBatch } from '../registry/validate-batch.ts';
import type { ApiParts } from './api-parts.ts';
import { authorOf } from './author-of.ts';
import { BatchDocument, BatchReplyDocument } from './documents.ts';
import { routeSchema } from './route-schema.ts';

export function addBatchRoutes(app: FastifyInstance, parts: ApiParts): void {
  const { registry, rules } = parts;
  app.post(
    '/v1/batch',
    {
      config: { access: 'known' },
      schema: routeSchema({
        summary: 'Register and deregister many instances in one durable commit, all of them or none',
        description: `At most ${MAX_OPERATIONS} operations, no id twice. A registration that is there already only renews its lease.`,
        tag: 'instances',
        body: BatchDocument,
        replies: { 200: BatchReplyDocument },
        errors: [404, 409, 413, 415, 501, 503],
      }),
    },
    async (request) => {
      const operations = readBatch(request.body, rules());
      checkScopes(request, operations, parts);
      return { results: await registry.batch(operations, authorOf(request)) };
    },
  );
}

/** Throws CodedError `forbidden` with every operation that the token does not reach. */
function checkScopes({ caller }: FastifyRequest, operations: readonly BatchOperation[], { registry }: ApiParts): void {
  const details: ErrorDetail[] = [];
  for (const [index, operation] of operations.entries()) {
    const path = `operations[${index}]`;
    if (operation.op === 'register') {
      const { service } = operation.instance;
      if (!caller.scopes.allows('write', service)) details.push({ path, message: `may not write '${service}'` });
      continue;
    }
    const { id } = operation;
    const service = registry.instance(id)?.instance.service;
    const isAllowed =
      service === undefined ? caller.scopes.allowsUnknownId('write', id) : caller.scopes.allows('write', service);
    // The same words whether it exists or not.
    if (!isAllowed) details.push({ path, message: `may not write instance '${id}', if there is one` });
  }
  if (details.length === 0) return;
  throw new CodedError('forbidden', `token '${caller.tokenId}' may not do all of this batch`, details);
}
