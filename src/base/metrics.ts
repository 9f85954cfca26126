// metrics.ts -- the process's Prometheus registry and the bound on its labels

import { collectDefaultMetrics, Registry } from 'prom-client';

/** How many services keep their own name as a metric label; the rest share `other`. */
const MAX_SERVICE_LABELS = 1000;

/** A registry with the process and event-loop metrics of Node in it. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Gives the first 1,000 services their own label and every later one `other`, so that scrapes stay bounded. */
export class ServiceLabels {
  readonly #seen = new Set<string>();

  /** The label to use for a service. */
  of(service: string): string {
    if (this.#seen.has(service)) return service;
    if (this.#seen.size >= MAX_SERVICE_LABELS) return 'other';
    this.#seen.add(service);
    return service;
  }
}
