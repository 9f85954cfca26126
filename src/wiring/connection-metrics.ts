// connection-metrics.ts -- the metrics of DNS connections over TCP and TLS, and of the zones sent over them

import { Counter, Gauge, type Registry as MetricsRegistry } from 'prom-client';
import { type ConnectionTable, DROP_CAUSES } from '../net/connection-table.ts';
import type { Transfers } from './transfers.ts';

/** A gauge of open connections, and a counter of those that were dropped. */
export function exposeConnectionMetrics(metrics: MetricsRegistry, connections: ConnectionTable): void {
  const open: Gauge<'proto'> = new Gauge({
    name: 'rollcall_dns_connections',
    help: 'Open DNS connections, by transport.',
    labelNames: ['proto'],
    registers: [metrics],
    collect: (): void => {
      for (const proto of ['tcp', 'tls'] as const) open.set({ proto }, connections.count(proto));
    },
  });
  const dropped: Counter<'cause'> = new Counter({
    name: 'rollcall_dns_connections_dropped_total',
    help: 'DNS connections that were closed by the server, by cause.',
    labelNames: ['cause'],
    registers: [metrics],
    collect: (): void => {
      dropped.reset();
      for (const cause of DROP_CAUSES) dropped.inc({ cause }, connections.droppedCount(cause));
    },
  });
}

/** A counter of zones that were sent whole. */
export function exposeTransferMetrics(metrics: MetricsRegistry, transfers: Transfers): void {
  const sent: Counter = new Counter({
    name: 'rollcall_dns_transfers_total',
    help: 'Zones sent whole.',
    registers: [metrics],
    collect: (): void => {
      sent.reset();
      sent.inc(transfers.done);
    },
  });
}
