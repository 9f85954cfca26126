// metrics.ts -- the metrics that no single module owns, under the names of the contract

import { Counter, Gauge, Histogram, type Metric, type Registry as MetricsRegistry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import { DROP_REASONS, DURATION_BOUNDS_MS, type QueryCounters } from '../nameserver/query-counters.ts';
import type { ServicePlaces } from '../nameserver/service-places.ts';
import { TIMED_EVERY } from '../nameserver/timed-answers.ts';
import { STATUSES } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import type { Store } from '../registry/store.ts';

/** Counts probes: call the returned function with every result. */
export function exposeCheckMetrics(
  metrics: MetricsRegistry,
): (type: string, outcome: string, latencyMs: number) => void {
  const checks = new Counter({
    name: 'rollcall_checks_total',
    help: 'Results of health checks, by type and outcome.',
    labelNames: ['type', 'outcome'],
    registers: [metrics],
  });
  const durations = new Histogram({
    name: 'rollcall_check_duration_seconds',
    help: 'How long health checks took, by type.',
    labelNames: ['type'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2, 5],
    registers: [metrics],
  });
  return (type, outcome, latencyMs) => {
    checks.inc({ type, outcome });
    durations.observe({ type }, latencyMs / 1000);
  };
}

/** Gauges over the registry and the store, and a counter of transitions. */
export function exposeRegistryMetrics(
  metrics: MetricsRegistry,
  registry: Registry,
  store: Store,
  places: ServicePlaces,
): void {
  const instances = new Gauge({
    name: 'rollcall_instances',
    help: 'Instances, by service and status.',
    labelNames: ['service', 'status'],
    registers: [metrics],
    collect: () => {
      instances.reset();
      for (const service of registry.services()) {
        const label = places.labelOf(service.name);
        for (const status of STATUSES) instances.inc({ service: label, status }, 0);
        for (const { status } of service.instances.values()) instances.inc({ service: label, status });
      }
    },
  });
  const revision: Gauge = new Gauge({
    name: 'rollcall_registry_revision',
    help: 'Changes applied to the registry at this node.',
    registers: [metrics],
    collect: (): void => revision.set(registry.sequence),
  });
  const up: Gauge = new Gauge({
    name: 'rollcall_store_up',
    help: '1 while the store takes writes.',
    registers: [metrics],
    collect: (): void => up.set(store.isUp() ? 1 : 0),
  });
  const transitions = new Counter({
    name: 'rollcall_transitions_total',
    help: 'Changes of an instance status, by service and new status.',
    labelNames: ['service', 'to'],
    registers: [metrics],
  });
  const last = new Map<string, string>();
  for (const { instance, status } of registry.instances()) last.set(instance.id, status);
  registry.onChange(({ kind, service, instance }) => {
    if (instance === undefined) return;
    const { id } = instance.instance;
    if (kind === 'deregister') last.delete(id);
    else if (last.get(id) !== instance.status) {
      last.set(id, instance.status);
      transitions.inc({ service: places.labelOf(service), to: instance.status });
    }
  });
}

/** The same store, with every commit timed and the revision that it has come to shown. */
export function timedStore(store: Store, metrics: MetricsRegistry, clock: Clock): Store {
  const commits = new Histogram({
    name: 'rollcall_store_commit_seconds',
    help: 'Time until a commit was durable.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
    registers: [metrics],
  });
  let revision = 0;
  const gauge: Gauge = new Gauge({
    name: 'rollcall_store_revision',
    help: 'Up to where the store has been told here.',
    registers: [metrics],
    collect: (): void => gauge.set(revision),
  });
  store.watch((batch) => {
    revision = batch.revision;
  });
  return {
    kind: store.kind,
    ...(store.shared === undefined ? {} : { shared: store.shared }),
    async load() {
      const snapshot = await store.load();
      revision = Math.max(revision, snapshot.revision);
      return snapshot;
    },
    watch: (listener) => store.watch(listener),
    isUp: () => store.isUp(),
    close: () => store.close(),
    async commit(mutations, preconditions) {
      const startedMs = clock.monotonicMs();
      try {
        return await store.commit(mutations, preconditions);
      } finally {
        commits.observe((clock.monotonicMs() - startedMs) / 1000);
      }
    },
  };
}

/** Counters of queries and answers, added up over all that count. */
export function exposeQueryMetrics(
  metrics: MetricsRegistry,
  all: () => Iterable<QueryCounters>,
  places: ServicePlaces,
): void {
  const counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    fill: (counters: QueryCounters, add: (labels: Record<Label, string>, count: number) => void) => void,
  ): void => {
    const made: Counter<Label> = new Counter({
      name,
      help,
      labelNames,
      registers: [metrics],
      collect: (): void => {
        made.reset();
        for (const counters of all()) fill(counters, (labels, count) => made.inc(labels, count));
      },
    });
  };
  counter(
    'rollcall_dns_queries_total',
    'DNS queries answered, by transport, type and rcode.',
    ['proto', 'type', 'rcode'],
    (counters, add) => {
      for (const { count, ...labels } of counters.queries()) add(labels, count);
    },
  );
  counter(
    'rollcall_dns_answers_total',
    'DNS answers made from a service, by service and type.',
    ['service', 'type'],
    (counters, add) => {
      for (const { place, type, count } of counters.answers()) add({ service: places.nameOf(place), type }, count);
    },
  );
  counter(
    'rollcall_dns_dropped_total',
    'Datagrams and messages that deserved no reply, by reason.',
    ['reason'],
    (counters, add) => {
      for (const reason of DROP_REASONS) add({ reason }, counters.droppedCount(reason));
    },
  );
  counter('rollcall_unknown_names_total', 'Answers that a name does not exist.', [], (counters, add) =>
    add({}, counters.unknownNames),
  );
  counter('rollcall_dns_failures_total', 'Queries whose answering failed: SERVFAIL.', [], (counters, add) =>
    add({}, counters.failures),
  );
  counter('rollcall_dns_cut_total', 'Replies that a rate limit cut to an empty one with TC.', [], (counters, add) =>
    add({}, counters.cuts),
  );
  exposeDurations(metrics, all);
}

