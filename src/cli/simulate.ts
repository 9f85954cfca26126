// simulate.ts -- `rollcall simulate`: what a policy would do, before it is applied

import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CodedError, errorMessage } from '../base/errors.ts';
import {
  addClientOptions,
  type ClientOptions,
  collectPairs,
  integerOption,
  openApi,
  type Shell,
} from './client-command.ts';
import { percent } from './explain.ts';
import { printable, renderTable, toJson } from './output.ts';
import { addPolicyFields, type PolicyFields, readPresentPolicy, statesPolicy, wantedPolicy } from './policy-fields.ts';
import { type ShareChart, svgChart, textChart } from './share-chart.ts';
import type { Terminal } from './terminal.ts';

interface SimulateOptions extends ClientOptions, PolicyFields {
  readonly clients?: number;
  readonly duration?: string;
  readonly rate?: number;
  readonly type?: string;
  readonly picks?: string;
  readonly network?: string;
  readonly serviceTime?: string;
  readonly slow?: Readonly<Record<string, string>>;
  readonly fail?: readonly Failure[];
  readonly seed?: number;
  readonly svg?: string;
}

interface Failure {
  readonly instance: string;
  readonly at: string;
  readonly for?: string;
}

interface Run {
  readonly strategy: string;
  readonly requests: number;
  readonly queries: number;
  readonly failed: number;
  readonly unanswered: number;
  readonly unansweredReason: string | null;
  readonly changed: number;
  readonly inFlight: InFlight;
}

interface InFlight {
  readonly p50: number;
  readonly p99: number;
}

interface Load {
  readonly share: number;
  readonly inFlight: InFlight;
}

/** The parts of a reply that are shown. */
interface Simulated {
  readonly service: string;
  readonly clients: number;
  readonly duration: string;
  readonly now: Run;
  readonly policy: Run | null;
  readonly moved: { readonly clients: number; readonly share: number } | null;
  readonly instances: readonly {
    readonly id: string;
    readonly weight: number;
    readonly status: string;
    readonly now: Load;
    readonly policy: Load | null;
    readonly difference: number | null;
  }[];
}

/** A large simulation takes a while. */
const TIMEOUT_MS = 120_000;

/** Add the command. */
export function addSimulateCommand(program: Command, shell: Shell): void {
  addPolicyFields(
    addClientOptions(
      program.command('simulate <service>').description('say what a policy would do, without applying it'),
    ),
  )
    .option('--clients <n>', 'how many clients (default: 100)', integerOption(1, 10_000))
    .option('--duration <time>', 'for how long (default: 60s)')
    .option('--rate <n>', 'requests of each client in a second (default: 1)', toRate)
    .option('--type <type>', 'A, AAAA or SRV (default: A)')
    .option('--picks <which>', 'the address that clients use: first or any (default: first)')
    .option('--network <cidr>', 'where clients are (default: 10.0.0.0/8)')
    .option('--service-time <time>', 'how long a request takes (default: 100ms)')
    .option('--slow <id=time>', 'how long one takes at this instance; may be repeated', collectPairs)
    .option('--fail <id@at+for>', 'an instance fails, like web-1@10s+20s; may be repeated', collectFailures)
    .option('--seed <n>', 'another seed is another run (default: 1)', integerOption(0, 2 ** 31 - 1))
    .option('--svg <file>', 'write a picture of the shares')
    .action((service: string, options: SimulateOptions) => simulate(service, options, shell));
}

function toRate(text: string): number {
  const rate = /^\d{1,5}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (rate > 0) return rate;
  throw new InvalidArgumentError('It must be a number above 0.');
}

function collectFailures(text: string, before: readonly Failure[] = []): readonly Failure[] {
  const [, instance, at, lasts] = /^(.+)@([^@+]+)(?:\+([^@+]+))?$/.exec(text) ?? [];
  if (instance === undefined || at === undefined) throw new InvalidArgumentError('It must be like web-1@10s+20s.');
  return [...before, { instance, at, ...(lasts === undefined ? {} : { for: lasts }) }];
}

