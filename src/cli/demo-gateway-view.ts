// demo-gateway-view.ts -- what the demo of the gateway shows: a table, bars and totals, or plain lines

import type { LoadTotals } from './demo-gateway-load.ts';
import { printable, renderTable, statusColor } from './output.ts';
import type { Terminal } from './terminal.ts';

/** An instance as it is now. */
export interface InstanceRow {
  readonly id: string;
  readonly version: string;
  readonly port: number;
  readonly status: string;
  readonly reason: string;
  /** Of the requests of the last seconds, 0..1; undefined: it had none. */
  readonly share: number | undefined;
  /** As the gateway counts it, averaged; undefined: not known. */
  readonly inFlight: number | undefined;
  readonly meanMs: number | undefined;
}

/** All that is shown at one moment. */
export interface DemoView {
  readonly elapsedMs: number;
  /** What goes on, in a few words. */
  readonly stage: string;
  /** Steps of the whole play that are done, and of how many. */
  readonly done: number;
  readonly total: number;
  readonly instances: readonly InstanceRow[];
  /** Shares of the requests of the last seconds, 0..1, those of instances that are gone too. */
  readonly versions: ReadonlyMap<string, number>;
  readonly totals: LoadTotals;
  /** The service's answer by DNS, one line. */
  readonly answer: string;
  /** The last things that happened, the newest last. */
  readonly events: readonly string[];
}

const BAR_WIDTH = 40;
const SHARE_WIDTH = 12;

/** The whole screen, for a terminal. */
export function screenText(terminal: Terminal, view: DemoView): string {
  const { bold, dim } = terminal.colors;
  const color = statusColor(terminal);
  const heads = ['INSTANCE', 'VERSION', 'PORT', 'STATUS', 'SHARE', 'IN FLIGHT', 'LATENCY', 'WHY'];
  const columns = heads.map((head) => (head === 'STATUS' ? { head, color: statusCell(color) } : { head }));
  const rows = view.instances.map((row) => [
    ...[row.id, row.version, String(row.port), row.status.padEnd(9), shareBar(row.share)],
    ...[row.inFlight === undefined ? '-' : row.inFlight.toFixed(1), latencyText(row.meanMs), row.reason],
  ]);
  return [
    `${bold(printable(view.stage))}   ${dim(secondsText(view.elapsedMs))}\n`,
    `${barText(view.done, view.total)}\n\n`,
    renderTable(terminal, columns, rows),
    `\nlast seconds: ${printable(sharesText(view.versions))}\n`,
    `${totalsLine(terminal, view.totals)}\n`,
    `dig SRV: ${printable(view.answer)}\n\n`,
    ...view.events.map((event) => `${dim(printable(event))}\n`),
    `${dim('q quits')}\n`,
  ].join('');
}

/** Cells come padded, so that the table keeps its width when a status changes. */
function statusCell(color: (status: string) => string): (cell: string) => string {
  return (cell) => {
    const status = cell.trimEnd();
    return color(status) + ' '.repeat(cell.length - status.length);
  };
}

/** How it stands in one line, for everything that is no terminal. */
export function progressLine({ elapsedMs, versions, totals, answer }: DemoView): string {
  const { requests, failed, p50Ms, p99Ms } = totals;
  const parts = [
    `${requests} requests, ${failed} failed, p50 ${latencyText(p50Ms)}, p99 ${latencyText(p99Ms)}`,
    ...(versions.size === 0 ? [] : [sharesText(versions)]),
    `SRV ${answer}`,
  ];
  return `${secondsText(elapsedMs)}  ${printable(parts.join('; '))}\n`;
}

function sharesText(versions: DemoView['versions']): string {
  const shares = [...versions].sort(([a], [b]) => (a < b ? -1 : 1));
  return shares.map(([version, share]) => `${version} ${percentText(share)}`).join(', ');
}

/** Something that happened, as a line. */
export function eventLine(elapsedMs: number, text: string): string {
  return `${secondsText(elapsedMs)}  ${printable(text)}`;
}

/** What came of it all. `failures`: why requests failed that should not have. */
export function summaryText(totals: LoadTotals, failures: readonly string[]): string {
  const { requests, failed, posts, failedPosts, p50Ms, p99Ms } = totals;
  const why = [...new Set(failures)].slice(0, 5).map((failure) => `  ${printable(failure)}\n`);
  const posted = `${failedPosts} of ${posts} POSTs, which may not be sent twice, failed`;
  return [
    `${failed} failed of ${requests - posts} requests (GET)\n`,
    ...why,
    `${posted}; p50 ${latencyText(p50Ms)}, p99 ${latencyText(p99Ms)}\n`,
  ].join('');
}

function totalsLine({ colors }: Terminal, { requests, failed, posts, failedPosts, p50Ms, p99Ms }: LoadTotals): string {
  const failures = `${failed} failed`;
  return [
    `${requests - posts} GET, ${failed === 0 ? colors.green(failures) : colors.red(failures)}`,
    `${posts} POST, ${failedPosts} failed`,
    `p50 ${latencyText(p50Ms)}, p99 ${latencyText(p99Ms)}`,
  ].join('   ');
}

/** `[####....] 12/20` */
export function barText(done: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.round((Math.min(done, total) / total) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${done}/${total}`;
}

function shareBar(share: number | undefined): string {
  if (share === undefined) return ' '.repeat(SHARE_WIDTH + 8);
  const bar = '#'.repeat(Math.max(1, Math.round(share * SHARE_WIDTH))).padEnd(SHARE_WIDTH);
  return `${bar} ${percentText(share).padStart(7)}`;
}

function percentText(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function latencyText(ms: number | undefined): string {
  return ms === undefined ? '-' : `${ms.toFixed(1)} ms`;
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(5)} s`;
}
