// gateway-metrics.ts -- the metrics of the gateway: counted in plain numbers for each request, rendered at a scrape

import { Counter, Gauge, type Metric, type Registry as MetricsRegistry } from 'prom-client';
import type { ExchangeRecord } from '../gateway/exchange-record.ts';
import type { ServicePlaces } from '../nameserver/service-places.ts';

/** What is read at a scrape. */
export interface GatewayGauges {
  /** Requests under way, without upgraded connections. */
  readonly inFlight: () => number;
  /** Requests that wait for a free connection. */
  readonly queued: () => number;
  /** Upgraded connections. */
  readonly upgrades: () => number;
  /** Connections to instances, idle ones too. */
  readonly connections: () => number;
}

const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const MAX_ROUTES = 1000;
const OTHER = 'other';
/** For requests of no route; Prometheus takes an empty label for none. */
const NONE = '';
const SWITCHED = 101;

class Durations {
  readonly buckets = new Float64Array(BOUNDS_MS.length + 1);
  sumMs = 0;

  add(ms: number): void {
    let at = 0;
    while (at < BOUNDS_MS.length && ms > BOUNDS_MS[at]!) at++;
    this.buckets[at]! += 1;
    this.sumMs += ms;
  }
}

class ServiceCounts {
  /** By status. */
  readonly requests = new Map<number, number>();
  readonly upstream = new Durations();
  retries = 0;
  ejections = 0;
}

interface RouteCounts {
  readonly service: string;
  /** By the first digit of the status. */
  readonly classes: (Durations | undefined)[];
}

/** Counts what came of requests. */
export class GatewayMetrics {
  readonly #places: ServicePlaces;
  /** Keyed by label. */
  readonly #services = new Map<string, ServiceCounts>();
  /** Keyed by name; the first so many routes by name, the rest as one. */
  readonly #routes = new Map<string, RouteCounts[]>();
  readonly #refused = new Map<string, number>();

  constructor(metrics: MetricsRegistry, places: ServicePlaces, gauges: GatewayGauges) {
    this.#places = places;
    this.#exposeCounters(metrics);
    exposeGauges(metrics, gauges);
    exposeHistogram(
      metrics,
      'rollcall_gateway_duration_seconds',
      'Time from the head of a request to the end of the reply, by route, service and class of the status; upgraded connections are left out.',
      () => this.#routeRows(),
    );
    exposeHistogram(
      metrics,
      'rollcall_gateway_upstream_duration_seconds',
      'Time until an instance began to reply, by service.',
      () => Array.from(this.#services, ([service, { upstream }]) => ({ labels: { service }, durations: upstream })),
    );
  }

  /** A request has ended. */
  note(record: ExchangeRecord): void {
    const label = record.service === undefined ? NONE : this.#places.labelOf(record.service);
    const counts = this.#countsOf(label);
    const { status } = record;
    counts.requests.set(status, (counts.requests.get(status) ?? 0) + 1);
    if (record.attempts > 1) counts.retries += record.attempts - 1;
    if (record.error !== undefined) this.#refused.set(record.error, (this.#refused.get(record.error) ?? 0) + 1);
    if (record.upstreamMs !== undefined) counts.upstream.add(record.upstreamMs);
    if (record.route === undefined || status === SWITCHED) return;
    const { classes } = this.#routeOf(record.route, label);
    const digit = Math.trunc(status / 100);
    let durations = classes[digit];
    if (durations === undefined) {
      durations = new Durations();
      classes[digit] = durations;
    }
    durations.add(record.durationMs);
  }

  /** An instance of a service was taken out because of what came of requests to it. */
  noteEjection(service: string): void {
    this.#countsOf(this.#places.labelOf(service)).ejections++;
  }

  #countsOf(label: string): ServiceCounts {
    let counts = this.#services.get(label);
    if (counts === undefined) {
      counts = new ServiceCounts();
      this.#services.set(label, counts);
    }
    return counts;
  }

