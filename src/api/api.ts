// api.ts -- the HTTP API: fastify put together, its sockets opened, and both closed in order

import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { HttpLimits } from '../net/http-limits.ts';
import { Listeners, type PreparedHttp, type WantedHttp } from '../net/http-listeners.ts';
import { Access, type AccessOptions } from './access.ts';
import type { ApiBackend, ApiParts } from './api-parts.ts';
import { addBatchRoutes } from './batch-routes.ts';
import { BlockingReads } from './blocking-reads.ts';
import { addCheckRoutes } from './check-routes.ts';
import { addClusterRoutes } from './cluster-routes.ts';
import { addDohRoutes, MAX_DOH_OCTETS } from './doh-routes.ts';
import { closeAfter, sendError } from './error-reply.ts';
import { addExplainRoutes } from './explain-routes.ts';
import { HeaderRefusals } from './header-refusals.ts';
import { addHistoryRoutes } from './history-routes.ts';
import { addInstanceRoutes } from './instance-routes.ts';
import { parseJsonBody } from './json-body.ts';
import { addLifecycleRoutes } from './lifecycle-routes.ts';
import { addDocsRoutes, addOpenApi } from './openapi-routes.ts';
import { addOperationRoutes } from './operation-routes.ts';
import { addPolicyRoutes } from './policy-routes.ts';
import { addRolloutRoutes } from './rollout-routes.ts';
import { addServiceRoutes } from './service-routes.ts';
import { addSimulateRoutes } from './simulate-routes.ts';
import { addUnbuiltRoutes, MethodRefusals, refuseUnknownPath } from './unbuilt-routes.ts';
import { addWatchRoutes } from './watch-routes.ts';
import { DEFAULT_WATCH_LIMITS, Watchers, type WatchLimits } from './watchers.ts';

/** What a reload may change of it. */
export interface WantedApi extends WantedHttp {
  readonly maxBodyBytes: number;
}

export interface ApiOptions extends ApiBackend, WantedApi {
  readonly log: Logger;
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
  /**
   * Open what else is to be listened on. Rejects, with nothing changed, with CodedError `listen_failed`. What `take`
   * puts out of force ends by itself: requests under way are answered, blocking reads at once, and watches are ended.
   */
  prepare(wanted: WantedApi): Promise<PreparedHttp>;
  /** Accept nothing more, answer every blocking read, end every watch, finish what is under way. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: HttpLimits = {
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  maxConnections: 16_384,
  maxConnectionsPerSource: 512,
};
const MAX_HEADER_BYTES = 16_384;
const DEFAULT_MAX_BLOCKING_READS = 1000;
const DEFAULT_CLOSE_GRACE_MS = 5000;
/** An id of 128 characters, every one of them percent-encoded. */
const MAX_PARAM_LENGTH = 384;

/** Open the API. Throws CodedError `listen_failed`, or `invalid` for malformed tokens. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { registry, clock, log, metrics } = options;
  const blockingReads = new BlockingReads(registry, clock, options.maxBlockingReads ?? DEFAULT_MAX_BLOCKING_READS);
  const limits = { ...DEFAULT_WATCH_LIMITS, ...options.watch };
  const watchers = new Watchers({ registry, clock, log, metrics, limits });
  const bound: Endpoint[] = [];
  const access = new Access(options.access, registry, bound);
  const isCurrent = access.isCurrent.bind(access);
  let app: FastifyInstance | undefined;
  let appBodyBytes = 0;
  const refusals = new HeaderRefusals();
  const listeners = new Listeners({
    name: 'http',
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    maxHeaderBytes: MAX_HEADER_BYTES,
    log,
    handler: (request, response) => app?.routing(request, response),
    // Whoever asks before sending a huge body is told before it sends any of it.
    onExpectation: (request, response) => {
      const most = Math.max(appBodyBytes, MAX_DOH_OCTETS);
      if (!(Number(request.headers['content-length']) > most)) response.writeContinue();
      app?.routing(request, response);
    },
    refusalOf: (request) => refusals.replyTo(request),
    onTlsConnection: (socket) => refusals.watch(socket),
  });
  const isLast = listeners.isLast.bind(listeners);
  const parts = { ...options, blockingReads, watchers, isCurrent };
  const prepare = async (wanted: WantedApi): Promise<PreparedHttp> => {
    const { maxBodyBytes } = wanted;
    // Fastify takes its limit once. A replaced application finishes its requests, and holds nothing that wants closing.
    const nextApp =
      app !== undefined && maxBodyBytes === appBodyBytes
        ? app
        : await buildApp({ ...parts, maxBodyBytes }, access, isLast);
    // At the start somebody may ask as soon as the first endpoint is open.
    app ??= nextApp;
    const { take, abandon } = await listeners.prepare(wanted);
    return {
      take: () => {
        app = nextApp;
        appBodyBytes = maxBodyBytes;
        const isLeaving = take();
        bound.splice(0, bound.length, ...listeners.addresses);
        if (isLeaving) {
          blockingReads.wake();
          watchers.leave(isLast);
        }
        return isLeaving;
      },
      abandon,
    };
  };
  const closeParts = async (): Promise<void> => {
    blockingReads.release();
    watchers.close();
    await app?.close();
  };
  const prepared = await prepare(options).catch(async (error: unknown) => {
    await closeParts();
    throw error;
  });
  prepared.take();
  return {
    get addresses() {
      return listeners.addresses;
    },
    prepare,
    setAccess: (next) => {
      access.set(next);
      watchers.retain(isCurrent);
    },
    close: async () => {
      const closed = listeners.close(options.closeGraceMs ?? DEFAULT_CLOSE_GRACE_MS);
      blockingReads.release();
      watchers.close();
      await closed;
      await closeParts();
    },
  };
}

async function buildApp(
  parts: ApiParts & Pick<ApiOptions, 'log' | 'maxBodyBytes'>,
  access: Access,
  isLast: Listeners['isLast'],
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
  addHooks(app, isLast);
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
  addClusterRoutes(app, parts);
  await addDohRoutes(app, parts);
  addUnbuiltRoutes(app);
  await addDocsRoutes(app);
  refusals.add();
  await app.ready();
  return app;
}

function addHooks(app: FastifyInstance, isLast: Listeners['isLast']): void {
  app.addHook('onRequest', async (_request, reply) => {
    setCommonHeaders(reply.raw);
    if (isLast(reply.raw)) closeAfter(reply);
  });
  app.addHook('preParsing', async (request) => {
    const { headers } = request;
    // The type of nothing, or of what nobody looks at, says nothing. It is still read, and bounded.
    if (!takesBody(request) || headers['content-length'] === '0') headers['content-type'] = 'application/json';
  });
  app.addHook('onSend', async (request, reply) => {
    if (isLast(reply.raw)) closeAfter(reply);
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
