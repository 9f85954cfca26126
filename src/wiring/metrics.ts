// metrics.ts -- the metrics that no single module owns, under the names of the contract

import { Counter, Gauge, Histogram, type Registry as MetricsRegistry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import { DROP_REASONS, type QueryCounters } from '../nameserver/query-counters.ts';
import type { ServicePlaces } from '../nameserver/service-places.ts';
import { STATUSES } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import type { Store } from '../registry/store.ts';

/** One answer in so many is timed: reading the clock twice costs as much as a small answer. */
const TIMED_EVERY = 64;

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

/** The same store, with every commit timed. */
export function timedStore(store: Store, metrics: MetricsRegistry, clock: Clock): Store {
  const commits = new Histogram({
    name: 'rollcall_store_commit_seconds',
    help: 'Time until a commit was durable.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
    registers: [metrics],
  });
  return {
    kind: store.kind,
    load: () => store.load(),
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

/** The same answerer, with a sample of its calls timed. */
export function timedAnswerer<Rest extends unknown[]>(
  answer: (...rest: Rest) => number,
  metrics: MetricsRegistry,
  clock: Clock,
): (...rest: Rest) => number {
  const durations = new Histogram({
    name: 'rollcall_dns_duration_seconds',
    help: `Time to make an answer, sampled one in ${TIMED_EVERY}.`,
    buckets: [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.001, 0.01],
    registers: [metrics],
  });
  let count = 0;
  return (...rest) => {
    if (++count % TIMED_EVERY !== 0) return answer(...rest);
    const startedMs = clock.monotonicMs();
    const length = answer(...rest);
    durations.observe((clock.monotonicMs() - startedMs) / 1000);
    return length;
  };
}
