// client.ts -- `rollcall/client`: register, watch, pick, and reach services by name, for Node programs
//
// Everything that goes on in the background is tried again for as long as the client is open, and ends with close().

import type { AgentOptions } from 'node:http';
import type { AgentOptions as HttpsAgentOptions } from 'node:https';
import type { Agent, Dispatcher } from 'undici';
import { ApiCalls } from './api-calls.ts';
import type { ClientOptions } from './client-options.ts';
import { type EndpointSource, ViewEndpoints } from './endpoint-source.ts';
import type { Lease } from './lease.ts';
import { localAddressTowards } from './local-address.ts';
import { Registration } from './registration.ts';
import type { RegisterOptions, RegistrationSpec } from './registration-options.ts';
import { RollcallError, toRollcallError } from './rollcall-error.ts';
import {
  createServiceLookup,
  type ServiceAgentParts,
  ServiceHttpAgent,
  ServiceHttpsAgent,
  type ServiceLookup,
} from './service-agents.ts';
import { createServiceDispatcher } from './service-dispatcher.ts';
import type { ServiceChange } from './service-document.ts';
import { type PickOptions, ServiceView } from './service-view.ts';
import { SrvEndpoints, type SrvOptions } from './srv-endpoints.ts';
import { Watch } from './watch.ts';

export type { BackOffOptions } from './back-off.ts';
export type { ClientLogger, ClientOptions, ClientTls, TokenSource } from './client-options.ts';
export type { Lease, LeaseOutcome } from './lease.ts';
export type { Registration, RegistrationPatch } from './registration.ts';
export type { HealthReport, RegisterOptions, RegistrationSpec, RegistrationState } from './registration-options.ts';
export { RollcallError } from './rollcall-error.ts';
export type {
  ChangeKind,
  CheckDocument,
  InstanceDocument,
  PolicyDocument,
  ServiceChange,
  ServiceDocument,
} from './service-document.ts';
export type { PickOptions, ServiceView } from './service-view.ts';
export type { SrvOptions } from './srv-endpoints.ts';
export type { Watch } from './watch.ts';

/** How hosts are told from services, and where instances come from. */
export interface ResolveOptions {
  /** Names below these are services; all others go straight through. Default `service.local`. */
  readonly domain?: string | readonly string[];
  /** `api` (default): the live view, with the policy's own picks. `dns`: SRV records, for programs that reach DNS only. */
  readonly source?: 'api' | 'dns';
  readonly dns?: SrvOptions;
  /** Other instances that are tried when one cannot be reached. Default 2. */
  readonly retries?: number;
}

/** `listener` of a watch; when it returns a promise, the next change waits for that. */
export type ChangeListener = (change: ServiceChange) => void | Promise<void>;

const TIMEOUT_MS = 5000;
const DEFAULT_RETRIES = 2;
const DEFAULT_DOMAIN = 'service.local';

/** A client of one server, or of several that share a registry. Throws RollcallError `invalid`. */
export function createClient(options: ClientOptions): RollcallClient {
  return new RollcallClient(options);
}

