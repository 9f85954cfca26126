// service-dispatcher.ts -- an undici dispatcher for which names of services are hosts: an instance for each request

import { Agent, type Dispatcher } from 'undici';
import { formatEndpoint } from '../base/ip.ts';
import { type EndpointSource, type ServiceHost, serviceHost } from './endpoint-source.ts';
import type { Lease } from './lease.ts';
import { toRollcallError } from './rollcall-error.ts';

export interface ServiceDispatcherOptions {
  /** Lower case, without dots at the ends. */
  readonly domains: readonly string[];
  /** Other instances that a request may be sent to. */
  readonly retries: number;
  /** Options of the undici Agent below, which has a pool for each instance. */
  readonly agent?: Agent.Options;
}

type Dispatch = Dispatcher.Dispatch;
type Controller = Dispatcher.DispatchController;

/** How long an instance may take to accept a connection. */
const CONNECT_MS = 3000;
/** Methods that may be sent twice (RFC 9110 section 9.2.2), when they have no body to be sent twice. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** A dispatcher over an agent of its own; closing the agent closes it. */
export function createServiceDispatcher(
  source: EndpointSource,
  options: ServiceDispatcherOptions,
): { dispatcher: Dispatcher; agent: Agent } {
  const agent = new Agent({ keepAliveTimeout: 10_000, connectTimeout: CONNECT_MS, ...options.agent });
  const dispatcher = agent.compose((dispatch) => (request, handler) => {
    const url = originOf(request);
    const host = url === undefined ? undefined : serviceHost(url.hostname, options.domains);
    if (url === undefined || host === undefined) return dispatch(request, handler);
    void new ServiceRequest(source, options, dispatch, { request, handler, url, host }).send();
    return true;
  });
  return { dispatcher, agent };
}

function originOf({ origin }: Dispatcher.DispatchOptions): URL | undefined {
  if (origin instanceof URL) return origin;
  return origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined;
}

interface Asked {
  readonly request: Dispatcher.DispatchOptions;
  readonly handler: Dispatcher.DispatchHandler;
  readonly url: URL;
  readonly host: ServiceHost;
}

/** One request, on one instance after the other until one takes it. */
class ServiceRequest implements Dispatcher.DispatchHandler {
  readonly #source: EndpointSource;
  readonly #options: ServiceDispatcherOptions;
  readonly #dispatch: Dispatch;
  readonly #asked: Asked;
  readonly #tried: string[] = [];
  #lease: Lease | undefined;
  #sentMs = 0;
  #latencyMs: number | undefined;
  /** The request was written, or part of it, to the instance tried last. */
  #isSent = false;
  #hasReply = false;

  constructor(source: EndpointSource, options: ServiceDispatcherOptions, dispatch: Dispatch, asked: Asked) {
    this.#source = source;
    this.#options = options;
    this.#dispatch = dispatch;
    this.#asked = asked;
  }

  /** Never rejects: what goes wrong goes to the handler. `last`: what went wrong with the instance before. */
  async send(last?: Error): Promise<void> {
    const { request, handler, url, host } = this.#asked;
    try {
      this.#lease = await this.#source.pick(host, this.#tried);
    } catch (thrown) {
      const error = last ?? toRollcallError(thrown);
      handler.onResponseError?.(NO_CONTROLLER, error);
      return;
    }
    this.#tried.push(this.#lease.id);
    this.#isSent = false;
    this.#sentMs = performance.now();
    try {
      const origin = `${url.protocol}//${formatEndpoint(this.#lease)}`;
      this.#dispatch({ ...request, origin, headers: withHost(request.headers, url.host) }, this);
    } catch (thrown) {
      this.#finish(true);
      handler.onResponseError?.(NO_CONTROLLER, thrown as Error);
    }
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#isSent = true;
    this.#asked.handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>): void {
    this.#hasReply = true;
    const [, , , socket] = args;
    const lease = this.#lease;
    socket.once('close', () => lease?.done());
    this.#asked.handler.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    const [, status] = args;
    if (status >= 200) this.#latencyMs = performance.now() - this.#sentMs;
    this.#hasReply = true;
    this.#asked.handler.onResponseStart?.(...args);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#asked.handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#finish(false, this.#latencyMs);
    this.#asked.handler.onResponseEnd?.(...args);
  }

  onResponseError(controller: Controller, error: Error): void {
    const isAborted = controller?.aborted === true;
    if (isAborted) this.#lease?.done();
    else this.#finish(true);
    if (!isAborted && this.#mayRepeat() && this.#tried.length <= this.#options.retries) void this.send(error);
    else this.#asked.handler.onResponseError?.(controller ?? NO_CONTROLLER, error);
  }

  #mayRepeat(): boolean {
    if (this.#hasReply) return false;
    if (!this.#isSent) return true;
    const { method, body } = this.#asked.request;
    return REPEATABLE.has(method) && (body === null || body === undefined);
  }

  #finish(failed: boolean, latencyMs?: number): void {
    this.#lease?.done({ failed, ...(latencyMs === undefined ? {} : { latencyMs }) });
  }
}

/** For errors before there is a request on any connection. */
const NO_CONTROLLER: Controller = {
  aborted: false,
  paused: false,
  reason: null,
  abort: () => {},
  pause: () => {},
  resume: () => {},
};

type Headers = Dispatcher.DispatchOptions['headers'];

/** The host as it was asked for, unless the caller states another one. */
function withHost(headers: Headers, host: string): Exclude<Headers, undefined> {
  if (headers === undefined || headers === null) return { host };
  if (Array.isArray(headers)) {
    const names = headers as readonly string[];
    const isStated = names.some((name, i) => i % 2 === 0 && String(name).toLowerCase() === 'host');
    return isStated ? headers : ['host', host, ...(headers as string[])];
  }
  if (typeof (headers as Iterable<unknown>)[Symbol.iterator] === 'function') {
    const entries = [...(headers as Iterable<[string, string | string[] | undefined]>)];
    const isStated = entries.some(([name]) => name.toLowerCase() === 'host');
    return isStated ? entries : [['host', host], ...entries];
  }
  const isStated = Object.keys(headers).some((name) => name.toLowerCase() === 'host');
  return isStated ? headers : { ...headers, host };
}
