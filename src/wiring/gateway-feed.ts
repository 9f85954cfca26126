// gateway-feed.ts -- what the gateway sees of instances, told once a second for `least-connections` and `latency` in DNS

import type { Clock, Timer } from '../base/clock.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Registry } from '../registry/registry.ts';
import type { PeakLatency } from '../routing/peak-latency.ts';

const FEED_MS = 1000;
/** One look in a second sees a crowd or nobody by chance: of what is new this part counts. */
const NEW_PART = 0.25;
/** So few connections are none. */
const NONE = 0.05;

/** What the gateway has with an instance now. */
export interface GatewayLoad {
  readonly instance: string;
  readonly inFlight: number;
  readonly latency: PeakLatency | undefined;
}

export interface GatewayFeedOptions {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'instance' | 'service'>;
  /** Every instance that the gateway knows. */
  readonly loads: () => Iterable<GatewayLoad>;
  /** `Dynamics.report`. */
  readonly report: (state: InstanceState, report: LoadReport) => void;
}

/** Tells until it is stopped. Instances without requests are not told of; what was known of them fades. */
export class GatewayFeed {
  readonly #options: GatewayFeedOptions;
  /** Averages of those that have requests. */
  #connections = new Map<string, number>();
  #toldMs: number;
  #timer: Timer;

  constructor(options: GatewayFeedOptions) {
    this.#options = options;
    this.#toldMs = options.clock.monotonicMs();
    this.#timer = options.clock.after(FEED_MS, () => this.#tick());
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    const { clock, registry, loads } = this.#options;
    const nowMs = clock.monotonicMs();
    const averages = new Map<string, number>();
    for (const { instance, inFlight, latency } of loads()) {
      const state = registry.instance(instance);
      if (state === undefined) continue;
      const strategy = registry.service(state.instance.service)?.policy?.strategy;
      if (strategy === 'least-connections') this.#tellConnections(state, inFlight, averages);
      else if (strategy === 'latency') this.#tellLatency(state, latency);
    }
    this.#connections = averages;
    this.#toldMs = nowMs;
    this.#timer = clock.after(FEED_MS, () => this.#tick());
  }

  #tellConnections(state: InstanceState, inFlight: number, averages: Map<string, number>): void {
    const { id } = state.instance;
    const before = this.#connections.get(id);
    if (before === undefined && inFlight === 0) return;
    const average = before === undefined ? inFlight : before + (inFlight - before) * NEW_PART;
    const isNone = inFlight === 0 && average < NONE;
    if (!isNone) averages.set(id, average);
    this.#options.report(state, { isGateway: true, connections: isNone ? 0 : average });
  }

  #tellLatency(state: InstanceState, latency: PeakLatency | undefined): void {
    if (latency === undefined || latency.atMs <= this.#toldMs) return;
    this.#options.report(state, { isGateway: true, latencyMs: latency.valueMs });
  }
}
