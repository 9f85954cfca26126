// program.ts -- the tree of commands, and from what happened to an exit code: 0 ok, 1 failed, 2 usage

import { Command, CommanderError } from 'commander';
import { CodedError, errorMessage, formatProblem, LocatedError } from '../base/errors.ts';
import { addCheckCommand } from './check.ts';
import type { Shell } from './client-command.ts';
import { addClusterCommand } from './cluster.ts';
import { addCompletionCommand } from './completion.ts';
import { addDemoCommand } from './demo.ts';
import { addDrainCommands } from './drain.ts';
import { addExplainCommand } from './explain.ts';
import { addExportCommand } from './export.ts';
import { addImportCommand } from './import.ts';
import { printable } from './output.ts';
import { addPolicyCommand } from './policy.ts';
import { addQueryCommand } from './query.ts';
import { addRegisterCommands } from './register.ts';
import { addRolloutCommand } from './rollout.ts';
import { addServeCommand, packageVersion } from './serve.ts';
import { addServiceCommands } from './services.ts';
import { addSimulateCommand } from './simulate.ts';
import type { Terminal } from './terminal.ts';
import { addTokenCommand } from './token.ts';
import { addWatchCommand } from './watch.ts';

/** Run one command line, without the program's name in front; resolves with the exit code when it has ended. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const shell: Shell = { terminal, exitCode: 0 };
  try {
    await createProgram(shell).parseAsync(argv, { from: 'user' });
    return shell.exitCode;
  } catch (thrown) {
    // Zero for help that was asked for; all else that commander objects to is a wrong use.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    terminal.err(describe(thrown, terminal));
    return thrown instanceof CodedError && thrown.code === 'usage' ? 2 : 1;
  }
}

function createProgram(shell: Shell): Command {
  const { terminal } = shell;
  const program = new Command('rollcall')
    .description('DNS-based service discovery: healthy instances only')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    });
  addServeCommand(program, shell);
  addDemoCommand(program, shell);
  addCheckCommand(program, shell);
  addQueryCommand(program, shell);
  addServiceCommands(program, shell);
  addClusterCommand(program, shell);
  addRegisterCommands(program, shell);
  addWatchCommand(program, shell);
  addDrainCommands(program, shell);
  addPolicyCommand(program, shell);
  addRolloutCommand(program, shell);
  addExplainCommand(program, shell);
  addSimulateCommand(program, shell);
  addExportCommand(program, shell);
  addImportCommand(program, shell);
  addTokenCommand(program, shell);
  addCompletionCommand(program, shell);
  return program;
}

function describe(thrown: unknown, { colors }: Terminal): string {
  if (thrown instanceof LocatedError) {
    return thrown.problems.map((problem) => `${printable(formatProblem(problem))}\n`).join('');
  }
  if (!(thrown instanceof CodedError)) return `${colors.red('error')}: ${printable(errorMessage(thrown))}\n`;
  const lines = [`${colors.red(printable(thrown.code))}: ${printable(thrown.message)}`];
  for (const { path, message } of thrown.details) {
    lines.push(`  ${path === '' ? '' : `${printable(path)}: `}${printable(message)}`);
  }
  return `${lines.join('\n')}\n`;
}
