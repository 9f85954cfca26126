// cluster-metrics.ts -- the metrics of a node among others; a server alone is a cluster of one

import { Gauge, type Registry as MetricsRegistry } from 'prom-client';

/** What is read at a scrape. */
export interface ClusterFigures {
  /** Nodes that are there. */
  readonly members: number;
  readonly isElected: boolean;
  /** Instances whose checks run here. */
  readonly checks: number;
  /** For how long the store has not been heard of; Infinity: not since the start. */
  readonly silentMs: number;
}

/** Gauges over what `read` gives, once a scrape; nothing is asked over the network. */
export function exposeClusterMetrics(metrics: MetricsRegistry, read: () => ClusterFigures): void {
  const make = (name: string, help: string, collect: () => void = () => {}): Gauge =>
    new Gauge({ name, help, registers: [metrics], collect });
  // The first one made is the first one collected.
  const members = make('rollcall_cluster_members', 'Nodes of the cluster that are there, this one too.', () => {
    const figures = read();
    members.set(figures.members);
    elected.set(figures.isElected ? 1 : 0);
    held.set(figures.checks);
    silent.set(figures.silentMs / 1000);
  });
  const elected = make('rollcall_cluster_elected', '1 on the node that does what only one may do.');
  const held = make('rollcall_cluster_checks_held', 'Instances whose checks run on this node.');
  const silent = make(
    'rollcall_cluster_silent_seconds',
    'For how long the store has not been heard of; +Inf: not since the start.',
  );
}
