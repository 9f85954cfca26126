// cluster.ts -- joins the server and the cluster it may be a node of; of a server alone it makes a cluster of one
//
// What the cluster decides reaches the rest from here: whose checks run on this node, who does what only one may do,
// and whether what is known may be old.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { ClusterReport } from '../api/cluster-report.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { rfc3339 } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config/config.ts';
import type { CheckReport } from '../health/check-report.ts';
import type { Registry, RegistryOptions } from '../registry/registry.ts';
import type { SharedStoreState, Store } from '../registry/store.ts';
import type { StoredEntry } from '../registry/stored.ts';
import { type ClusterFigures, exposeClusterMetrics } from './cluster-metrics.ts';

/** How often it is looked whether the others are still heard of. */
const LOOK_MS = 500;

export interface ClusterHostOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  readonly config: Pick<Config, 'store' | 'health'>;
  readonly version: string;
  /** What is known may be old, or no longer. */
  readonly onStale: (isStale: boolean) => void;
}

/** What concerns only a node that shares its store. Before `begin` it is nobody's turn. */
export class ClusterHost {
  readonly #options: ClusterHostOptions;
  readonly #startedAtMs: number;
  readonly #early: { entry: StoredEntry; revision: number }[] = [];
  readonly #onAssignments = new Set<(instanceId: string) => void>();
  readonly #onElected = new Set<() => void>();
  readonly #name: string;
  #registry: Registry | undefined;
  #cluster: Cluster | undefined;
  #isStale = false;
  #look: Timer | undefined;

  constructor(options: ClusterHostOptions) {
    this.#options = options;
    const { store } = options.config;
    this.#startedAtMs = options.clock.wallMs();
    this.#name = store.kind === 'etcd' ? store.node : hostname();
    exposeClusterMetrics(options.metrics, () => this.#figures);
    this.#judge();
  }

  /** Is the store one that several nodes share? */
  get isShared(): boolean {
    return this.#options.store.shared !== undefined;
  }

  /** What the registry must be opened with. */
  get registryOptions(): Pick<RegistryOptions, 'onForeign' | 'fence'> {
    if (!this.isShared) return {};
    return {
      onForeign: (entry, revision) => {
        if (this.#cluster === undefined) this.#early.push({ entry, revision });
        else this.#cluster.take(entry, revision);
      },
      fence: () => this.#cluster!.fence(),
    };
  }

  /** The registry is loaded: who else is there, and what did they find? `report` takes what nodes agree on. */
  begin(registry: Registry, report: (instanceId: string, checkId: string, result: CheckReport) => void): void {
    this.#registry = registry;
    const { store, clock, log, config, version } = this.#options;
    if (store.shared === undefined) return;
    const { replicas, quorum } = config.health;
    const cluster = new Cluster({
      store,
      clock,
      log,
      settings: { replicas, quorum },
      self: { name: this.#name, version },
      run: randomBytes(8).toString('hex'),
      registry: {
        instance: (id) => registry.instance(id),
        instances: () => registry.instances(),
        onChange: (listener) => registry.onChange(listener),
        reportResult: report,
      },
    });
    for (const { entry, revision } of this.#early.splice(0)) cluster.take(entry, revision);
    cluster.onAssignments((instanceId) => {
      for (const listener of this.#onAssignments) listener(instanceId);
    });
    cluster.onElection(() => {
      for (const listener of this.#onElected) listener();
    });
    this.#cluster = cluster;
  }

  /** Be a member from now on, reached at these addresses. */
  async join(http: readonly string[]): Promise<void> {
    await this.#cluster?.start(http);
  }

  /** Does this node run the checks of an instance? */
  isMine(instanceId: string): boolean {
    return this.#cluster?.isMine(instanceId) ?? true;
  }

  /** Hear of every instance of which `isMine` may have changed. */
  onAssignments(listener: (instanceId: string) => void): void {
    this.#onAssignments.add(listener);
  }

  /** Is this the node that does what only one may do? */
  get isElected(): boolean {
    return !this.isShared || this.#cluster?.isElected === true;
  }

  onElected(listener: () => void): void {
    this.#onElected.add(listener);
  }

  /** A result of a check that this node runs. False: it is alone, and its word holds as it is. */
  report(instanceId: string, checkId: string, result: CheckReport): boolean {
    this.#cluster?.report(instanceId, checkId, result);
    return this.#cluster !== undefined;
  }

  /** What the checks of an instance come to at each node; nothing to tell where there is one node. */
  vantages(instanceId: string): ReturnType<Cluster['vantages']> {
    return this.#cluster?.vantages(instanceId) ?? [];
  }

  get #figures(): ClusterFigures {
    const { isElected } = this;
    if (this.#cluster === undefined) return { members: 1, isElected, checks: this.#checkedHere(), silentMs: 0 };
    const { checks, silentMs } = this.#cluster.status();
    return { members: this.#cluster.members().length, isElected, checks, silentMs };
  }

  #checkedHere(): number {
    let count = 0;
    for (const { instance } of this.#registry?.instances() ?? []) if (instance.checks.length > 0) count++;
    return count;
  }

  /** What `GET /v1/cluster` shows; `http`: where this server is reached now. */
  async describe(http: readonly string[]): Promise<ClusterReport> {
    const { store, version } = this.#options;
    const name = this.#name;
    const { shared } = store;
    const cluster = this.#cluster;
    if (shared === undefined || cluster === undefined) {
      const member = { name, version, http, startedAt: rfc3339(this.#startedAtMs) };
      return {
        node: name,
        elected: name,
        silentMs: 0,
        stale: this.#isStale,
        members: [{ node: name, ...member, isSelf: true, isElected: true }],
        checks: Array.from(this.#registry?.instances() ?? []).filter(({ instance }) => instance.checks.length > 0)
          .length,
        store: { kind: store.kind, revision: this.#registry?.sequence ?? 0, endpoints: [] },
      };
    }
    const { node, elected, silentMs, checks } = cluster.status();
    return {
      node,
      elected: elected ?? null,
      silentMs: Number.isFinite(silentMs) ? Math.round(silentMs) : null,
      stale: this.#isStale,
      members: cluster.members().map(({ node: each, isSelf, member }) => ({
        node: each,
        name: member.name,
        version: member.version,
        http: member.http,
        startedAt: rfc3339(member.startedAtMs),
        isSelf,
        isElected: each === elected,
      })),
      checks,
      store: presentStore(store.kind, await shared.describe()),
    };
  }

  /** Leave, so that others take over at once. */
  async stop(): Promise<void> {
    this.#look?.cancel();
    await this.#cluster?.stop();
  }

  #judge(): void {
    const { store, clock, config, onStale } = this.#options;
    if (store.shared === undefined || config.store.kind !== 'etcd') return;
    const isStale = store.shared.silentMs() > config.store.staleAfterMs;
    if (isStale !== this.#isStale) onStale(isStale);
    this.#isStale = isStale;
    this.#look = clock.after(LOOK_MS, () => this.#judge());
  }
}

function presentStore(kind: string, { revision, endpoints }: SharedStoreState): ClusterReport['store'] {
  return {
    kind,
    revision,
    endpoints: endpoints.map(({ url, up, reason, version, isLeader, revision: at, sizeOctets }) => ({
      url,
      up,
      ...(reason === undefined ? {} : { reason }),
      ...(version === undefined ? {} : { version }),
      ...(isLeader === undefined ? {} : { leader: isLeader }),
      ...(at === undefined ? {} : { revision: at, lag: Math.max(0, at - revision) }),
      ...(sizeOctets === undefined ? {} : { sizeBytes: sizeOctets }),
    })),
  };
}
