// metrics.ts -- the process's Prometheus registry

import { collectDefaultMetrics, Registry } from 'prom-client';

/** A registry with the process and event-loop metrics of Node in it. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
