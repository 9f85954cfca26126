// server.ts -- the composition root: builds the parts, joins them, reloads, stops
//
// Two arrows run here and nowhere else: a health result into the registry (wiring/health.ts), and a registry change
// into the nameserver.

import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { Api, WantedApi } from './api/api.ts';
import { rfc3339, systemClock } from './base/clock.ts';
import { errorMessage, errorsIn, formatProblem, LocatedError, type Problem } from './base/errors.ts';
import { type Endpoint, formatEndpoint } from './base/ip.ts';
import { createLogger, type Logger } from './base/log.ts';
import { createMetricsRegistry } from './base/metrics.ts';
import type { Config } from './config/config.ts';
import { FileWatch } from './config/file-watch.ts';
import { readValidZones, readZones, type ZoneFiles } from './config/zone-files.ts';
import { Registry } from './registry/registry.ts';
import type { Store } from './registry/store.ts';
import type { InstanceRules } from './registry/validate-instance.ts';
import type { RunningSchedules } from './schedule/maintenance-schedules.ts';
import type { StoreClaim } from './stores/store-claim.ts';
import { ClusterHost } from './wiring/cluster.ts';
import { exposeConnectionMetrics, exposeTransferMetrics } from './wiring/connection-metrics.ts';
import { DataPlane } from './wiring/data-plane.ts';
import { foresightOf } from './wiring/foresight.ts';
import { exposeForwardMetrics } from './wiring/forward-metrics.ts';
import { GatewayHost } from './wiring/gateway.ts';
import { type HealthWiring, reportTo, startHealth } from './wiring/health.ts';
import { boundHeapGrowth } from './wiring/heap-growth.ts';
import { startMaintenance } from './wiring/maintenance.ts';
import { exposeQueryMetrics, exposeRegistryMetrics, exposeReloadMetrics, timedStore } from './wiring/metrics.ts';
import { openStore } from './wiring/open-store.ts';
import { type Prepared, prepareAll } from './wiring/prepared.ts';
import { needRestart } from './wiring/restart-needs.ts';
import { startTimedWork, type TimedWork } from './wiring/timed-work.ts';
import { tlsContents } from './wiring/tls-files.ts';
import { TtlNotes } from './wiring/ttl-notes.ts';
import { domainSettings, instanceRules, shadowWarnings } from './wiring/view-plan.ts';
import { watchedFiles } from './wiring/watched-files.ts';

const clock = systemClock;

export interface ServerOptions {
  readonly config: Config;
  /** Read the configuration again, for a reload; static instances may not have an id that is taken. */
  readonly reloadConfig: (isTaken: (id: string) => boolean) => {
    readonly config?: Config | undefined;
    readonly problems: readonly Problem[];
  };
  readonly version: string;
  /** The folder of an lmdb store when it is claimed already; it passes to the server. */
  readonly storeClaim?: StoreClaim | undefined;
}

export interface ReloadResult {
  /** Errors when nothing was changed; warnings otherwise. */
  readonly problems: readonly Problem[];
}

export interface RunningServer {
  readonly addresses: {
    readonly dns: readonly Endpoint[];
    /** DNS over TLS. */
    readonly tls: readonly Endpoint[];
    readonly http: readonly Endpoint[];
    readonly gateway: readonly Endpoint[];
  };
  /** Read configuration and zones again; on any error everything stays as it is. */
  reload(): Promise<ReloadResult>;
  /** Be told when a reload has changed the addresses; in place of whoever was told before. */
  onAddresses(listener: (addresses: RunningServer['addresses']) => void): void;
  /** Orderly stop; resolves when everything is released. */
  stop(): Promise<void>;
}

