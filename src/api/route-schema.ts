// route-schema.ts -- one route's entry in the OpenAPI document

import { type TSchema, Type } from 'typebox';

export interface RouteDocument {
  readonly summary: string;
  readonly description?: string;
  readonly tag: 'services' | 'instances' | 'checks' | 'policies' | 'operation' | 'later';
  readonly query?: TSchema;
  /** Headers that the route looks at beside those of every route. */
  readonly headers?: readonly (keyof typeof REQUEST_HEADERS)[];
  readonly body?: TSchema;
  /** Types of the body; default: JSON. */
  readonly bodyTypes?: readonly string[];
  /** By status; undefined where there is no body. */
  readonly replies: Readonly<Record<number, TSchema | undefined>>;
  /** Headers of these replies. */
  readonly replyHeaders?: readonly (keyof typeof REPLY_HEADERS)[];
  /** The statuses of errors beside those that every route may answer with, and 412 where there are conditions. */
  readonly errors?: readonly number[];
}

const COMMON_ERRORS = [400, 401, 403];

const REQUEST_HEADERS = {
  'If-Match': 'Only while this is the ETag; `*`: only while there is one.',
  'If-None-Match': 'Only `*`: while there is none yet.',
  'Last-Event-ID': 'Go on behind this event.',
};

const REPLY_HEADERS = {
  ETag: 'For If-Match.',
  Location: 'The path of what was made, if it was.',
  'X-Rollcall-Index': 'The index of the service, for `index`; also with 404.',
  'X-Rollcall-Event-Id': 'The last event that this reply reflects, for `since`.',
};

/** The `schema` of a fastify route. */
export function routeSchema(document: RouteDocument): object {
  const { headers = [], replyHeaders = [] } = document;
  const response: Record<number, object> = {};
  const described = replyHeaders.length === 0 ? {} : { headers: describe(replyHeaders, REPLY_HEADERS) };
  for (const [status, schema] of Object.entries(document.replies)) {
    const description = schema === undefined ? 'done, no body' : 'done';
    response[Number(status)] = { ...(schema ?? { type: 'null' }), description, ...described };
  }
  const conditional = headers.some((name) => name !== 'Last-Event-ID') ? [412] : [];
  for (const status of [...COMMON_ERRORS, ...conditional, ...(document.errors ?? [])]) {
    response[status] ??= { ...Type.Ref('Error'), description: 'refused' };
  }
  return {
    summary: document.summary,
    ...(document.description === undefined ? {} : { description: document.description }),
    tags: [document.tag],
    ...(document.query === undefined ? {} : { querystring: document.query }),
    ...(headers.length === 0 ? {} : { headers: { type: 'object', properties: describe(headers, REQUEST_HEADERS) } }),
    ...(document.body === undefined ? {} : { body: document.body }),
    ...(document.bodyTypes === undefined ? {} : { consumes: document.bodyTypes }),
    response,
  };
}

function describe<T extends string>(names: readonly T[], texts: Readonly<Record<T, string>>): object {
  return Object.fromEntries(names.map((name) => [name, { type: 'string', description: texts[name] }]));
}

/**
 * A name for an operation: PUT /v1/instances/:id/checks/:check is `putInstanceCheck`, GET /v1/services is `getServices`.
 * A part of the path that is followed by a parameter is in the plural there, and in the singular here.
 */
export function operationId(method: string, url: string): string {
  const parts = url.replace(/^\/v1\//, '/').replaceAll(/s?\/:\w+/g, '');
  const words = parts.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}
