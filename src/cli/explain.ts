// explain.ts -- `rollcall explain`: why a name is answered as it is

import type { Command } from 'commander';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { printable, renderTable, toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

interface ExplainOptions extends ClientOptions {
  readonly client?: string;
  readonly type?: string;
}

/** The parts of a reply that are shown. */
interface Explained {
  readonly question: { readonly name: string; readonly type: string; readonly client: string };
  readonly rcode: string;
  readonly reason: string;
  readonly zone: { readonly apex: string; readonly file: string | null } | null;
  readonly aliases: readonly { readonly name: string; readonly target: string; readonly by: string }[];
  readonly service: string | null;
  readonly policy: ShownPolicy | null;
  readonly rollout: { readonly state: string; readonly step: number; readonly steps: number } | null;
  readonly dependsOnClient: boolean;
  readonly routes: readonly { readonly route: number; readonly outcome: string; readonly part: number }[];
  readonly answers: readonly Way[];
  readonly instances: readonly Row[];
}

interface ShownPolicy {
  readonly strategy?: string;
  readonly routes?: readonly { readonly match: Match }[];
  readonly tiers?: readonly { readonly match: Match }[];
}

interface Match {
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
}

interface Way {
  readonly route: number | null;
  readonly part: number;
  readonly source: string;
  readonly home: string | null;
  readonly tiers: readonly Tier[];
  readonly records: number;
  readonly maxAnswers: number;
  readonly ttl: string;
  readonly ttlReason: string;
}

interface Tier {
  readonly tier: number;
  readonly well: number;
  readonly counted: number;
  readonly isActive: boolean;
}

interface Row {
  readonly id: string;
  readonly address: string;
  readonly status: string;
  readonly in: boolean;
  readonly text: string;
  readonly rank: number | null;
  readonly share: number;
  readonly inclusion: number;
  readonly weight: number;
  readonly weightInForce: number | null;
  readonly srvPriority: number | null;
  readonly srvWeight: number | null;
  readonly checks?: readonly SeenCheck[];
}

/** A check that several nodes run. */
interface SeenCheck {
  readonly id: string;
  readonly outcome: string | null;
  readonly vantages: readonly { readonly name: string; readonly outcome: string | null; readonly output: string }[];
}

/** Of a check's output, in characters. */
const MAX_OUTPUT = 60;

/** Add the command. */
export function addExplainCommand(program: Command, shell: Shell): void {
  addClientOptions(program.command('explain <name>').description('say why a name is answered as it is'))
    .option('--client <address>', 'who asks: an address, or a network as a resolver tells it (default: you)')
    .option('--type <type>', 'record type', 'A')
    .action(async (name: string, options: ExplainOptions) => {
      const { client, type } = options;
      const { body } = await openApi(options, shell.terminal).call('/v1/explain', { query: { name, type, client } });
      shell.terminal.out(options.json ? toJson(body) : textOf(body as Explained, shell.terminal));
    });
}

function textOf(explained: Explained, terminal: Terminal): string {
  const { question, rcode, reason, zone, aliases, service, policy, rollout, routes, answers, instances } = explained;
  const lines = [
    `${question.name} ${question.type}, asked by ${question.client}: ${rcode}, ${reason}`,
    ...(zone === null ? [] : [`zone ${zone.apex}${zone.file === null ? '' : `, file ${zone.file}`}`]),
    ...aliases.map(({ name, target, by }) => `alias ${name} -> ${target} (${by})`),
  ];
  if (service !== null) {
    const steps = rollout === null ? '' : `, rollout ${rollout.state} at step ${rollout.step} of ${rollout.steps}`;
    lines.push(`service ${service}, strategy ${policy?.strategy ?? 'round-robin'}${steps}`);
    lines.push(
      ...routes.map((each) => `route ${each.route}${matched(policy?.routes, each.route)}: ${outcomeText(each)}`),
    );
    lines.push(...answers.flatMap((way) => wayText(way, policy)));
    lines.push(explained.dependsOnClient ? 'other clients may have other shares' : 'all clients have the same shares');
  }
  const text = `${lines.map(printable).join('\n')}\n`;
  if (instances.length === 0) return text;
  return `${text}\n${tableOf(instances, terminal)}${checksText(instances, terminal)}`;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  client: 'does not concern this client',
  share: 'its percent passes this client by',
  earlier: 'routes before it take all answers',
  all: 'takes all answers',
};

function outcomeText({ outcome, part }: Explained['routes'][number]): string {
  return OUTCOMES[outcome] ?? `takes ${percent(part)} of the answers`;
}

const SOURCES: Readonly<Record<string, string>> = {
  general: ': the general pool stands in',
  routes: ': the instances of routes stand in',
  everybody: ': nobody is well, so all instances stand in',
};

/** What a route or tier matches: ` (v2, region=eu)`; the tier behind all others matches the rest. */
function matched(among: readonly { readonly match: Match }[] | undefined, index: number): string {
  if (among === undefined) return '';
  if (index >= among.length) return ' (all others)';
  const { tags = [], meta = {} } = among[index]!.match;
  return ` (${[...tags, ...Object.entries(meta).map(([key, value]) => `${key}=${value}`)].join(', ')})`;
}

function wayText(way: Way, policy: ShownPolicy | null): string[] {
  const { route, part, source, home, tiers, records, maxAnswers, ttl, ttlReason } = way;
  const size =
    records > maxAnswers ? `${maxAnswers} of ${records} records` : `${records} record${records === 1 ? '' : 's'}`;
  const what = records === 0 ? 'nothing to answer with' : `${size}, TTL ${ttl} (${ttlReason})`;
  const pool = route === null ? 'general pool' : `route ${route}`;
  const near = home === null ? '' : `, near ${home}`;
  return [
    `${percent(part)} of the answers: ${pool}${SOURCES[source] ?? ''}${near}; ${what}`,
    ...tiers.map(
      (each) =>
        `  tier ${each.tier}${matched(policy?.tiers, each.tier)}: ${each.well} of ${each.counted} well${each.isActive ? ', answers addresses' : ''}`,
    ),
  ];
}

function tableOf(instances: readonly Row[], terminal: Terminal): string {
  const { green, yellow } = terminal.colors;
  const isSrv = instances.some(({ srvPriority }) => srvPriority !== null);
  const columns = [
    ...[{ head: 'INSTANCE' }, { head: 'ADDRESS' }, { head: 'STATUS' }],
    { head: 'IN', color: (text: string) => (text === 'in' ? green(text) : yellow(text)) },
    ...['RANK', 'FIRST', 'IN ANSWER', 'WEIGHT'].map((head) => ({ head })),
    ...(isSrv ? [{ head: 'SRV PRIORITY' }, { head: 'SRV WEIGHT' }] : []),
    { head: 'WHY' },
  ];
  const rows = instances.map((each) => [
    ...[each.id, each.address, each.status, each.in ? 'in' : 'out', String(each.rank ?? '-')],
    ...(each.in ? [percent(each.share), percent(each.inclusion)] : ['-', '-']),
    weightText(each),
    ...(isSrv ? [String(each.srvPriority ?? '-'), String(each.srvWeight ?? '-')] : []),
    each.text,
  ]);
  return renderTable(terminal, columns, rows);
}

/** How each node of a cluster finds the checks of the instances; empty elsewhere. */
function checksText(instances: readonly Row[], terminal: Terminal): string {
  const columns = ['INSTANCE', 'CHECK', 'OUTCOME', 'AT EACH NODE'].map((head) => ({ head }));
  const rows = instances.flatMap(({ id, checks = [] }) =>
    checks.map((check) => [id, check.id, check.outcome ?? '-', check.vantages.map(vantageText).join('; ')]),
  );
  return rows.length === 0 ? '' : `\n${renderTable(terminal, columns, rows)}`;
}

/** What a check that passes printed is of no interest here. */
function vantageText({ name, outcome, output }: SeenCheck['vantages'][number]): string {
  const told = outcome === 'passing' || output === '' ? '' : ` (${shorten(output)})`;
  return `${name} ${outcome ?? 'no result'}${told}`;
}

function shorten(text: string): string {
  return text.length > MAX_OUTPUT ? `${text.slice(0, MAX_OUTPUT - 1)}…` : text;
}

/** What it weighs among the others, where that is not what was registered. */
function weightText({ weight, weightInForce }: Row): string {
  return weightInForce === null || weightInForce === weight ? String(weight) : `${weightInForce} (of ${weight})`;
}

/** 0.333 -> "33.3 %". What is very little is not shown as nothing. */
export function percent(part: number): string {
  const percents = part * 100;
  return `${Number(Math.abs(percents) < 0.01 ? percents.toPrecision(2) : percents.toFixed(2))} %`;
}
