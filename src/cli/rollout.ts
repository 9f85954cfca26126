// rollout.ts -- `rollcall rollout`: where the progressive canary of a service is, and what people may do with it

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CodedError } from '../base/errors.ts';
import { MAX_STEPS } from '../registry/validate-steps.ts';
import { ROLLOUT_ACTIONS } from '../routing/rollout.ts';
import { addClientOptions, type ClientOptions, integerOption, openApi, type Shell } from './client-command.ts';
import { type ApiClient, isCut, pathPart } from './http-client.ts';
import { printable, renderTable, toJson } from './output.ts';
import { readPresentPolicy } from './policy-fields.ts';
import { nextText, type RolloutReply, rolloutText, type StepReply } from './rollout-text.ts';
import type { Terminal } from './terminal.ts';

type RolloutOptions = ClientOptions & {
  readonly [action in (typeof ROLLOUT_ACTIONS)[number]]?: boolean;
} & { readonly step?: number; readonly watch?: boolean };

/** A step lasts for seconds at least, as a rule; how long it still does is shown by the second. */
const POLL_MS = 1000;

/** Add the command. */
export function addRolloutCommand(program: Command, shell: Shell): void {
  addClientOptions(program.command('rollout <service>').description('show or move the progressive canary of a service'))
    .option('--pause', 'stand still; the canary is still guarded')
    .option('--resume', 'go on')
    .option('--rollback', 'take it back now')
    .option('--restart', 'begin with the first step, or with --step')
    .option('--step <n>', 'the step to restart with, at once', integerOption(1, MAX_STEPS))
    .option('--watch', 'print where it goes until it is done (exit code 0) or taken back (1)')
    .action((service: string, options: RolloutOptions) => rollout(service, options, shell));
}

async function rollout(service: string, options: RolloutOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const actions = ROLLOUT_ACTIONS.filter((action) => options[action]);
  const [action] = actions;
  const { step, json, watch } = options;
  if (actions.length > 1) throw new CodedError('usage', `--${actions.join(' and --')} exclude each other`);
  if (step !== undefined && action !== 'restart') throw new CodedError('usage', '--step goes with --restart only');
  const api = openApi(options, terminal);
  const path = `/v1/services/${pathPart(service)}/rollout`;
  const read = async (): Promise<RolloutReply> => (await api.call(path)).body as RolloutReply;
  const body = { action, ...(step === undefined ? {} : { step }) };
  const first =
    action === undefined ? await read() : ((await api.call(path, { method: 'POST', body })).body as RolloutReply);
  if (watch) return follow(first, read, options, shell);
  terminal.out(json ? toJson(first) : await describe(api, service, first, terminal));
}

async function describe(api: ApiClient, service: string, view: RolloutReply, terminal: Terminal): Promise<string> {
  const { steps = [] } = (await readPresentPolicy(api, service)).policy as { steps?: readonly StepReply[] };
  const rows = steps.map(({ route, percent, for: time = '', at = '', timezone }, index) => [
    ...[index + 1 === view.step ? '>' : '', String(index + 1), String(route), `${percent} %`, time],
    timezone === undefined ? at : `${at} (${timezone})`,
  ]);
  const columns = ['', 'STEP', 'ROUTE', 'PERCENT', 'FOR', 'AT'].map((head) => ({ head }));
  const stood = isOver(view) ? '' : `; the step was in force for ${view.stood}`;
  const since = view.since === null ? 'just now' : `since ${view.since}${stood}`;
  return [
    `${printable(service)}: ${colorOf(view, terminal)(printable(rolloutText(view)))}, ${printable(since)}`,
    `why:  ${printable(view.reason)}`,
    `next: ${printable(nextText(view, steps))}`,
    '',
    renderTable(terminal, columns, rows),
  ].join('\n');
}

function isOver({ state }: RolloutReply): boolean {
  return state === 'done' || state === 'rolled-back';
}

function colorOf({ state }: RolloutReply, { colors }: Terminal): (text: string) => string {
  if (state === 'done') return colors.green;
  return state === 'rolled-back' ? colors.red : colors.yellow;
}

/** A line for each place; on a terminal also what it waits for, anew each second. */
async function follow(
  first: RolloutReply,
  read: () => Promise<RolloutReply>,
  { json }: RolloutOptions,
  shell: Shell,
): Promise<void> {
  const { terminal } = shell;
  const clear = (): void => (terminal.isTerminal ? terminal.err('\r\x1b[K') : undefined);
  let told: RolloutReply | undefined;
  let view = first;
  try {
    for (;;) {
      if (told === undefined || !isSamePlace(told, view)) {
        clear();
        terminal.out(json ? toJson(view, 0) : lineOf(view, terminal));
      }
      told = view;
      if (isOver(view)) break;
      clear();
      if (terminal.isTerminal) terminal.err(printable(view.waiting ?? ''));
      await sleep(POLL_MS);
      // The server may be away for a while.
      view = await read().catch((thrown: unknown) => {
        if (isCut(thrown)) return view;
        throw thrown;
      });
    }
  } finally {
    clear();
  }
  if (view.state === 'rolled-back') shell.exitCode = 1;
}

/** What has just begun gets its time when it is stored. */
function isSamePlace(before: RolloutReply, now: RolloutReply): boolean {
  const isSameTime = before.since === now.since || before.since === null;
  return isSameTime && before.state === now.state && before.step === now.step && before.percent === now.percent;
}

function lineOf(view: RolloutReply, terminal: Terminal): string {
  const text = colorOf(view, terminal)(printable(rolloutText(view)).padEnd(34));
  return `${printable(view.since ?? 'now').padEnd(24)}  ${text}  ${printable(view.reason)}\n`;
}
