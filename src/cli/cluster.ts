// cluster.ts -- `rollcall cluster`: the nodes that share one store, and how etcd is

import type { Command } from 'commander';
import type { ClusterReport } from '../api/cluster-report.ts';
import { formatDuration } from '../base/duration.ts';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { printable, renderTable, toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

type Member = ClusterReport['members'][number];
type StoreEndpoint = ClusterReport['store']['endpoints'][number];

/** Every endpoint is given its time before there is a reply. */
const TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;

/** Add the command. */
export function addClusterCommand(program: Command, shell: Shell): void {
  addClientOptions(program.command('cluster').description('show the nodes of the cluster, and how etcd is'))
    .addHelpText('after', '\nExit code 1 when the node that is asked is stale, or when no endpoint of etcd is up.')
    .action(async (options: ClientOptions) => {
      const { body } = await openApi(options, shell.terminal).call('/v1/cluster', { timeoutMs: TIMEOUT_MS });
      const report = body as ClusterReport;
      shell.terminal.out(options.json ? toJson(report) : textOf(report, shell.terminal));
      if (!isWell(report)) shell.exitCode = 1;
    });
}

/** A server without etcd has no endpoints, and is well without them. */
function isWell({ stale, store: { endpoints } }: ClusterReport): boolean {
  return !stale && (endpoints.length === 0 || endpoints.some(({ up }) => up));
}

function textOf(report: ClusterReport, terminal: Terminal): string {
  const { members, checks, store } = report;
  const self = members.find(({ isSelf }) => isSelf);
  const asked = printable(self === undefined ? report.node : nameOf(self));
  const lines = [
    `asked ${asked}: ${newsText(report, terminal)}, checks ${checks} instance${checks === 1 ? '' : 's'}`,
    `store ${printable(store.kind)} at revision ${store.revision}`,
  ];
  // One that was cut off for long is no member any more in its own eyes.
  if (members.length > 0) lines.push('', membersTable(members, terminal).trimEnd());
  if (store.endpoints.length > 0) lines.push('', endpointsTable(store.endpoints, terminal).trimEnd());
  return `${lines.join('\n')}\n`;
}

/** How old what it knows may be. */
function newsText({ silentMs, stale }: ClusterReport, { colors }: Terminal): string {
  if (silentMs === null) return colors.red('stale, has not heard of etcd since its start');
  if (stale) return colors.red(`stale, has not heard of etcd for ${silenceText(silentMs)}`);
  // A second is nothing: heard of means asked or told something.
  return silentMs < 1000
    ? colors.green('up to date')
    : colors.yellow(`has not heard of etcd for ${silenceText(silentMs)}`);
}

function silenceText(silentMs: number): string {
  return formatDuration(Math.max(1, Math.round(silentMs / 1000)) * 1000);
}

/** With the id where the name is another. */
function nameOf({ name, node }: Member): string {
  return name === node ? name : `${name} (${node})`;
}

function membersTable(members: readonly Member[], terminal: Terminal): string {
  const columns = ['NODE', 'ID', 'VERSION', 'HTTP', 'STARTED', 'ROLE'].map((head) => ({ head }));
  const rows = members.map((each) => [
    ...[each.name, each.node, each.version, each.http.join(', '), each.startedAt],
    [...(each.isSelf ? ['asked'] : []), ...(each.isElected ? ['elected'] : [])].join(', '),
  ]);
  return renderTable(terminal, columns, rows);
}

function endpointsTable(endpoints: readonly StoreEndpoint[], terminal: Terminal): string {
  const { green, red } = terminal.colors;
  const columns = [
    { head: 'ETCD' },
    { head: 'STATE', color: (text: string) => (text === 'up' || text === 'leader' ? green(text) : red(text)) },
    ...['VERSION', 'REVISION', 'LAG', 'SIZE', 'WHY'].map((head) => ({ head })),
  ];
  const rows = endpoints.map(({ url, up, leader, version, revision, lag, sizeBytes, reason }) => [
    ...[url, up ? (leader ? 'leader' : 'up') : 'down', version ?? '-'],
    ...[revision, lag].map((count) => String(count ?? '-')),
    ...[sizeBytes === undefined ? '-' : `${(sizeBytes / MIB).toFixed(1)} MiB`, reason ?? ''],
  ]);
  return renderTable(terminal, columns, rows);
}