export class RollcallClient {
  readonly #options: ClientOptions;
  readonly #calls: ApiCalls;
  /** To be ended with the client. */
  readonly #open = new Set<{ close(): unknown }>();
  readonly #unlisten: () => void;
  #view: ServiceView | undefined;
  #address: Promise<string> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#calls = new ApiCalls(options);
    const close = (): void => void this.close();
    options.signal?.addEventListener('abort', close);
    this.#unlisten = () => options.signal?.removeEventListener('abort', close);
    if (options.signal?.aborted) close();
  }

  /** The server that is used now. Throws RollcallError `invalid` where none was stated. */
  get url(): string {
    return this.#calls.url;
  }

  /**
   * Register this program as an instance, and keep it registered: heartbeats, and a new registration when the server
   * was started anew and has forgotten. A server that is away is asked again for as long as it takes.
   */
  register(spec: RegistrationSpec, options: RegisterOptions = {}): Registration {
    const parts = {
      calls: this.#calls,
      localAddress: () => this.#localAddress(),
      backOff: this.#options.backOff,
      onError: this.#onError,
    };
    return new Registration(parts, spec, options);
  }

  /** Hear of the changes of a service. */
  watch(service: string, listener: ChangeListener): Watch;
  /** Hear of the changes of all services that the token may read. */
  watch(listener: ChangeListener): Watch;
  watch(first: string | ChangeListener, second?: ChangeListener): Watch {
    const service = typeof first === 'string' ? first.toLowerCase() : undefined;
    const onChange = typeof first === 'string' ? second! : first;
    return new Watch(this.#calls, { ...this.#following(), service, onChange });
  }

  /** A live view of some services, for picks without asking. The caller closes it. */
  view(services: string | readonly string[] = []): ServiceView {
    const names = typeof services === 'string' ? [services] : services;
    return new ServiceView(this.#calls, names, {
      ...this.#following(),
      ...(this.#options.zone === undefined ? {} : { zone: this.#options.zone }),
      address: () => this.#ownAddress(),
    });
  }

  /**
   * An instance for one request, from a view that the client keeps; the first pick of a service waits until it was
   * read. Say `done()` on the lease when the request ends. Throws RollcallError `no_instance`, or why the service cannot
   * be read.
   */
  async pick(service: string, options?: PickOptions): Promise<Lease> {
    const view = this.#ownView();
    if (!view.isRead(service)) await view.add(service);
    return view.pick(service, options);
  }

  /**
   * An undici dispatcher for `fetch(url, { dispatcher })` and `undici.request`: `http://cart-service.service.local/` goes
   * to an instance that is picked for this request, with that `Host`. One that cannot be reached is passed over, and the
   * request goes to another when nothing of it was sent, or it is a GET, HEAD or OPTIONS without a reply.
   */
  dispatcher(options: ResolveOptions & { readonly agent?: Agent.Options } = {}): Dispatcher {
    const { source, domains, retries } = this.#resolving(options);
    const { dispatcher, agent } = createServiceDispatcher(source, {
      domains,
      retries,
      ...(options.agent === undefined ? {} : { agent: options.agent }),
    });
    this.#open.add({ close: () => agent.destroy() });
    return dispatcher;
  }

  /** An agent for `http.request`: an instance is picked for each connection. */
  httpAgent({ agent, ...options }: ResolveOptions & { readonly agent?: AgentOptions } = {}): ServiceHttpAgent {
    const made = new ServiceHttpAgent(this.#resolving(options), agent);
    this.#open.add({ close: () => made.destroy() });
    return made;
  }

  /** An agent for `https.request`. */
  httpsAgent({ agent, ...options }: ResolveOptions & { readonly agent?: HttpsAgentOptions } = {}): ServiceHttpsAgent {
    const made = new ServiceHttpsAgent(this.#resolving(options), agent);
    this.#open.add({ close: () => made.destroy() });
    return made;
  }

  /** A `lookup` for node:net, node:http and whatever takes one: addresses only, the port must be known. */
  lookup(options: ResolveOptions = {}): ServiceLookup {
    return createServiceLookup(this.#resolving(options));
  }

  /**
   * End everything that was made by this client: registrations stop (and run out), watches and views too. Resolves when
   * no timer, socket or listener is left.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#unlisten();
    await Promise.all([this.#calls.close(), this.#view?.close(), ...[...this.#open].map((each) => each.close())]);
    this.#open.clear();
  }

  #following() {
    const { silenceMs, backOff } = this.#options;
    return {
      ...(silenceMs === undefined ? {} : { silenceMs }),
      ...(backOff === undefined ? {} : { backOff }),
      onError: this.#onError,
    };
  }

  #resolving({
    domain = DEFAULT_DOMAIN,
    source = 'api',
    dns = {},
    retries = DEFAULT_RETRIES,
  }: ResolveOptions): ServiceAgentParts {
    if (this.#closing !== undefined) throw new RollcallError('closed', 'the client is closed');
    const domains = [domain].flat().map((each) => each.toLowerCase().replace(/^\.|\.$/g, ''));
    return { source: source === 'dns' ? this.#srvEndpoints(dns) : this.#viewEndpoints(), domains, retries };
  }

  #srvEndpoints(dns: SrvOptions): EndpointSource {
    const endpoints = new SrvEndpoints(dns);
    this.#open.add(endpoints);
    return endpoints;
  }

  #viewEndpoints(): EndpointSource {
    return new ViewEndpoints(this.#ownView());
  }

  #ownView(): ServiceView {
    this.#view ??= this.view();
    return this.#view;
  }

  /** As routing sees this program. It is not worth waiting for long, or failing. */
  async #ownAddress(): Promise<string> {
    const { address } = this.#options;
    return address ?? (await this.#localAddress().catch(() => '127.0.0.1'));
  }

  #localAddress(): Promise<string> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    this.#address ??= localAddressTowards(this.#calls, timeoutMs).catch((thrown) => {
      this.#address = undefined;
      throw toRollcallError(thrown);
    });
    return this.#address;
  }

  readonly #onError = (error: RollcallError): void => {
    const { logger, onError } = this.#options;
    if (error.code === 'closed') return;
    logger?.warn(`rollcall: ${error.code}: ${error.message}`);
    onError?.(error);
  };
}