  #routeOf(name: string, service: string): RouteCounts {
    let all = this.#routes.get(name);
    if (all === undefined) {
      const route = this.#routes.size < MAX_ROUTES ? name : OTHER;
      all = this.#routes.get(route) ?? [];
      this.#routes.set(route, all);
    }
    // More than one only after a reload gave the route another service, and for those that have no name here.
    for (const counts of all) if (counts.service === service) return counts;
    const counts: RouteCounts = { service, classes: [] };
    all.push(counts);
    return counts;
  }

  *#routeRows(): Iterable<HistogramRow> {
    for (const [route, all] of this.#routes) {
      for (const { service, classes } of all) {
        for (const [digit, durations] of classes.entries()) {
          if (durations !== undefined) yield { labels: { route, service, code: `${digit}xx` }, durations };
        }
      }
    }
  }

  #exposeCounters(metrics: MetricsRegistry): void {
    const services = this.#services;
    exposeCounter(
      metrics,
      'rollcall_gateway_requests_total',
      'Requests through the gateway, by service and status of the reply; 499: the client went away before.',
      ['service', 'code'],
      (add) => {
        for (const [service, { requests }] of services) {
          for (const [code, count] of requests) add({ service, code: String(code) }, count);
        }
      },
    );
    exposeCounter(
      metrics,
      'rollcall_gateway_retries_total',
      'Further attempts of requests, by service.',
      ['service'],
      (add) => {
        for (const [service, { retries }] of services) if (service !== NONE) add({ service }, retries);
      },
    );
    exposeCounter(
      metrics,
      'rollcall_gateway_ejections_total',
      'Instances taken out for a while because of what came of requests to them, by service.',
      ['service'],
      (add) => {
        for (const [service, { ejections }] of services) if (service !== NONE) add({ service }, ejections);
      },
    );
    exposeCounter(
      metrics,
      'rollcall_gateway_refused_total',
      'Requests that the gateway answered with an error of its own, by code of the error.',
      ['reason'],
      (add) => {
        for (const [reason, count] of this.#refused) add({ reason }, count);
      },
    );
  }
}

function exposeCounter<Label extends string>(
  metrics: MetricsRegistry,
  name: string,
  help: string,
  labelNames: Label[],
  fill: (add: (labels: Record<Label, string>, count: number) => void) => void,
): void {
  const counter: Counter<Label> = new Counter({
    name,
    help,
    labelNames,
    registers: [metrics],
    collect: (): void => {
      counter.reset();
      fill((labels, count) => counter.inc(labels, count));
    },
  });
}

function exposeGauges(metrics: MetricsRegistry, gauges: GatewayGauges): void {
  const expose = (name: string, help: string, read: () => number): void => {
    const gauge: Gauge = new Gauge({ name, help, registers: [metrics], collect: (): void => gauge.set(read()) });
  };
  expose('rollcall_gateway_in_flight', 'Requests under way through the gateway.', gauges.inFlight);
  expose('rollcall_gateway_queued', 'Requests that wait for a free connection to an instance.', gauges.queued);
  expose('rollcall_gateway_upgrades', 'Upgraded connections (WebSocket and others).', gauges.upgrades);
  expose('rollcall_gateway_connections', 'Connections to instances, idle ones too.', gauges.connections);
}

interface HistogramRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly durations: Durations;
}

/** prom-client's own histogram can only be filled one observation at a time. */
function exposeHistogram(
  metrics: MetricsRegistry,
  name: string,
  help: string,
  rows: () => Iterable<HistogramRow>,
): void {
  const get = async (): Promise<object> => {
    const values: object[] = [];
    for (const { labels, durations } of rows()) {
      let value = 0;
      for (const [i, count] of durations.buckets.entries()) {
        value += count;
        const boundMs = BOUNDS_MS[i];
        const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value });
      }
      values.push({ metricName: `${name}_sum`, labels, value: durations.sumMs / 1000 });
      values.push({ metricName: `${name}_count`, labels, value });
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  };
  metrics.registerMetric({ name, get, reset() {} } as unknown as Metric);
}
