// dynamics.ts -- keeps what balancing goes by up to date: load, latency and slow start, as time passes and reports come
//
// One timer for all services, set only while something is to change. What is worked out is no change of the registry:
// no event, no history, no index; the View and the shards are told, each service at most ten times a second.

import type { Clock, Timer } from '../base/clock.ts';
import type { Change } from '../registry/change.ts';
import { type InstanceState, isAnswerable, type Readings } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Registry } from '../registry/registry.ts';
import { isOfUse, ServiceReadings } from '../routing/service-readings.ts';
import { COLD, warmupMs } from '../routing/slow-start.ts';

/** Between two looks at a service; a large one costs more to work out and to answer from, so it waits longer. */
const PACE_MS = 100;
const PACE_MS_PER_INSTANCE = 0.1;

export interface DynamicsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Hears of instances whose readings changed, by service, when the registry shows it. */
  readonly tell: (news: ReadonlyMap<string, readonly InstanceState[]>) => void;
}

interface Tracked {
  readonly name: string;
  readonly readings: ServiceReadings;
  lookedMs: number;
  /** When to look next; infinite: when something is reported. */
  dueMs: number;
}

/** Who is there when it begins is warm, also one whose first result is still to come: its past is not known. */
export class Dynamics {
  readonly #options: DynamicsOptions;
  readonly #services = new Map<string, Tracked>();
  /** Instances that waited for their first result when this began. */
  readonly #pastUnknown = new Set<string>();
  /** Began to warm up, and nobody was told yet. */
  readonly #starting = new Set<string>();
  readonly #unsubscribe: () => void;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #tickedMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  /** Begin when everything that was registered before is there, and after those who must hear of changes first. */
  constructor(options: DynamicsOptions) {
    this.#options = options;
    for (const { instance, status } of options.registry.instances()) {
      if (status === 'pending') this.#pastUnknown.add(instance.id);
    }
    this.#unsubscribe = options.registry.onChange((change) => this.#follow(change));
  }

  /** An instance or a check of it reported load or latency. */
  report({ instance }: InstanceState, report: LoadReport): void {
    if (!isOfUse(this.#options.registry.service(instance.service)?.policy, report)) return;
    const tracked = this.#track(instance.service);
    tracked.readings.note(instance.id, report, this.#options.clock.monotonicMs());
    this.#lookSoon(tracked);
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe();
    this.#timer?.cancel();
  }

  #follow({ kind, service, instance, before }: Change): void {
    const tracked = this.#services.get(service);
    if (tracked !== undefined && kind !== 'health') this.#lookSoon(tracked);
    if (instance === undefined) return;
    const { id } = instance.instance;
    tracked?.readings.touch(id);
    if (kind === 'deregister') {
      this.#pastUnknown.delete(id);
      tracked?.readings.forget(id);
    } else if (isAnswerable(instance.status) && (before === undefined || !isAnswerable(before.status))) {
      this.#begin(instance);
    } else if (!isAnswerable(instance.status) && instance.status !== 'pending') {
      // From here on its past is known.
      this.#pastUnknown.delete(id);
    }
  }

  /** It is in the answers from now on: from nearly nothing, when it warms up. */
  #begin({ instance }: InstanceState): void {
    const { id, service } = instance;
    if (this.#pastUnknown.delete(id)) return;
    if (warmupMs(instance, this.#options.registry.service(service)?.policy) === 0) return;
    this.#track(service).readings.warm(id, this.#options.clock.monotonicMs());
    // At once, not at the next look: clients that meet it with its whole weight keep it for a TTL. But after the batch
    // that it came with.
    if (this.#starting.size === 0) queueMicrotask(() => this.#tellStarting());
    this.#starting.add(id);
  }

  #tellStarting(): void {
    const news = new Map<string, InstanceState[]>();
    const ids = [...this.#starting];
    this.#starting.clear();
    for (const id of ids) {
      const state = this.#options.registry.instance(id);
      if (state === undefined || !isAnswerable(state.status)) continue;
      const { connections, loadReports, loadTrust, latencyMs } = state;
      const readings = { connections, loadReports, loadTrust, latencyMs, warmth: COLD };
      this.#set(news, state.instance.service, id, readings);
      this.#lookSoon(this.#track(state.instance.service));
    }
    this.#tell(news);
  }

  #set(news: Map<string, InstanceState[]>, service: string, id: string, readings: Readings): void {
    const state = this.#options.registry.setReadings(id, readings);
    if (state === undefined) return;
    const told = news.get(service);
    if (told === undefined) news.set(service, [state]);
    else told.push(state);
  }

  #tell(news: ReadonlyMap<string, readonly InstanceState[]>): void {
    if (news.size > 0 && !this.#stopped) this.#options.tell(news);
  }

  #track(name: string): Tracked {
    let tracked = this.#services.get(name);
    if (tracked === undefined) {
      const never = Number.POSITIVE_INFINITY;
      tracked = { name, readings: new ServiceReadings(), lookedMs: -never, dueMs: never };
      this.#services.set(name, tracked);
    }
    return tracked;
  }

  #lookSoon(tracked: Tracked): void {
    const dueMs = this.#dueMs(tracked, this.#options.clock.monotonicMs());
    if (dueMs >= tracked.dueMs) return;
    tracked.dueMs = dueMs;
    this.#arm(dueMs);
  }

  /** Not before `atMs`, and not before it may be looked at again. */
  #dueMs({ name, lookedMs }: Tracked, atMs: number): number {
    const size = this.#options.registry.service(name)?.instances.size ?? 0;
    return Math.max(atMs, lookedMs + Math.max(PACE_MS, size * PACE_MS_PER_INSTANCE));
  }

  #arm(atMs: number): void {
    const dueMs = Math.max(atMs, this.#tickedMs + PACE_MS);
    if (this.#stopped || dueMs >= this.#timerDueMs) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#tickedMs = nowMs;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const news = new Map<string, InstanceState[]>();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const tracked of this.#services.values()) {
      if (tracked.dueMs <= nowMs) this.#look(tracked, nowMs, news);
      nextMs = Math.min(nextMs, tracked.dueMs);
    }
    this.#tell(news);
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs);
  }

  #look(tracked: Tracked, nowMs: number, news: Map<string, InstanceState[]>): void {
    const { name, readings } = tracked;
    tracked.lookedMs = nowMs;
    tracked.dueMs = Number.POSITIVE_INFINITY;
    const service = this.#options.registry.service(name);
    if (service !== undefined) {
      const { changed, nextMs } = readings.reckon(service, nowMs);
      for (const { id, readings: each } of changed) this.#set(news, name, id, each);
      if (nextMs !== undefined) tracked.dueMs = this.#dueMs(tracked, nextMs);
    }
    if (service === undefined || readings.isEmpty) this.#services.delete(name);
  }
}
