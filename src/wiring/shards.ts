// shards.ts -- joins the registry and the UDP shards: who is told what, and how many shards there are

import { availableParallelism } from 'node:os';
import type { Logger } from '../base/log.ts';
import type { ViewPlan } from '../nameserver/build-view.ts';
import {
  memberNews,
  type News,
  newsOf,
  policyNews,
  type RegistryNews,
  readingsNews,
  tellMember,
} from '../nameserver/news.ts';
import type { LimitTables } from '../nameserver/query.ts';
import { createCounterMemory, QueryCounters } from '../nameserver/query-counters.ts';
import type { QuerySettings } from '../nameserver/query-settings.ts';
import type { ServicePlaces } from '../nameserver/service-places.ts';
import type { ViewState } from '../nameserver/view.ts';
import { CONTROL, ShardPool, type ShardPoolOptions } from '../net/shard-pool.ts';
import { loadSocketCalls } from '../net/socket-calls.ts';
import type { Change } from '../registry/change.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';

/** What the composition root of a shard is handed beside its port (`ShardStart.extra`). */
export interface ShardExtra {
  readonly cursorMemory: SharedArrayBuffer;
  readonly counterMemory: SharedArrayBuffer;
  readonly limits: LimitTables;
}

export interface ShardsOptions {
  readonly workers: number | 'auto';
  readonly cursorMemory: SharedArrayBuffer;
  readonly limits: LimitTables;
  readonly places: ServicePlaces;
  readonly log: Logger;
  /** FORWARD: have a query asked upstream. Without it, no settings may say so. */
  readonly forward?: ShardPoolOptions['forward'];
}

/** Instances in one message, when everything is told. */
const BULK = 1000;

/** The module of a shard, beside `server.ts`, in sources and in the build alike. */
const SCRIPT = new URL(import.meta.url.endsWith('.ts') ? '../shard.ts' : '../shard.js', import.meta.url);

export class Shards {
  readonly pool: ShardPool;
  readonly #options: ShardsOptions;
  readonly #counters = new Map<number, QueryCounters>();
  readonly #memories = new Map<number, SharedArrayBuffer>();
  #registry: Registry | undefined;
  #view: { plan: ViewPlan; settings: QuerySettings } | undefined;
  #replaced = 0;

  /** Shards, or the reason why there can be none: then UDP is node:dgram's. */
  static start(options: ShardsOptions): Shards | string {
    if (options.workers === 0) return 'dns.workers is 0';
    const calls = loadSocketCalls();
    if (typeof calls === 'string') return calls;
    return new Shards(options, calls);
  }

  private constructor(options: ShardsOptions, calls: Exclude<ReturnType<typeof loadSocketCalls>, string>) {
    this.#options = options;
    const count = options.workers === 'auto' ? Math.max(1, availableParallelism() - 1) : options.workers;
    this.pool = new ShardPool({
      calls,
      count,
      script: SCRIPT,
      log: options.log,
      extra: (number) => this.#extra(number),
      briefing: () => this.#briefing(),
      onReplaced: () => this.#replaced++,
      ...(options.forward === undefined ? {} : { forward: options.forward }),
    });
  }

  /** How many shards died and were replaced. */
  get replaced(): number {
    return this.#replaced;
  }

  /** The counts of every shard; those of one that died go on with its successor. */
  counters(): Iterable<QueryCounters> {
    return this.#counters.values();
  }

  /** Tell everything that is registered; what changes later comes as changes. */
  introduce(registry: Registry): void {
    this.#registry = registry;
    for (const news of this.#registryNews()) this.pool.post(news);
  }

  /** Tell of a change. */
  tell(change: Change): void {
    const serviceOf = (service: string) => this.#registry?.service(service);
    this.pool.post(newsOf(change, serviceOf, (service) => this.#options.places.of(service)));
  }

  /** Tell of an instance that is not registered anew, but is failing, or not any more. */
  tellFailing(state: InstanceState): void {
    this.pool.post(memberNews(state, this.#options.places.of(state.instance.service)));
  }

  /** Tell what balancing goes by, of instances by service. */
  tellReadings(news: ReadonlyMap<string, readonly InstanceState[]>): void {
    this.pool.post({ op: 'bulk', news: Array.from(news, ([service, states]) => readingsNews(service, states)) });
  }

  /** Another generation of zones and settings. */
  setView(plan: ViewPlan, settings: QuerySettings): void {
    this.#view = { plan, settings };
    this.pool.post({ op: 'view', plan, settings } satisfies News);
  }

  /** Other settings for the same zones. */
  setSettings(settings: QuerySettings): void {
    if (this.#view !== undefined) this.#view = { ...this.#view, settings };
    this.pool.post({ op: 'settings', settings } satisfies News);
  }

  /** What answers depend on beside names: in shared memory, seen at the next batch. */
  setState(state: ViewState): void {
    const { control } = this.pool;
    Atomics.store(control, CONTROL.SERIAL, state.serialOffset | 0);
    Atomics.store(control, CONTROL.LOADED, state.isLoaded ? 1 : 0);
    Atomics.store(control, CONTROL.STALE, state.isStale ? 1 : 0);
  }

  #extra(number: number): ShardExtra {
    const known = this.#memories.get(number) ?? createCounterMemory();
    this.#memories.set(number, known);
    this.#counters.set(number, new QueryCounters(known));
    const { cursorMemory, limits } = this.#options;
    return { cursorMemory, limits, counterMemory: known };
  }

  *#briefing(): Generator<News> {
    if (this.#view !== undefined) yield { op: 'view', ...this.#view };
    yield* this.#registryNews();
  }

  *#registryNews(): Generator<News> {
    let news: RegistryNews[] = [];
    let told = 0;
    for (const service of this.#registry?.services() ?? []) {
      const { name, policy, instances } = service;
      const place = this.#options.places.of(name);
      if (policy !== undefined) news.push(policyNews(name, service, place));
      const members = Array.from(instances.values(), tellMember);
      for (let from = 0; from < members.length; from += BULK) {
        news.push({ op: 'members', service: name, place, members: members.slice(from, from + BULK) });
        told += Math.min(BULK, members.length - from);
        if (told < BULK) continue;
        yield { op: 'bulk', news };
        news = [];
        told = 0;
      }
    }
    if (news.length > 0) yield { op: 'bulk', news };
  }
}
