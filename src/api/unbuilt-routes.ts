// unbuilt-routes.ts -- what there is to say about paths and methods that nothing is behind: 404, 405, 501

import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify';
import { CodedError } from '../base/errors.ts';
import type { RouteAccess } from './access.ts';

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** Promised by the contract and not built yet: path, methods, who may learn that. */
const LATER: readonly (readonly [path: string, methods: HTTPMethods[], access?: RouteAccess])[] = [
  ['/', ['GET']],
  ['/v1/prometheus/targets', ['GET']],
  ['/v1/agent/*', METHODS],
  ['/v1/catalog/*', METHODS],
  ['/v1/health/*', METHODS],
  ['/v1/status/leader', ['GET']],
  ['/v1/kv/*', METHODS],
];

/** Answer `not_supported` for what is not built yet. */
export function addUnbuiltRoutes(app: FastifyInstance): void {
  for (const [url, method, access = 'known'] of LATER) {
    app.route({
      url,
      method,
      config: { access },
      schema: { hide: true },
      // Before the body is looked at, whatever its type.
      onRequest: async () => {
        throw new CodedError('not_supported', `${url.replace(/:(\w+)/g, '{$1}')} is not supported yet`);
      },
      handler: unreachable,
    });
  }
}

async function unreachable(): Promise<never> {
  throw new Error('a refused request came through');
}

/** Knows every route of the application from now on; `add` then refuses their other methods. */
export class MethodRefusals {
  readonly #app: FastifyInstance;
  readonly #methods = new Map<string, Set<HTTPMethods>>();

  constructor(app: FastifyInstance) {
    this.#app = app;
    app.addHook('onRoute', ({ url, method }: RouteOptions) => {
      const known = this.#methods.get(url) ?? new Set();
      this.#methods.set(url, known);
      for (const each of Array.isArray(method) ? method : [method]) known.add(each);
    });
  }

  /** Answer `method_not_allowed`, with Allow, for what is left over on every path so far. */
  add(): void {
    for (const [url, known] of [...this.#methods]) {
      const rest = METHODS.filter((each) => !known.has(each) && !this.#app.hasRoute({ url, method: each }));
      const allow = [...known].join(', ');
      if (rest.length === 0) continue;
      this.#app.route({
        url,
        method: rest,
        config: { access: 'known' },
        schema: { hide: true },
        onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
          reply.header('allow', allow);
          throw new CodedError('method_not_allowed', `${request.method} is not a method of this path; ${allow} are`);
        },
        handler: unreachable,
      });
    }
  }
}

/** The last word on every other path. */
export async function refuseUnknownPath(): Promise<never> {
  throw new CodedError('not_found', 'there is nothing at this path; /openapi.json lists what there is');
}
