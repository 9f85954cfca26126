// route-schema.ts -- one route's entry in the OpenAPI document

import { type TSchema, Type } from 'typebox';

export interface RouteDocument {
  readonly summary: string;
  readonly description?: string;
  readonly tag: 'services' | 'instances' | 'checks' | 'policies' | 'operation' | 'later';
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** By status; undefined where there is no body. */
  readonly replies: Readonly<Record<number, TSchema | undefined>>;
  /** The statuses of errors beside those that every route may answer with. */
  readonly errors?: readonly number[];
}

const COMMON_ERRORS = [400, 401, 403];

/** The `schema` of a fastify route. */
export function routeSchema(document: RouteDocument): object {
  const response: Record<number, object> = {};
  for (const [status, schema] of Object.entries(document.replies)) {
    const description = schema === undefined ? 'done, no body' : 'done';
    response[Number(status)] = schema === undefined ? { type: 'null', description } : { ...schema, description };
  }
  for (const status of [...COMMON_ERRORS, ...(document.errors ?? [])]) {
    response[status] ??= { ...Type.Ref('Error'), description: 'refused' };
  }
  return {
    summary: document.summary,
    ...(document.description === undefined ? {} : { description: document.description }),
    tags: [document.tag],
    ...(document.query === undefined ? {} : { querystring: document.query }),
    ...(document.body === undefined ? {} : { body: document.body }),
    response,
  };
}
