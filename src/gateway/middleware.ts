// middleware.ts -- `rollcall/gateway`: the gateway as a function, for servers of other people's programs
//
// It picks an instance for each request by the same routing as the server's own gateway, from a view of the services
// that lives in this process. Verdicts on instances that fail stay in this process too.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import { NO_CLIENT_ZONES, zoneOfAll } from '../routing/client-zones.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { Gateway } from './gateway.ts';
import { watchGone } from './gone-instances.ts';
import type { MiddlewareOptions } from './middleware-options.ts';
import type { OutlierVerdict } from './outliers.ts';
import { readMiddleware } from './read-middleware.ts';
import type { ServiceSource } from './service-source.ts';

export { RollcallError } from '../client/rollcall-error.ts';
export type {
  Duration,
  RouteLimitOptions,
  RouteOptions,
  RouteOutlierOptions,
  RouteRetryOptions,
  RouteTlsOptions,
} from './middleware-options.ts';
export type { ExchangeRecord, MiddlewareOptions, OutlierVerdict, ServiceSource };

/** How much is under way. */
export interface GatewayStatus {
  /** Requests, without upgraded connections. */
  readonly inFlight: number;
  /** Of these, those that wait for a free connection. */
  readonly queued: number;
  /** Upgraded connections. */
  readonly upgrades: number;
  /** Instances that are out because of what came of requests to them. */
  readonly ejected: number;
}

/** What is needed of a fastify instance. */
export interface FastifyLike {
  addHook(
    name: 'onRequest',
    hook: (
      request: { readonly raw: IncomingMessage | Http2ServerRequest },
      reply: { readonly raw: ServerResponse | Http2ServerResponse; hijack(): unknown },
      done: () => void,
    ) => void,
  ): unknown;
}

/** A plugin for `app.register`. */
export type FastifyPlugin = (app: FastifyLike, options: object, done: (error?: Error) => void) => void;

/** For requests under way. */
const CLOSE_GRACE_MS = 5000;

/** A gateway for a server that is there already. Throws RollcallError `invalid`, with every problem in `details`. */
export function createGateway(options: MiddlewareOptions): RollcallGateway {
  return new RollcallGateway(options);
}

export class RollcallGateway {
  readonly #gateway: Gateway;
  readonly #view: { readonly ready: Promise<void>; close(): Promise<void> } | undefined;
  readonly #stopWatching: () => void;
  #closing: Promise<void> | undefined;

  constructor(options: MiddlewareOptions) {
    const { settings, zone } = readMiddleware(options);
    const services = new Set(settings.routes.map(({ service }) => service));
    const view = options.client?.view([...services]);
    const source = options.source ?? view!;
    const zones = zone === undefined ? NO_CLIENT_ZONES : zoneOfAll(zone);
    const { onExchange, onVerdict } = options;
    this.#view = view;
    this.#gateway = new Gateway({
      source,
      settings,
      zones: () => zones,
      clock: systemClock,
      random: systemRandom,
      ...(onExchange === undefined ? {} : { onExchange: guarded(onExchange) }),
      ...(onVerdict === undefined ? {} : { onVerdict: guarded(onVerdict) }),
    });
    this.#stopWatching = watchGone(source, services, (id) => this.#gateway.outliers.forget(id));
  }

  /**
   * Resolves when the services were read for the first time; until then requests are answered 503 `no_instance`. Rejects
   * with RollcallError when a service cannot be read. With a `source` it resolves at once.
   */
  get ready(): Promise<void> {
    return this.#view?.ready ?? Promise.resolve();
  }

  get status(): GatewayStatus {
    const { size, upgrades, waiting, outliers } = this.#gateway;
    return { inFlight: size - upgrades, queued: waiting, upgrades, ejected: outliers.ejected };
  }

  /**
   * Take a request: a listener for `http.createServer` and `http2.createSecureServer`, or middleware. `next` is called
   * for requests that no route is for; without it they are answered 404. Nothing may have read the body before.
   *
   * Routes are about `request.url` and instances see what is left of it, so under `app.use('/shop', gateway.handle)`,
   * where express takes `/shop` off, the prefix `/cart` takes `/shop/cart`.
   */
  readonly handle = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: () => void,
  ): void => this.#gateway.handle(request, response, next);

  /**
   * Take a connection that becomes another protocol's, as WebSockets do: `server.on('upgrade', gateway.upgrade)`. `next`
   * as above, for servers that have upgrades of their own.
   */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void): void =>
    this.#gateway.upgrade(request, socket, head, next);

  /**
   * A plugin: `app.register(gateway.fastify)`. It takes requests before fastify reads their bodies, in the whole app,
   * wherever it is registered. Requests that no route is for go on to the app's own routes.
   */
  readonly fastify: FastifyPlugin = Object.assign(
    ((app, _options, done) => {
      app.addHook('onRequest', (request, reply, next) => {
        let isTaken = true;
        this.handle(request.raw, reply.raw, () => {
          isTaken = false;
        });
        if (isTaken) reply.hijack();
        else next();
      });
      done();
    }) satisfies FastifyPlugin,
    { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'rollcall-gateway' },
  );

  /**
   * Refuse what is new, let what is under way end for at most `graceMs`, cut off the rest, and let go of all
   * connections. The server itself is not closed, nor a `source`.
   */
  close(graceMs: number = CLOSE_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(graceMs: number): Promise<void> {
    await this.#gateway.close(graceMs);
    this.#stopWatching();
    await this.#view?.close();
  }
}

/** What a listener throws is its program's to hear of, and must not leave a request half ended. */
function guarded<T>(listener: (news: T) => void): (news: T) => void {
  return (news) => {
    try {
      listener(news);
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  };
}