/** A histogram that is rendered from shared memory: prom-client's own can only be filled one observation at a time. */
function exposeDurations(metrics: MetricsRegistry, all: () => Iterable<QueryCounters>): void {
  const name = 'rollcall_dns_duration_seconds';
  const get = async (): Promise<object> => {
    const buckets = new Float64Array(DURATION_BOUNDS_MS.length + 1);
    let sumMs = 0;
    for (const counters of all()) {
      for (const [i, count] of counters.durations.entries()) buckets[i]! += count;
      sumMs += counters.durationSumMs;
    }
    let value = 0;
    const values: object[] = Array.from(buckets, (count, i) => {
      const boundMs = DURATION_BOUNDS_MS[i];
      value += count;
      const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
      return { metricName: `${name}_bucket`, labels: { le }, value };
    });
    values.push({ metricName: `${name}_sum`, labels: {}, value: sumMs / 1000 });
    values.push({ metricName: `${name}_count`, labels: {}, value });
    const help = `Time to make an answer, of a sample of one in ${TIMED_EVERY}.`;
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  };
  metrics.registerMetric({ name, get, reset() {} } as unknown as Metric);
}

/** Counts reloads: call the returned function with each result. */
export function exposeReloadMetrics(metrics: MetricsRegistry): (result: 'ok' | 'failed') => void {
  const reloads = new Counter({
    name: 'rollcall_reload_total',
    help: 'Reloads of configuration and zones, by result.',
    labelNames: ['result'],
    registers: [metrics],
  });
  return (result) => reloads.inc({ result });
}