async function simulate(service: string, options: SimulateOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const { clients, duration, rate, type, picks, network, seed, svg } = options;
  const api = openApi(options, terminal);
  const present = () => readPresentPolicy(api, service);
  const body = {
    service,
    ...(statesPolicy(options) ? { policy: await wantedPolicy(options, present, terminal) } : {}),
    ...{ clients, duration, requestsPerSecond: rate, type, picks, network, seed },
    ...{ serviceTime: options.serviceTime, serviceTimes: options.slow, failures: options.fail },
  };
  const reply = await api.call('/v1/simulate', { method: 'POST', body, timeoutMs: TIMEOUT_MS });
  const simulated = reply.body as Simulated;
  const chart = chartOf(simulated);
  if (svg !== undefined) await writeSvg(svg, chart);
  terminal.out(options.json ? toJson(simulated) : textOf(simulated, chart, terminal));
}

async function writeSvg(file: string, chart: ShareChart): Promise<void> {
  try {
    await writeFile(file, svgChart(chart));
  } catch (thrown) {
    throw new CodedError('usage', `cannot write ${file}: ${errorMessage(thrown)}`);
  }
}

function chartOf({ service, clients, now, policy, instances }: Simulated): ShareChart {
  const told = policy ?? now;
  return {
    title: `${printable(service)}: requests of ${clients} clients`,
    name: policy === null ? now.strategy : policy.strategy,
    beforeName: now.strategy === told.strategy ? `${now.strategy} now` : now.strategy,
    bars: instances.map(({ id, ...loads }) => ({
      label: printable(id),
      share: (loads.policy ?? loads.now).share,
      before: loads.policy === null ? undefined : loads.now.share,
    })),
  };
}

function textOf(simulated: Simulated, chart: ShareChart, terminal: Terminal): string {
  const { service, clients, duration, now, policy, moved, instances } = simulated;
  const runs = [['now', now] as const, ...(policy === null ? [] : [['policy', policy] as const])];
  const heads = ['', 'STRATEGY', 'REQUESTS', 'QUERIES', 'FAILED', 'UNANSWERED', 'CHANGED', 'IN FLIGHT p50', 'p99'];
  const summary = runs.map(([name, run]) => [
    ...[name, run.strategy, ...[run.requests, run.queries, run.failed, run.unanswered].map(String)],
    ...[percent(run.changed), String(run.inFlight.p50), String(run.inFlight.p99)],
  ]);
  const reasons = new Set([now, policy].flatMap((run) => run?.unansweredReason ?? []));
  const isCompared = policy !== null;
  const columns = [
    ...['INSTANCE', 'STATUS', 'WEIGHT', 'SHARE NOW', 'IN FLIGHT p50', 'p99'],
    ...(isCompared ? ['SHARE THEN', 'IN FLIGHT p50', 'p99', 'DIFFERENCE'] : []),
  ];
  const rows = instances.map((each) => [
    ...[each.id, each.status, String(each.weight), ...loadCells(each.now)],
    ...(each.policy === null ? [] : [...loadCells(each.policy), signed(each.difference ?? 0)]),
  ]);
  const table = (names: readonly string[], cells: readonly string[][]): string =>
    renderTable(
      terminal,
      names.map((head) => ({ head })),
      cells,
    );
  return [
    `${printable(service)}: ${clients} clients for ${duration}\n`,
    table(heads, summary),
    ...[...reasons].map((reason) => `unanswered: ${printable(reason)}\n`),
    instances.length === 0 ? 'the service has no instances\n' : table(columns, rows),
    ...(instances.length === 0 ? [] : [textChart(chart, terminal.columns)]),
    ...(moved === null ? [] : [`${moved.clients} clients (${percent(moved.share)}) use another instance most\n`]),
  ].join('\n');
}

function loadCells({ share, inFlight }: Load): string[] {
  return [percent(share), String(inFlight.p50), String(inFlight.p99)];
}

function signed(part: number): string {
  return `${part > 0 ? '+' : ''}${percent(part)}`;
}
