// drain.ts -- `rollcall drain`, `maintenance` and `readmit`: taking an instance out of the answers, and back

import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, type Command } from 'commander';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { pathPart } from './http-client.ts';
import { printable, toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

interface DrainOptions extends ClientOptions {
  readonly undo?: boolean;
  readonly wait?: boolean;
}

interface MaintenanceOptions extends ClientOptions {
  readonly reason?: string;
}

/** Add the commands. */
export function addDrainCommands(program: Command, shell: Shell): void {
  addClientOptions(program.command('drain <id>').description('take an instance out of the answers, to be stopped'))
    .option('--undo', 'let it back in')
    .option('--wait', 'return when no client can still hold an answer with it')
    .action((id: string, options: DrainOptions) => drain(id, options, shell));
  addClientOptions(program.command('maintenance <id>').description('switch maintenance of an instance'))
    .addArgument(new Argument('<switch>', 'on or off').choices(['on', 'off']))
    .option('--reason <text>', 'why, for whoever looks')
    .action(async (id: string, state: string, options: MaintenanceOptions) => {
      const { reason } = options;
      const body = { enabled: state === 'on', ...(reason === undefined ? {} : { reason }) };
      const path = `/v1/instances/${pathPart(id)}/maintenance`;
      const reply = await openApi(options, shell.terminal).call(path, { method: 'PUT', body });
      shell.terminal.out(options.json ? toJson(reply.body ?? body) : `maintenance of ${printable(id)} is ${state}\n`);
    });
  addClientOptions(
    program.command('readmit <id>').description('let an instance back in that the gateway ejected'),
  ).action(async (id: string, options: ClientOptions) => {
    const path = `/v1/instances/${pathPart(id)}/ejection`;
    const { body } = await openApi(options, shell.terminal).call(path, { method: 'DELETE' });
    shell.terminal.out(options.json ? toJson(body ?? { id }) : `${printable(id)} is not ejected\n`);
  });
}

async function drain(id: string, options: DrainOptions, { terminal }: Shell): Promise<void> {
  const api = openApi(options, terminal);
  const path = `/v1/instances/${pathPart(id)}/drain`;
  if (options.undo) {
    const { body } = await api.call(path, { method: 'DELETE' });
    terminal.out(options.json ? toJson(body ?? { id }) : `${printable(id)} is no longer draining\n`);
    return;
  }
  const reply = await api.call(path, { method: 'POST' });
  const { safeAfter } = reply.body as { safeAfter: string };
  if (options.wait) {
    // By the server's own clock where it tells: ours may be minutes off. Its Date has whole seconds.
    const date = Date.parse(reply.header('date') ?? '');
    const leftMs = Date.parse(safeAfter) - (Number.isNaN(date) ? Date.now() : date);
    await countDown(Math.min(Math.max(leftMs, 0), MAX_WAIT_MS), terminal);
  }
  const state = options.wait ? 'may be stopped now' : `may be stopped after ${printable(safeAfter)}`;
  terminal.out(options.json ? toJson(reply.body) : `${printable(id)} is draining and ${state}\n`);
}

/** No TTL is longer than a day. */
const MAX_WAIT_MS = 86_400_000;
const BAR_WIDTH = 30;

/** Wait; on a terminal with a bar that fills. */
async function countDown(waitMs: number, terminal: Terminal): Promise<void> {
  const end = performance.now() + waitMs;
  for (;;) {
    const leftMs = end - performance.now();
    if (leftMs <= 0) break;
    if (terminal.isTerminal) {
      const filled = Math.round(BAR_WIDTH * (1 - leftMs / waitMs));
      const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
      terminal.err(`\r[${bar}] ${Math.ceil(leftMs / 1000)}s left `);
    }
    await sleep(Math.min(leftMs, terminal.isTerminal ? 200 : leftMs));
  }
  if (terminal.isTerminal && waitMs > 0) terminal.err(`\r${' '.repeat(BAR_WIDTH + 20)}\r`);
}
