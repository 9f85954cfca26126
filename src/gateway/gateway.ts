// gateway.ts -- takes requests of clients to instances of services, by routes

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { ClientZones } from '../routing/client-zones.ts';
import { Picker } from '../routing/picker.ts';
import { type PeerSocket, Trust } from './client-address.ts';
import { Exchange, type Request } from './exchange.ts';
import { ExchangeHost, type WithHead } from './exchange-host.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { GatewayRoute, GatewaySettings } from './gateway-settings.ts';
import type { InstanceLoad } from './instance-load.ts';
import type { Intake } from './intake.ts';
import { dropLeftover } from './leftover-body.ts';
import { List } from './listed.ts';
import { Outliers, type OutlierVerdict } from './outliers.ts';
import { type Refusal, refuse, statusOf } from './refusal.ts';
import { RequestHead } from './request-head.ts';
import { forwardedHeaders, isSecure } from './request-headers.ts';
import { insanityOf } from './request-sanity.ts';
import { RouteRun } from './route-run.ts';
import { type RouteMatch, RouteTable } from './route-table.ts';
import type { ServiceSource } from './service-source.ts';
import { type LoadReading, ServiceUpstreams } from './service-upstreams.ts';
import { askerFor } from './sticky.ts';
import { Upgrades } from './upgrade.ts';
import { plainReply } from './upgrade-reply.ts';
import { UpgradeRun } from './upgrade-run.ts';

export interface GatewayOptions {
  readonly source: ServiceSource;
  readonly settings: GatewaySettings;
  readonly zones: () => ClientZones;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
  /** What came of each request, when it is over. Must not throw. */
  readonly onExchange?: (record: ExchangeRecord) => void;
  /** An instance is to be out, or back. */
  readonly onVerdict?: (verdict: OutlierVerdict) => void;
}

