// check.ts -- `rollcall check`: is the configuration in order, and are the zones?

import { isAbsolute, relative, sep } from 'node:path';
import type { Command } from 'commander';
import { formatProblem, type Problem } from '../base/errors.ts';
import { loadConfig } from '../config/load-config.ts';
import { readZones } from '../config/zone-files.ts';
import { shadowWarnings } from '../wiring/view-plan.ts';
import type { Shell } from './client-command.ts';
import { printable } from './output.ts';

/** Add the command. */
export function addCheckCommand(program: Command, shell: Shell): void {
  program
    .command('check')
    .description('validate the configuration and the zone files')
    .option('--config <file>', 'configuration file (default: rollcall.yaml, when it exists)')
    .action((options: { config?: string }) => check(options.config, shell));
}

function check(file: string | undefined, shell: Shell): void {
  const { terminal } = shell;
  const { config, problems, files } = loadConfig({
    ...(file === undefined ? {} : { file }),
    env: terminal.env,
    cwd: terminal.cwd,
  });
  const all = [...problems];
  let zoneCount = 0;
  if (config !== undefined) {
    const { zones, problems: inZones } = readZones(config.dns.zonesFolder, { statedAt: config.dns.zonesStatedAt });
    const found = [...inZones];
    zoneCount = zones.length;
    const services = new Set(config.services.map(({ service }) => service));
    found.push(...shadowWarnings(config.dns, zones, services));
    all.push(...found.map((problem) => ({ ...problem, file: shortPath(problem.file, terminal.cwd) })));
  }
  reportProblems(all, terminal.out);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  if (errors > 0 || config === undefined) {
    terminal.err(`${plural(errors, 'error')}\n`);
    shell.exitCode = 1;
    return;
  }
  const source = files[0] === undefined ? 'no configuration file' : shortPath(files[0], terminal.cwd);
  const parts = [
    plural(config.dns.domains.length, 'domain'),
    plural(zoneCount, 'zone'),
    plural(config.services.length, 'static instance'),
  ];
  terminal.out(`ok: ${printable(source)}, ${parts.join(', ')}\n`);
}

/** Write each problem on a line of its own, as `file:line:column: message`. */
export function reportProblems(problems: readonly Problem[], write: (text: string) => void): void {
  for (const problem of problems) write(`${printable(formatProblem(problem))}\n`);
}

/** Relative where that is shorter to read. */
function shortPath(path: string, cwd: string): string {
  if (!isAbsolute(path)) return path;
  const way = relative(cwd, path);
  return way === '' || way === '..' || way.startsWith(`..${sep}`) ? path : way;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
