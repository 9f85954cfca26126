// data-plane.ts -- everything that answers DNS questions: handler, shards, listeners, and what they are told
//
// It is told of the registry's changes and of reloads, and goes on answering whatever becomes of the rest.

import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { DnsConfig } from '../config/config.ts';
import { formatName } from '../dns/name.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import { buildView } from '../nameserver/build-view.ts';
import { Cursors, createCursorMemory } from '../nameserver/cursors.ts';
import { NameIndex } from '../nameserver/name-index.ts';
import { QueryHandler } from '../nameserver/query.ts';
import { QueryCounters } from '../nameserver/query-counters.ts';
import type { RegistryNames } from '../nameserver/registry-names.ts';
import { ServicePlaces } from '../nameserver/service-places.ts';
import { timedAnswers } from '../nameserver/timed-answers.ts';
import { currentSoa, View, type ViewState } from '../nameserver/view.ts';
import type { Change } from '../registry/change.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import type { Zone } from '../zone/zone.ts';
import { DnsListeners } from './listeners.ts';
import { Shards } from './shards.ts';
import { querySettings, viewPlan } from './view-plan.ts';

export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** As the server is started; `setView` exchanges all but the workers. */
  readonly dns: DnsConfig;
}

export class DataPlane {
  readonly places = new ServicePlaces();
  /** Undefined when node:dgram answers UDP on the main thread. */
  readonly shards: Shards | undefined;
  readonly #counters = new QueryCounters();
  readonly #cursors: Cursors;
  readonly #index = new NameIndex();
  /** Why there are no shards. */
  readonly #noShards: string | undefined;
  readonly #query: QueryHandler;
  readonly #listeners: DnsListeners;
  #registry: Registry | undefined;

  constructor({ clock, log, dns }: DataPlaneOptions) {
    const cursorMemory = createCursorMemory();
    this.#cursors = new Cursors(cursorMemory);
    this.#query = new QueryHandler(new View([]), {
      random: systemRandom,
      counters: this.#counters,
      placeOf: (service) => this.places.of(service),
      settings: querySettings(dns),
      onFailure: (error) => log.error({ err: error }, 'a query could not be answered'),
    });
    const { places } = this;
    const shards = Shards.start({ workers: dns.workers, cursorMemory, places, log });
    this.shards = typeof shards === 'string' ? undefined : shards;
    this.#noShards = typeof shards === 'string' ? shards : undefined;
    const { pool } = this.shards ?? {};
    if (pool === undefined) log.info({ reason: this.#noShards }, 'UDP is answered on the main thread');
    this.#listeners = new DnsListeners({
      answer: timedAnswers(this.#query.respond.bind(this.#query), this.#counters, clock),
      clock,
      log,
      onPortZero: () => this.#counters.dropped('port'),
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
    return this.#listeners.endpoints;
  }

  /** The counts of every thread that answers. */
  counters(): QueryCounters[] {
    return [this.#counters, ...(this.shards?.counters() ?? [])];
  }

  /** Listen as configured, on nothing else. Rejects, with nothing changed, with CodedError `listen_failed`. */
  async listen(dns: DnsConfig): Promise<void> {
    await this.#listeners.set(dns.listen);
  }

  /** Answer by this configuration and these zones from the next query on. */
  setView(dns: DnsConfig, zones: readonly Zone[]): void {
    const names: RegistryNames = {
      index: this.#index,
      cursors: this.#cursors,
      service: (name) => this.#registry?.service(name),
      serviceCount: () => this.#registry?.serviceCount ?? 0,
    };
    const plan = viewPlan(dns, zones);
    const settings = querySettings(dns);
    this.#query.setView(buildView(plan, names), settings);
    this.shards?.setView(plan, settings);
  }

  /** Answer from what is registered, and from what becomes of it. Nothing counts as loaded yet. */
  follow(registry: Registry): void {
    this.#registry = registry;
    // Shards first: they take it in while this thread does its own part.
    this.shards?.introduce(registry);
    for (const { instance } of registry.instances()) this.#index.put(instance, undefined);
    this.setState({ serialOffset: registry.sequence });
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
        dynamic: served.domain !== undefined,
      })),
    };
  }

  /** Answer what has arrived, then stop. */
  async close(): Promise<void> {
    await this.#listeners.close();
    await this.shards?.pool.close();
  }

  #applyChange(change: Change): void {
    const { kind, service, instance, before, sequence } = change;
    const touched = [service];
    if (instance !== undefined) {
      if (kind === 'deregister') this.#index.remove(instance.instance);
      else if (kind !== 'health') touched.push(...this.#index.put(instance.instance, before?.instance));
    }
    for (const each of touched) this.view.serviceChanged(each);
    this.shards?.tell(change);
    this.setState({ serialOffset: sequence });
  }
}