/** One service: its connections, and the pickers of the tags that routes ask for. */
interface Service {
  readonly upstreams: ServiceUpstreams;
  readonly pickers: Map<string, Picker>;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #clock: Clock;
  readonly #outliers: Outliers;
  readonly #services = new Map<string, Service>();
  readonly #exchanges = new List<Exchange>();
  readonly #upgrades: Upgrades;
  readonly #stopListening: () => void;
  readonly #host: ExchangeHost;
  #settings: GatewaySettings;
  #zones: ClientZones;
  #trust: Trust;
  #table: RouteTable;
  #runs: readonly RouteRun[] = [];
  /** Of former settings, with requests that wait. */
  #leaving: readonly RouteRun[] = [];
  #whenEmpty: (() => void)[] = [];

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#upgrades = new Upgrades(options.clock);
    this.#settings = options.settings;
    this.#zones = options.zones();
    this.#outliers = new Outliers({
      clock: options.clock,
      answerable: (service) => this.#answerable(service),
      onVerdict: (verdict) => options.onVerdict?.(verdict),
    });
    const wantsRecords = options.onExchange !== undefined;
    this.#host = new ExchangeHost(this.#clock, wantsRecords, (exchange, record) => this.#ended(exchange, record));
    this.#trust = new Trust(options.settings.trust);
    this.#table = new RouteTable(options.settings.routes);
    this.configure(options.settings);
    this.#stopListening = options.source.onChange((service) => this.#changed(service));
  }

  /**
   * A request of `node:http` or of the compatibility API of `node:http2`. `next`: takes requests that no route is for;
   * without it they are refused.
   */
  handle(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: () => void,
  ): void {
    const beganMs = this.#clock.monotonicMs();
    let head: RequestHead | undefined;
    try {
      checkSanity(request);
      head = new RequestHead(request);
      const match = this.#match(head, next);
      if (match === undefined) return;
      const exchange = new Exchange(this.#host, request, response, this.#take(request, head, match, beganMs));
      this.#exchanges.add(exchange);
      exchange.begin();
    } catch (error) {
      this.#refuse(request, response, head, this.#coded(error), beganMs);
    }
  }

  /** A request that `node:http` hands over with its socket, because it asks for another protocol. `next` as above. */
  upgrade(request: IncomingMessage, socket: Duplex, early: Buffer, next?: () => void): void {
    const beganMs = this.#clock.monotonicMs();
    let head: RequestHead | undefined;
    try {
      checkSanity(request);
      head = new RequestHead(request);
      const match = this.#match(head, next);
      if (match === undefined) return;
      const intake = this.#take(request, head, match, beganMs);
      const exchange = this.#upgrades.open(request, head, socket, early);
      const start = { ...intake, request, socket, exchange };
      new UpgradeRun(this.#host, start, (record) => this.#options.onExchange?.(record)).begin();
    } catch (error) {
      socket.on('error', ignore);
      const response = plainReply(request, socket);
      if (response !== undefined) this.#refuse(request, response, head, this.#coded(error), beganMs);
    }
  }

  /**
   * Go by other settings from the next request on. Requests under way end by the old ones; connections that are of use
   * to the new ones stay.
   */
  configure(settings: GatewaySettings): void {
    this.#settings = settings;
    this.#host.serverTiming = settings.serverTiming;
    this.#trust = new Trust(settings.trust);
    this.#renewPickers();
    const before = new Map(this.#runs.map((run) => [run.route.name, run]));
    this.#runs = settings.routes.map((route) => {
      const known = before.get(route.name);
      if (!known?.is(route)) return this.#run(route);
      before.delete(route.name);
      return known;
    });
    for (const run of before.values()) run.close();
    this.#leaving = [...this.#leaving, ...before.values()].filter(({ queue }) => queue.size > 0);
    this.#table = new RouteTable(settings.routes);
    for (const [name, { upstreams }] of this.#services) {
      const runs = this.#runs.filter(({ route }) => route.service === name);
      upstreams.keepOnly(runs.map(({ way }) => way));
      if (runs.length === 0) this.#services.delete(name);
    }
  }

  /** What is known of every instance that requests were sent to. */
  loads(): LoadReading[] {
    return [...this.#services.values()].flatMap(({ upstreams }) => [...upstreams.loads()]);
  }

  /** Requests under way. */
  get size(): number {
    return this.#exchanges.size + this.#upgrades.size;
  }

  /** What is known of one instance; undefined: nothing was sent to it. */
  loadOf(service: string, id: string): InstanceLoad | undefined {
    return this.#services.get(service)?.upstreams.loadOf(id);
  }

  /** Upgraded connections, and requests to be upgraded. */
  get upgrades(): number {
    return this.#upgrades.size;
  }

  /** Who is out because of what came of requests. */
  get outliers(): Outliers {
    return this.#outliers;
  }

  /** Requests that wait for room at an instance. */
  get waiting(): number {
    return this.#runs.reduce((sum, { queue }) => sum + queue.size, 0);
  }

  /** Refuse what is new, let what is under way end for at most `graceMs`, and cut off the rest. */
  async close(graceMs: number): Promise<void> {
    this.#host.isClosing = true;
    await Promise.all([this.#upgrades.close(graceMs), this.#closeExchanges(graceMs)]);
    this.#stopListening();
    this.#outliers.stop();
    for (const run of this.#runs) run.stop();
    for (const { upstreams } of this.#services.values()) upstreams.destroy();
  }

  async #closeExchanges(graceMs: number): Promise<void> {
    if (this.#exchanges.size === 0) return;
    const cutOff = this.#clock.after(graceMs, () => {
      for (const exchange of this.#exchanges.all()) exchange.cut();
    });
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    cutOff.cancel();
  }

  /** The route; undefined: there is none, and `next` was called. Throws CodedError `no_route` when that is not given. */
  #match(head: RequestHead, next: (() => void) | undefined): RouteMatch | undefined {
    const match = this.#table.find(head);
    if (match !== undefined) return match;
    if (next === undefined) throw new CodedError('no_route', 'no route is for this request');
    next();
    return undefined;
  }

  /** Throws CodedError when the request cannot be let in. */
  #take(request: Request, head: RequestHead, match: RouteMatch, beganMs: number): Intake {
    this.#admit(head);
    const run = this.#runs[match.index]!;
    const { route } = run;
    const peer = this.#trust.peerOf(socketOf(request));
    const address = this.#trust.clientOf(peer, head);
    const host = typeof route.host === 'object' ? route.host.text : head.authority.text;
    return {
      head,
      run,
      target: match.target,
      client: address.text,
      asker: askerFor(route.sticky, address, head, isSecure(head, peer)),
      forwarded: forwardedHeaders(head, peer, host, this.#host.pseudonym),
      isHostInstance: route.host === 'instance' || (route.host === 'client' && host === ''),
      beganMs,
    };
  }

  #admit(head: RequestHead): void {
    if (this.#host.isClosing) throw new CodedError('overloaded', 'the gateway stops');
    if (this.#exchanges.size + this.#upgrades.size >= this.#settings.maxRequests) {
      throw new CodedError('overloaded', 'too many requests are under way');
    }
    if (head.method === 'TRACE' || head.method === 'CONNECT') {
      throw new CodedError('method_not_allowed', `${head.method} is not passed on`);
    }
  }

  #run(route: GatewayRoute): RouteRun {
    const service = this.#serviceOf(route.service);
    const picker = this.#pickerOf(service, route);
    const { upstreams } = service;
    return new RouteRun({ route, picker, upstreams, outliers: this.#outliers, clock: this.#clock });
  }

  #serviceOf(name: string): Service {
    let service = this.#services.get(name);
    if (service === undefined) {
      const upstreams = new ServiceUpstreams(name, this.#options.source, () => this.#freed(name));
      service = { upstreams, pickers: new Map() };
      this.#services.set(name, service);
    }
    return service;
  }

  #pickerOf({ upstreams, pickers }: Service, { service, tags }: GatewayRoute): Picker {
    const key = [...tags].sort().join(' ');
    let picker = pickers.get(key);
    if (picker === undefined) {
      const { source, random } = this.#options;
      picker = new Picker({
        service: () => source.service(service),
        tags,
        zones: this.#zones,
        loadOf: (id) => upstreams.loadOf(id),
        random,
        monotonicMs: () => this.#clock.monotonicMs(),
      });
      pickers.set(key, picker);
    }
    return picker;
  }

  /** Pickers are made for the networks of the zones. */
  #renewPickers(): void {
    const zones = this.#options.zones();
    if (zones === this.#zones) return;
    this.#zones = zones;
    for (const { pickers } of this.#services.values()) pickers.clear();
    for (const run of this.#runs) run.picker = this.#pickerOf(this.#serviceOf(run.route.service), run.route);
  }

  #changed(name: string): void {
    const service = this.#services.get(name);
    if (service === undefined) return;
    for (const picker of service.pickers.values()) picker.changed();
    service.upstreams.changed();
    this.#freed(name);
  }

  /** Somebody who waits may go on. */
  #freed(name: string): void {
    for (const run of this.#runs) if (run.queue.size > 0 && run.route.service === name) this.#host.wakeSoon(run);
    if (this.#leaving.length === 0) return;
    this.#leaving = this.#leaving.filter(({ queue }) => queue.size > 0);
    for (const run of this.#leaving) if (run.route.service === name) this.#host.wakeSoon(run);
  }

  *#answerable(name: string): Generator<string> {
    const instances = this.#options.source.service(name)?.instances;
    if (instances === undefined) return;
    for (const [id, { status }] of instances) if (isAnswerable(status)) yield id;
  }

  #ended(exchange: WithHead, record: ExchangeRecord | undefined): void {
    this.#exchanges.delete(exchange as Exchange);
    if (record !== undefined) this.#options.onExchange?.(record);
    if (this.#exchanges.size === 0) for (const done of this.#whenEmpty.splice(0)) done();
  }

  /** One request that we cannot handle does not end all others. */
  #coded(error: unknown): CodedError {
    if (error instanceof CodedError) return error;
    this.#options.log?.error({ err: error }, 'a request through the gateway failed');
    return new CodedError('internal', 'the gateway failed');
  }

  /** What never became an exchange. */
  #refuse(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    head: RequestHead | undefined,
    { code, message }: CodedError,
    beganMs: number,
  ): void {
    const isLast = this.#host.isClosing || head === undefined;
    const refusal: Refusal = { code, message, requestId: undefined, isLast };
    const sent = response.headersSent ? 0 : refuse(response, refusal);
    response.once('close', () => dropLeftover(request, this.#clock));
    this.#options.onExchange?.({
      route: undefined,
      service: undefined,
      instance: undefined,
      method: request.method ?? '',
      target: request.url ?? '',
      host: head?.authority.text ?? '',
      client: this.#trust.peerOf(socketOf(request)).address.text,
      requestId: '',
      protocol: request.httpVersionMajor === 2 ? 'HTTP/2' : request.httpVersionMinor === 0 ? 'HTTP/1.0' : 'HTTP/1.1',
      status: statusOf(code),
      error: code,
      attempts: 0,
      durationMs: this.#clock.monotonicMs() - beganMs,
      upstreamMs: undefined,
      queuedMs: 0,
      received: 0,
      sent,
    });
  }
}

/** What could be read in two ways is not read at all. Throws CodedError. */
function checkSanity(request: Request): void {
  const insanity = insanityOf(request as IncomingMessage);
  if (insanity !== undefined) throw new CodedError(insanity.code, insanity.message);
}

/** Of HTTP/2 the session's, which is the same for all of its streams. */
function socketOf(request: Request): PeerSocket {
  return 'stream' in request ? (request.stream.session?.socket ?? request.socket) : request.socket;
}

function ignore(): void {}