/**
 * Start a server. Rejects with a LocatedError for zone files, a CodedError for the store, or the system's error for a
 * listener, having released what was opened.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new Server(options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server implements RunningServer {
  readonly #options: ServerOptions;
  readonly #log: Logger;
  readonly #metrics: MetricsRegistry = createMetricsRegistry();
  readonly #dns: DataPlane;
  readonly #gateway: GatewayHost;
  readonly #ttls = new TtlNotes({
    clock,
    domains: () => domainSettings(this.#config.dns),
    service: (name) => this.#registry?.service(name),
  });
  readonly #countReload: (result: 'ok' | 'failed') => void;
  readonly #watch: FileWatch;
  readonly #startedMs = clock.wallMs();
  #config: Config;
  #zones: ZoneFiles = { zones: [], problems: [], files: [] };
  #store: Store | undefined;
  #registry: Registry | undefined;
  #cluster: ClusterHost | undefined;
  #health: HealthWiring | undefined;
  #timed: TimedWork | undefined;
  #api: Api | undefined;
  #schedules: RunningSchedules | undefined;
  #ready = false;
  /** The reload under way, or the start. */
  #reloading: Promise<unknown> = Promise.resolve();
  /** One that has not begun yet: it will see whatever has changed until it does. */
  #nextReload: Promise<ReloadResult> | undefined;
  #lastReload: { at: string; result: 'ok' | 'failed' } | undefined;
  #stopped: Promise<void> | undefined;
  #tellAddresses: Parameters<RunningServer['onAddresses']>[0] = () => {};

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#config = options.config;
    // Standard output belongs to what people read; logs go beside it.
    this.#log = createLogger(options.config.log.level, pino.destination({ fd: 2, sync: true }));
    this.#countReload = exposeReloadMetrics(this.#metrics);
    this.#dns = new DataPlane({ clock, log: this.#log, dns: options.config.dns, version: options.version });
    this.#gateway = new GatewayHost({
      clock,
      log: this.#log,
      metrics: this.#metrics,
      places: this.#dns.places,
      registry: () => this.#registry,
      report: (state, report) => this.#timed?.dynamics.report(state, report),
    });
    exposeConnectionMetrics(this.#metrics, this.#dns.connections);
    exposeTransferMetrics(this.#metrics, this.#dns.transfers);
    exposeQueryMetrics(this.#metrics, () => this.#dns.counters(), this.#dns.places);
    exposeForwardMetrics(this.#metrics, this.#dns.forwarder);
    this.#watch = new FileWatch({ clock, log: this.#log, onChange: () => void this.reload() });
  }

  get addresses(): RunningServer['addresses'] {
    const { endpoints: dns, tlsEndpoints: tls } = this.#dns;
    return { dns, tls, http: this.#api?.addresses ?? [], gateway: this.#gateway.addresses };
  }

  onAddresses(listener: Parameters<RunningServer['onAddresses']>[0]): void {
    this.#tellAddresses = listener;
  }

  /** A reload that is asked for meanwhile comes after. */
  start(): Promise<void> {
    const started = this.#start();
    this.#reloading = started.catch(() => {});
    return started;
  }

  async #start(): Promise<void> {
    const config = this.#config;
    this.#zones = readValidZones(config.dns);
    this.#followFiles();
    this.#dns.setView(config.dns, this.#zones.zones);
    // Names are ours from the first packet on: SERVFAIL until the registry is loaded, never NXDOMAIN.
    await this.#dns.listen(config.dns);
    const opened = await openStore(config.store, this.#log, this.#options.storeClaim);
    const store = timedStore(opened, this.#metrics, clock);
    this.#store = store;
    const { version } = this.#options;
    const metrics = this.#metrics;
    const onStale = (isStale: boolean) => this.#dns.setState({ isStale });
    const cluster = new ClusterHost({ store, clock, log: this.#log, metrics, config, version, onStale });
    this.#cluster = cluster;
    const registry = await Registry.open({
      store,
      ...cluster.registryOptions,
      clock,
      log: this.#log,
      leasesWait: true,
      keepHistory: true,
      keepSequence: true,
      onReport: (state, report) => this.#timed?.dynamics.report(state, report),
    });
    this.#registry = registry;
    this.#dns.follow(registry, opened.kind !== 'memory');
    this.#ttls.noteAll(registry.services());
    registry.onChange((change) => this.#ttls.note(change));
    registry.setStatic(config.services);
    this.#timed = startTimedWork(registry, { clock, log: this.#log, dns: this.#dns, gateway: this.#gateway, cluster });
    exposeRegistryMetrics(this.#metrics, registry, store, this.#dns.places);
    const report = reportTo(registry, (state) => {
      this.#dns.tellFailing(state);
      this.#gateway.tell(state.instance.service);
    });
    cluster.begin(registry, report);
    this.#health = startHealth(registry, config.health, {
      log: this.#log,
      metrics: this.#metrics,
      ownEndpoints: () => Object.values(this.addresses).flat(),
      cluster,
      report,
    });
    this.#dns.setState({ isLoaded: true });
    this.#api = await this.#startApi(registry, this.#timed, cluster);
    await (await this.#gateway.prepare(config)).take();
    registry.openLeases();
    this.#schedules = startMaintenance(config.schedules, registry, this.#log, cluster);
    await cluster.join(texts(this.addresses.http));
    this.#ready = true;
    boundHeapGrowth();
    for (const problem of this.#zoneWarnings()) this.#log.warn({ problem: formatProblem(problem) }, 'zone file');
    this.#log.info(allTexts(this.addresses), 'ready');
  }

  reload(): Promise<ReloadResult> {
    if (this.#nextReload !== undefined) return this.#nextReload;
    const run = this.#reloading.then(() => {
      this.#nextReload = undefined;
      return this.#reloadOnce();
    });
    this.#nextReload = run;
    this.#reloading = run;
    return run;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopInOrder();
    return this.#stopped;
  }

  /** New work is refused first, what feeds on the registry next, the registry and its store last. */
  async #stopInOrder(): Promise<void> {
    const wasReady = this.#ready;
    this.#ready = false;
    await this.#reloading;
    this.#watch.stop();
    await this.#schedules?.stop();
    await Promise.all([this.#gateway.close(), this.#api?.close()]);
    await this.#timed?.stop();
    await this.#dns.close();
    await this.#health?.stop();
    await this.#cluster?.stop();
    await this.#registry?.stop();
    await this.#store?.close();
    if (wasReady) this.#log.info('stopped');
  }

  #zoneWarnings(): Problem[] {
    const services = Array.from(this.#registry?.services() ?? [], ({ name }) => name);
    return [...this.#zones.problems, ...shadowWarnings(this.#config.dns, this.#zones.zones, services)];
  }

  async #startApi(registry: Registry, { rollouts }: TimedWork, cluster: ClusterHost): Promise<Api> {
    const { http, auth } = this.#config;
    // Only here: its modules take as long to load as a quarter of a large store, and names are answered without them.
    const { startApi } = await import('./api/api.ts');
    return await startApi({
      registry,
      clock,
      log: this.#log,
      metrics: this.#metrics,
      ...wantedHttp(http),
      access: { tokens: auth.tokens, allowHosts: http.allowHosts },
      rules: () => this.#instanceRules(),
      heartbeat: (instanceId, beat) => this.#health?.heartbeat(instanceId, beat),
      answerDns: (query, client) => this.#dns.answer(query, client),
      rollouts,
      foresight: foresightOf(() => this.#dns.view, registry, clock),
      ttlInForceSeconds: (instance) => this.#ttls.inForceSeconds(instance),
      reload: () => this.reload(),
      status: () => this.#status(),
      cluster: () => cluster.describe(texts(this.addresses.http)),
      vantages: (instanceId) => cluster.vantages(instanceId),
      readiness: () => ({ ready: this.#ready, stale: this.#dns.state.isStale }),
    });
  }

  #status(): object {
    return {
      version: this.#options.version,
      node: process.version,
      startedAt: rfc3339(this.#startedMs),
      dns: { listen: texts(this.addresses.dns), tls: texts(this.addresses.tls), ...this.#dns.status() },
      http: { listen: texts(this.addresses.http) },
      gateway: this.#gateway.status(),
      store: { kind: this.#store?.kind, up: this.#store?.isUp() },
      registry: {
        services: this.#registry?.serviceCount,
        instances: this.#registry?.instanceCount,
        revision: this.#registry?.sequence,
      },
      checks: this.#health?.monitor.load,
      lastReload: this.#lastReload ?? null,
    };
  }

  /** Programs may be run by the health checks as these were started. */
  #instanceRules(): InstanceRules {
    const { allowExec } = this.#options.config.health;
    return instanceRules({ ...this.#config, health: { ...this.#config.health, allowExec } });
  }

  #followFiles(): void {
    const files = [...watchedFiles(this.#config), ...this.#zones.files];
    this.#watch.follow(files, [this.#config.dns.zonesFolder]);
  }

  async #reloadOnce(): Promise<ReloadResult> {
    // Stopped, or never started.
    if (!this.#ready) return { problems: [] };
    let problems: readonly Problem[];
    try {
      problems = await this.#applyReload();
    } catch (error) {
      problems = error instanceof LocatedError ? error.problems : [this.#wholeConfig(errorMessage(error))];
    }
    const failed = problems.some(({ severity }) => severity === 'error');
    this.#countReload(failed ? 'failed' : 'ok');
    this.#lastReload = { at: rfc3339(clock.wallMs()), result: failed ? 'failed' : 'ok' };
    const told = { problems: problems.map(formatProblem) };
    if (failed) this.#log.error(told, 'reload failed; everything stays as it was');
    else this.#log.info(told, 'reloaded');
    return { problems };
  }

  /** Throws, with nothing changed, or returns warnings. */
  async #applyReload(): Promise<readonly Problem[]> {
    const { config, problems } = this.#options.reloadConfig((id) => this.#registry?.instance(id)?.isStatic === false);
    // Whoever has to look for mistakes should see all of them.
    if (config === undefined) return [...problems, ...errorsIn(readZones(this.#config.dns.zonesFolder).problems)];
    const zones = readValidZones(config.dns);
    const prepared = await this.#prepare(config, zones);
    try {
      // Somebody may have registered one of them while sockets were opened.
      this.#registry?.checkStatic(config.services);
      this.#api?.setAccess({ tokens: config.auth.tokens, allowHosts: config.http.allowHosts });
    } catch (error) {
      await prepared.abandon();
      throw error;
    }
    // Nothing fails from here on, and until the first `await` nobody sees half of it.
    const before = this.#config;
    const { addresses } = this;
    this.#config = config;
    this.#zones = zones;
    this.#registry?.setStatic(config.services);
    const taken = prepared.take();
    this.#ttls.noteAll(this.#registry?.services() ?? []);
    this.#log.level = config.log.level;
    this.#followFiles();
    if (!isDeepStrictEqual(addresses, this.addresses)) this.#addressesChanged();
    await Promise.all([taken, this.#exchangeSchedules(before, config)]);
    return [...problems, ...this.#zoneWarnings(), ...needRestart(this.#options.config, config)];
  }

  /** Rejects, with nothing changed, having told of every endpoint that cannot be opened. */
  async #prepare(config: Config, { zones }: ZoneFiles): Promise<Prepared> {
    const wanted = wantedHttp(config.http);
    const gateway = this.#gateway.prepare(config);
    return await prepareAll([this.#dns.prepare(config.dns, zones), this.#api?.prepare(wanted), gateway]);
  }

  #addressesChanged(): void {
    this.#log.info(allTexts(this.addresses), 'listening elsewhere');
    try {
      this.#tellAddresses(this.addresses);
    } catch (error) {
      this.#log.error({ err: error }, 'the new addresses could not be told');
    }
  }

  /** One that is due at this moment must not fall between the two. */
  async #exchangeSchedules(before: Config, { schedules }: Config): Promise<void> {
    if (this.#registry === undefined || isDeepStrictEqual(before.schedules, schedules)) return;
    const stopped = this.#schedules?.stop();
    this.#schedules = startMaintenance(schedules, this.#registry, this.#log, this.#cluster!);
    await stopped;
  }

  #wholeConfig(message: string): Problem {
    return { file: this.#config.file ?? 'environment', line: 0, column: 0, message, severity: 'error' };
  }
}

/** Throws a CodedError when a file of TLS cannot be used. */
function wantedHttp({ listen, tls, maxBodyBytes }: Config['http']): WantedApi {
  return { listen, tls: tlsContents('http.tls', tls), maxBodyBytes };
}

function allTexts(addresses: RunningServer['addresses']): object {
  return Object.fromEntries(Object.entries(addresses).map(([where, endpoints]) => [where, texts(endpoints)]));
}

function texts(endpoints: readonly Endpoint[]): string[] {
  return endpoints.map(formatEndpoint);
}
