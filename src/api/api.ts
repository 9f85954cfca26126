// api.ts -- the HTTP API: fastify put together, its sockets opened, and both closed in order

import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { Access, type AccessOptions } from './access.ts';
import type { ApiBackend, ApiParts } from './api-parts.ts';
import { addBatchRoutes } from './batch-routes.ts';
import { BlockingReads } from './blocking-reads.ts';
import { addCheckRoutes } from './check-routes.ts';
import { addDohRoutes } from './doh-routes.ts';
import { closeAfter, sendError } from './error-reply.ts';
import { addExplainRoutes } from './explain-routes.ts';
import { addHistoryRoutes } from './history-routes.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './http-limits.ts';
import { addInstanceRoutes } from './instance-routes.ts';
import { parseJsonBody } from './json-body.ts';
import { addLifecycleRoutes } from './lifecycle-routes.ts';
import { Listeners, type TlsMaterial } from './listener.ts';
import { addDocsRoutes, addOpenApi } from './openapi-routes.ts';
import { addOperationRoutes } from './operation-routes.ts';
import { addPolicyRoutes } from './policy-routes.ts';
import { addRolloutRoutes } from './rollout-routes.ts';
import { addServiceRoutes } from './service-routes.ts';
import { addSimulateRoutes } from './simulate-routes.ts';
import { addUnbuiltRoutes, MethodRefusals, refuseUnknownPath } from './unbuilt-routes.ts';
import { addWatchRoutes } from './watch-routes.ts';
import { DEFAULT_WATCH_LIMITS, Watchers, type WatchLimits } from './watchers.ts';

export interface ApiOptions extends ApiBackend {
  readonly log: Logger;
  /** Port 0: the system picks one. */
  readonly listen: readonly Endpoint[];
  readonly tls?: TlsMaterial;
  readonly maxBodyBytes: number;
  readonly access: AccessOptions;
  readonly limits?: Partial<HttpLimits>;
  /** Blocking reads that may wait at a time; default 1000. */
  readonly maxBlockingReads?: number;
  readonly watch?: Partial<WatchLimits>;
  /** How long `close` waits for requests under way; default 5000. */
  readonly closeGraceMs?: number;
}

/** The API while it runs. */
export interface Api {
  /** Where it listens, in the order asked for. */
  readonly addresses: readonly Endpoint[];
  /** Other tokens and hosts, from now on. Throws CodedError `invalid`, changing nothing. */
  setAccess(access: AccessOptions): void;
  /** Another certificate for new connections, on a server that was started with one. */
  setTls(tls: TlsMaterial): void;
  /** Accept nothing more, answer every blocking read, end every watch, finish what is under way. */
  close(): Promise<void>;
}

const DEFAULT_MAX_BLOCKING_READS = 1000;
const DEFAULT_CLOSE_GRACE_MS = 5000;
/** An id of 128 characters, every one of them percent-encoded. */
const MAX_PARAM_LENGTH = 384;

/** Open the API. Throws CodedError `listen_failed`, or `invalid` for malformed tokens. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { registry, clock, log, metrics, maxBodyBytes } = options;
  const blockingReads = new BlockingReads(registry, clock, options.maxBlockingReads ?? DEFAULT_MAX_BLOCKING_READS);
  const limits = { ...DEFAULT_WATCH_LIMITS, ...options.watch };
  const watchers = new Watchers({ registry, clock, log, metrics, limits });
  const bound: Endpoint[] = [];
  const access = new Access(options.access, registry, bound);
  const state = { isClosing: false };
  const isCurrent = access.isCurrent.bind(access);
  const app = await buildApp({ ...options, blockingReads, watchers, isCurrent }, access, state);
  const closeParts = async (): Promise<void> => {
    blockingReads.release();
    watchers.close();
    await app.close();
  };
  const listeners = await Listeners.open({
    listen: options.listen,
    tls: options.tls,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    maxBodyBytes,
    log,
    handler: (request, response) => app.routing(request, response),
  }).catch(async (error: unknown) => {
    await closeParts();
    throw error;
  });
  bound.push(...listeners.addresses);
  return {
    addresses: listeners.addresses,
    setAccess: (next) => {
      access.set(next);
      watchers.retain(isCurrent);
    },
    setTls: (tls) => listeners.setTls(tls),
    close: async () => {
      state.isClosing = true;
      blockingReads.release();
      watchers.close();
      await listeners.close(options.closeGraceMs ?? DEFAULT_CLOSE_GRACE_MS);
      await closeParts();
    },
  };
}

async function buildApp(
  parts: ApiParts & Pick<ApiOptions, 'log' | 'maxBodyBytes'>,
  access: Access,
  state: { readonly isClosing: boolean },
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: parts.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: parts.maxBodyBytes,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(reply.raw);
      return sendError(error, request, reply);
    },
  }) as unknown as FastifyInstance;
  // Schemas describe only: registry/ alone decides what is valid, and replies are plain JSON.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler(refuseUnknownPath);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => (takesBody(request) ? parseJsonBody(body) : undefined),
  );
  addHooks(app, state);
  access.guard(app);
  const refusals = new MethodRefusals(app);
  await addOpenApi(app);
  addServiceRoutes(app, parts);
  addHistoryRoutes(app, parts);
  addWatchRoutes(app, parts);
  addInstanceRoutes(app, parts);
  addBatchRoutes(app, parts);
  addLifecycleRoutes(app, parts);
  addCheckRoutes(app, parts);
  addPolicyRoutes(app, parts);
  addRolloutRoutes(app, parts);
  addExplainRoutes(app, parts);
  addSimulateRoutes(app, parts);
  addOperationRoutes(app, parts);
  await addDohRoutes(app, parts);
  addUnbuiltRoutes(app);
  await addDocsRoutes(app);
  refusals.add();
  await app.ready();
  return app;
}

function addHooks(app: FastifyInstance, state: { readonly isClosing: boolean }): void {
  app.addHook('onRequest', async (_request, reply) => {
    setCommonHeaders(reply.raw);
    if (state.isClosing) closeAfter(reply);
  });
  app.addHook('preParsing', async (request) => {
    const { headers } = request;
    // The type of nothing, or of what nobody looks at, says nothing. It is still read, and bounded.
    if (!takesBody(request) || headers['content-length'] === '0') headers['content-type'] = 'application/json';
  });
  app.addHook('onSend', async (request, reply) => {
    if (state.isClosing) closeAfter(reply);
    // Fastify sets it for bodies that it does not read to their end, and HTTP/2 knows no such header.
    if (request.raw.httpVersionMajor > 1) reply.removeHeader('connection');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    const caller = request.caller?.tokenId;
    request.log.debug(
      { method, url: url.slice(0, 256), status: reply.statusCode, ms: reply.elapsedTime, caller },
      'http',
    );
  });
}

function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined;
}

/** No reply is to be stored, framed, sniffed or run. */
function setCommonHeaders(raw: { setHeader(name: string, value: string): unknown }): void {
  raw.setHeader('cache-control', 'no-store');
  raw.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  raw.setHeader('referrer-policy', 'no-referrer');
  raw.setHeader('x-content-type-options', 'nosniff');
  raw.setHeader('x-frame-options', 'DENY');
}
