// data-plane.ts -- everything that answers DNS questions: handler, shards, listeners, and what they are told
//
// It is told of the registry's changes and of reloads, and goes on answering whatever becomes of the rest.

import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { DnsConfig } from '../config/config.ts';
import { equalNames, formatName } from '../dns/name.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import { buildView, type ViewPlan } from '../nameserver/build-view.ts';
import type { Client } from '../nameserver/client.ts';
import { Cursors, createCursorMemory } from '../nameserver/cursors.ts';
import { NameIndex } from '../nameserver/name-index.ts';
import { QueryHandler } from '../nameserver/query.ts';
import { QueryCounters, type Transport } from '../nameserver/query-counters.ts';
import type { QuerySettings } from '../nameserver/query-settings.ts';
import { createRateLimitMemory } from '../nameserver/rate-limit.ts';
import type { RegistryNames } from '../nameserver/registry-names.ts';
import { ServicePlaces } from '../nameserver/service-places.ts';
import { timedAnswers } from '../nameserver/timed-answers.ts';
import { currentSoa, isDynamic, View, type ViewState } from '../nameserver/view.ts';
import type { ConnectionTable } from '../net/connection-table.ts';
import { Forwarder } from '../net/forwarder.ts';
import { LoneQueries } from '../net/lone-queries.ts';
import type { Change } from '../registry/change.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import type { Zone } from '../zone/zone.ts';
import { CookieSecrets } from './cookie-secrets.ts';
import { forwarderSettings } from './forwarding.ts';
import type { Prepared } from './prepared.ts';
import { Shards } from './shards.ts';
import { Transfers } from './transfers.ts';
import { Transports } from './transports.ts';
import { querySettings, viewPlan } from './view-plan.ts';

export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** As the server is started; a reload exchanges all but the workers. */
  readonly dns: DnsConfig;
  /** Of this program. */
  readonly version: string;
}

export class DataPlane {
  readonly places = new ServicePlaces();
  /** Undefined when node:dgram answers UDP on the main thread. */
  readonly shards: Shards | undefined;
  /** Asks for names outside every zone. */
  readonly forwarder: Forwarder;
  /** Zones on their way to secondaries. */
  readonly transfers: Transfers;
  readonly #counters = new QueryCounters();
  readonly #cursors: Cursors;
  readonly #index = new NameIndex();
  /** Why there are no shards. */
  readonly #noShards: string | undefined;
  readonly #query: QueryHandler;
  readonly #transports: Transports;
  readonly #lone: LoneQueries;
  readonly #cookieSecrets: CookieSecrets;
  readonly #version: string;
  readonly #clock: Clock;
  #dns: DnsConfig;
  /** What the view was built from. */
  #plan: ViewPlan | undefined;
  #registry: Registry | undefined;
  /** Added to the registry's sequence for the serials of zones: reloads change zones as well. */
  #serialBase = 0;

