// running-gateway.ts -- a gateway over the registry: what comes of requests goes to the log, metrics, answers, rollouts

import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import { createLogger, type Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import { AccessLog } from '../gateway/access-log.ts';
import type { ExchangeRecord } from '../gateway/exchange-record.ts';
import { Gateway } from '../gateway/gateway.ts';
import { DEFAULT_GATEWAY } from '../gateway/gateway-defaults.ts';
import { createGatewayListeners } from '../gateway/gateway-listeners.ts';
import type { OutlierVerdict } from '../gateway/outliers.ts';
import type { ServicePlaces } from '../nameserver/service-places.ts';
import type { Listeners } from '../net/http-listeners.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Registry } from '../registry/registry.ts';
import { ClientZones, NO_CLIENT_ZONES } from '../routing/client-zones.ts';
import type { Tally } from '../routing/rollout.ts';
import { applyVerdict, followRegistry } from './ejections.ts';
import { GatewayFeed } from './gateway-feed.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { GatewaySource } from './gateway-source.ts';
import type { Prepared } from './prepared.ts';
import { tlsContents } from './tls-files.ts';

export interface RunningGatewayOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** Which services metrics name. */
  readonly places: ServicePlaces;
  readonly registry: Registry;
  /** What the gateway sees of an instance, for the answers. */
  readonly report: (state: InstanceState, report: LoadReport) => void;
}

/** For requests under way when the server stops. */
const CLOSE_GRACE_MS = 5000;
/** Lines of the access log are gathered, for so long at most. */
const LOG_GATHER_OCTETS = 8192;
const LOG_FLUSH_MS = 500;
/** While nobody reads them: what is more is dropped. */
const LOG_MAX_OCTETS = 4 * 1024 * 1024;

/** Listens nowhere and has no route until something is prepared and taken. */
export class RunningGateway {
  readonly #options: RunningGatewayOptions;
  readonly #source: GatewaySource;
  readonly #gateway: Gateway;
  readonly #listeners: Listeners;
  readonly #metrics: GatewayMetrics;
  readonly #feed: GatewayFeed;
  readonly #logStream = pino.destination({
    fd: 2,
    sync: false,
    maxLength: LOG_MAX_OCTETS,
    minLength: LOG_GATHER_OCTETS,
    periodicFlush: LOG_FLUSH_MS,
  });
  readonly #accessLogger: Logger;
  readonly #accessLog: AccessLog;
  readonly #stopFollowing: () => void;
  #zones = NO_CLIENT_ZONES;
  /** What they were made of. */
  #clientZones: Config['dns']['clientZones'] = [];
  #routes = 0;

  constructor(options: RunningGatewayOptions) {
    this.#options = options;
    const { clock, log, metrics, places, registry, report } = options;
    this.#accessLogger = createLogger('silent', this.#logStream);
    this.#accessLog = new AccessLog(this.#accessLogger, DEFAULT_GATEWAY.accessLog);
    this.#source = new GatewaySource(registry);
    const gateway = new Gateway({
      source: this.#source,
      settings: DEFAULT_GATEWAY,
      zones: () => this.#zones,
      clock,
      random: systemRandom,
      onExchange: (record) => this.#ended(record),
      onVerdict: (verdict) => this.#judged(verdict),
    });
    this.#gateway = gateway;
    this.#stopFollowing = followRegistry(registry, gateway.outliers);
    this.#metrics = new GatewayMetrics(metrics, places, {
      inFlight: () => gateway.size - gateway.upgrades,
      queued: () => gateway.waiting,
      upgrades: () => gateway.upgrades,
      connections: () => gateway.loads().reduce((sum, { connections }) => sum + connections, 0),
    });
    this.#feed = new GatewayFeed({
      clock,
      registry,
      loads: () => gateway.loads(),
      report,
    });
    this.#listeners = createGatewayListeners({
      log,
      handler: (request, response) => gateway.handle(request, response),
      onUpgrade: (request, socket, head) => gateway.upgrade(request, socket, head),
    });
  }

  get addresses(): Endpoint[] {
    return this.#listeners.addresses;
  }

  /** As GatewayHost.prepare. */
  async prepare({ gateway, dns, log }: Config): Promise<Prepared> {
    const { listen, tls, settings } = gateway;
    const listeners = await this.#listeners.prepare({ listen, tls: tlsContents('gateway.tls', tls) });
    return {
      take: async () => {
        if (!isDeepStrictEqual(dns.clientZones, this.#clientZones)) {
          this.#clientZones = dns.clientZones;
          this.#zones = new ClientZones(dns.clientZones);
        }
        this.#gateway.configure(settings);
        this.#accessLog.set(settings.accessLog);
        this.#accessLogger.level = log.level;
        this.#routes = settings.routes.length;
        listeners.take();
      },
      abandon: listeners.abandon,
    };
  }

  /** As GatewayHost.tell. */
  tell(service: string): void {
    this.#source.tell(service);
  }

  /** As GatewayHost.tallyOf. */
  tallyOf(id: string): Tally | undefined {
    const service = this.#options.registry.instance(id)?.instance.service;
    return service === undefined ? undefined : this.#gateway.loadOf(service, id);
  }

  status(): object {
    return {
      listen: this.addresses.map(formatEndpoint),
      routes: this.#routes,
      inFlight: this.#gateway.size - this.#gateway.upgrades,
      queued: this.#gateway.waiting,
      upgrades: this.#gateway.upgrades,
      ejected: this.#gateway.outliers.ejected,
    };
  }

  async close(): Promise<void> {
    // Requests that still come on connections that are there are taken: their replies say that they are the last.
    await this.#listeners.close(CLOSE_GRACE_MS);
    await this.#gateway.close(0);
    this.#feed.stop();
    this.#stopFollowing();
    this.#logStream.flushSync();
  }

  #ended(record: ExchangeRecord): void {
    this.#metrics.note(record);
    this.#accessLog.note(record);
  }

  #judged(verdict: OutlierVerdict): void {
    const { registry, log } = this.#options;
    if (verdict.kind === 'eject') this.#metrics.noteEjection(verdict.service);
    applyVerdict(registry, log, verdict);
  }
}