  constructor({ clock, log, dns, version }: DataPlaneOptions) {
    this.#clock = clock;
    this.#dns = dns;
    this.#version = version;
    this.#cookieSecrets = new CookieSecrets(clock, () => this.#takeSettings());
    const cursorMemory = createCursorMemory();
    const limits = { memory: createRateLimitMemory(), seed: randomInt(2 ** 32) };
    this.#cursors = new Cursors(cursorMemory);
    this.#query = new QueryHandler(new View([]), {
      random: systemRandom,
      counters: this.#counters,
      limits,
      placeOf: (service) => this.places.of(service),
      settings: this.#settings,
      onFailure: (error) => log.error({ err: error }, 'a query could not be answered'),
    });
    this.transfers = new Transfers({
      log,
      view: () => this.view,
      state: () => this.state,
      services: () => this.#registry?.services() ?? [],
      maxUdpSize: () => this.#dns.maxUdpSize,
    });
    const { places } = this;
    const forwarder = this.#makeForwarder(clock, log);
    this.forwarder = forwarder;
    const shards = Shards.start({
      workers: dns.workers,
      cursorMemory,
      limits,
      places,
      log,
      forward: (query, client, reply) => this.#transports.forward(query, client, reply),
    });
    this.shards = typeof shards === 'string' ? undefined : shards;
    this.#noShards = typeof shards === 'string' ? shards : undefined;
    const { pool } = this.shards ?? {};
    if (pool === undefined) log.info({ reason: this.#noShards }, 'UDP is answered on the main thread');
    const answer = timedAnswers(
      (query: Uint8Array, transport: Transport, out, client: Client) => {
        this.#query.setTime(clock);
        return this.#query.respond(query, transport, out, client);
      },
      this.#counters,
      clock,
    );
    const forward = forwarder.forward.bind(forwarder);
    this.#lone = new LoneQueries(answer, { forward });
    this.#transports = new Transports({
      dns,
      answer,
      deferred: { forward, transfer: (query) => this.transfers.open(query) },
      clock,
      log,
      onPortZero: () => this.#counters.dropped('port'),
      onUnproxied: () => this.#counters.dropped('proxy'),
      ...(pool === undefined ? {} : { openUdp: async (endpoint) => pool.open(endpoint) }),
    });
  }

  /** What answers are made of now. */
  get view(): View {
    return this.#query.view;
  }

  get state(): Readonly<ViewState> {
    return this.#query.state;
  }

  /** The endpoints really bound. */
  get endpoints(): Endpoint[] {
    return this.#transports.endpoints;
  }

  /** Those of DNS over TLS. */
  get tlsEndpoints(): Endpoint[] {
    return this.#transports.tlsEndpoints;
  }

  /** Connections over TCP and TLS. */
  get connections(): ConnectionTable {
    return this.#transports.connections;
  }

  /** The counts of every thread that answers. */
  counters(): QueryCounters[] {
    return [this.#counters, ...(this.shards?.counters() ?? [])];
  }

  /** Listen as configured, on nothing else. Rejects, with nothing changed, with CodedError `listen_failed`. */
  async listen(dns: DnsConfig): Promise<void> {
    const listeners = await this.#transports.prepare(dns);
    await listeners.take();
  }

  /** Answer by this configuration and these zones from the next query on. */
  setView(dns: DnsConfig, zones: readonly Zone[]): void {
    const plan = viewPlan(dns, zones);
    this.#take(dns, plan, this.#buildView(plan));
  }

  /**
   * Open and build all that another configuration and its zones need. Rejects, with nothing changed, as `listen` does;
   * `take` then answers by them from the next query on.
   */
  async prepare(dns: DnsConfig, zones: readonly Zone[]): Promise<Prepared> {
    const plan = viewPlan(dns, zones);
    // Answers that are kept, and the serials that secondaries go by, outlive a reload that does not concern names.
    const view = isDeepStrictEqual(plan, this.#plan) ? undefined : this.#buildView(plan);
    const listeners = await this.#transports.prepare(dns);
    return {
      take: async () => {
        this.#take(dns, plan, view);
        await listeners.take();
      },
      abandon: listeners.abandon,
    };
  }

  #buildView(plan: ViewPlan): View {
    const names: RegistryNames = {
      index: this.#index,
      cursors: this.#cursors,
      service: (name) => this.#registry?.service(name),
      serviceCount: () => this.#registry?.serviceCount ?? 0,
    };
    return buildView(plan, names);
  }

  /** Without a view the one in force stays: the plan is the same. */
  #take(dns: DnsConfig, plan: ViewPlan, view: View | undefined): void {
    const before = this.view.zones;
    this.#dns = dns;
    this.#transports.configure(dns);
    this.forwarder.set(forwarderSettings(dns));
    if (view === undefined) {
      this.#takeSettings();
      return;
    }
    this.#plan = plan;
    const settings = this.#settings;
    this.#query.setView(view, settings);
    this.shards?.setView(plan, settings);
    this.#serialBase++;
    this.setState({ serialOffset: this.#serialBase + (this.#registry?.sequence ?? 0) });
    // Nothing is kept that an upstream said of a name which is ours now.
    if (this.view.zones.some(({ zone }) => !before.some((each) => equalNames(each.zone.apex, zone.apex)))) {
      this.forwarder.clearCache();
    }
  }

  /**
   * Answer from what is registered, and from what becomes of it. Nothing counts as loaded yet. `keepsSequence`: the
   * registry's sequence rises over restarts too; else the time of day has to see to it that serials do.
   */
  follow(registry: Registry, keepsSequence: boolean): void {
    this.#registry = registry;
    if (!keepsSequence) this.#serialBase += Math.floor(this.#clock.wallMs() / 1000);
    // Shards first: they take it in while this thread does its own part.
    this.shards?.introduce(registry);
    for (const state of registry.instances()) this.#index.put(state, undefined);
    this.setState({ serialOffset: this.#serialBase + registry.sequence });
    registry.onChange((change) => this.#applyChange(change));
  }

  setState(change: Partial<ViewState>): void {
    Object.assign(this.#query.state, change);
    this.shards?.setState(this.#query.state);
  }

  /** An instance began to fail, or stopped, without any change of its status. */
  tellFailing(state: InstanceState): void {
    this.view.serviceChanged(state.instance.service);
    this.shards?.tellFailing(state);
  }

  /** What balancing goes by now, of instances by service. */
  tellReadings(news: ReadonlyMap<string, readonly InstanceState[]>): void {
    for (const service of news.keys()) this.view.serviceChanged(service);
    this.shards?.tellReadings(news);
  }

  /** What `/v1/status` shows of it; endpoints as text. */
  status(): object {
    const { view, state } = this.#query;
    return {
      udp: this.shards === undefined ? 'dgram' : 'shards',
      ...(this.shards === undefined
        ? { reason: this.#noShards }
        : { shards: this.shards.pool.count, replaced: this.shards.replaced }),
      zones: view.zones.map((served) => ({
        apex: formatName(served.zone.apex),
        file: served.zone.file,
        serial: soaSerial(currentSoa(served, state).rdatas[0]!),
        dynamic: isDynamic(served),
      })),
    };
  }

  /** Answer a query that came by HTTP; it must not change any more. Undefined: there is to be no reply. */
  answer(query: Uint8Array, client: Client): Promise<Uint8Array | undefined> {
    return this.#lone.answer(query, client);
  }

  /** Answer what has arrived, then stop. */
  async close(): Promise<void> {
    this.#cookieSecrets.stop();
    await Promise.all([this.#transports.close(), this.forwarder.close()]);
    await this.shards?.pool.close();
  }

  #makeForwarder(clock: Clock, log: Logger): Forwarder {
    return new Forwarder(forwarderSettings(this.#dns), {
      clock,
      log,
      isOwn: (name) => this.view.zoneOf(name) !== undefined,
      aliasesFor: (request, client) => this.#query.aliasesFor(request, client),
      optionsFor: (request, transport, client) => {
        this.#query.setTime(clock);
        return this.#query.optionsFor(request, transport, client);
      },
      onAnswer: (transport, type, rcode) => this.#counters.answered(transport, type, rcode, -1),
    });
  }

  get #settings(): QuerySettings {
    return querySettings(this.#dns, this.#cookieSecrets.of(this.#dns), this.#version);
  }

  #takeSettings(): void {
    this.#query.setSettings(this.#settings);
    this.shards?.setSettings(this.#settings);
  }

  #applyChange(change: Change): void {
    const { kind, service, instance, before, sequence } = change;
    const touched = [service];
    if (instance !== undefined) {
      if (kind === 'deregister') this.#index.remove(instance);
      else touched.push(...this.#index.put(instance, before));
    }
    for (const each of touched) this.view.serviceChanged(each);
    this.shards?.tell(change);
    this.setState({ serialOffset: this.#serialBase + sequence });
  }
}
