// import.ts -- `rollcall import`: register what `rollcall export` wrote, many at a time
//
// Everything is checked before anything is sent. What is registered already as it is costs nothing, so an import that
// was cut off is simply run again.

import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CodedError, errorMessage } from '../base/errors.ts';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { type ExportEntry, type ExportLine, type LineProblem, problemsOf, readExport } from './export-lines.ts';
import { type ApiClient, isCut, pathPart } from './http-client.ts';
import { printable, toJson } from './output.ts';
import { Progress } from './progress.ts';
import { movesTo, type RolloutPlace } from './rollout-place.ts';
import type { Terminal } from './terminal.ts';

interface ImportOptions extends ClientOptions {
  readonly dryRun?: boolean;
}

type InstanceLine = ExportLine & { readonly entry: Extract<ExportEntry, { kind: 'instance' }> };

/** A batch stays below the smallest body limit that a server is likely to have. */
const BATCH_OPERATIONS = 500;
const BATCH_OCTETS = 128 * 1024;
const MAX_PROBLEMS = 100;

/** Add the command. */
export function addImportCommand(program: Command, shell: Shell): void {
  addClientOptions(
    program.command('import <file>').description('register what `rollcall export` wrote; - reads standard input'),
  )
    .option('--dry-run', 'check the file, and send nothing')
    .action((file: string, options: ImportOptions) => importFile(file, options, shell));
}

async function importFile(file: string, options: ImportOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const { lines, problems } = readExport(await readText(file, terminal));
  const instances = lines.filter((line): line is InstanceLine => line.entry.kind === 'instance');
  const counts = { instances: instances.length, policies: lines.length - instances.length };
  if (problems.length > 0) return tell(file, problems, shell);
  if (options.dryRun) {
    const text = `${file} is in order: ${counts.instances} instances, ${counts.policies} policies\n`;
    return terminal.out(options.json ? toJson({ dryRun: true, ...counts }) : text);
  }
  const run = new Import(openApi(options, terminal), terminal, lines.length);
  try {
    await run.send(lines, instances);
  } catch (thrown) {
    if (!isCut(thrown)) throw thrown;
    const { code, message } = thrown as CodedError;
    throw new CodedError(code, `${message}; ${run.done} of ${lines.length} entries were sent: run it again to go on`);
  }
  if (run.problems.length > 0) return tell(file, run.problems, shell);
  const text = `imported ${counts.instances} instances, ${counts.policies} policies\n`;
  terminal.out(options.json ? toJson(counts) : text);
}

async function readText(file: string, terminal: Terminal): Promise<string> {
  try {
    return file === '-' ? await terminal.readInput() : await readFile(resolve(terminal.cwd, file), 'utf8');
  } catch (thrown) {
    throw new CodedError('usage', `cannot read ${file}: ${errorMessage(thrown)}`);
  }
}

/** Each problem on a line of its own, in the form that editors follow. */
function tell(file: string, problems: readonly LineProblem[], shell: Shell): void {
  const { terminal } = shell;
  for (const { line, message } of problems.slice(0, MAX_PROBLEMS))
    terminal.err(`${printable(`${file}:${line}: ${message}`)}\n`);
  if (problems.length > MAX_PROBLEMS) terminal.err(`and ${problems.length - MAX_PROBLEMS} more\n`);
  shell.exitCode = 1;
}

/** One run: policies, then instances, then what is held of them. */
class Import {
  readonly problems: LineProblem[] = [];
  done = 0;
  readonly #api: ApiClient;
  readonly #progress: Progress;
  readonly #total: number;

  constructor(api: ApiClient, terminal: Terminal, total: number) {
    this.#api = api;
    this.#total = total;
    this.#progress = new Progress(terminal, 'importing');
  }

  async send(lines: readonly ExportLine[], instances: readonly InstanceLine[]): Promise<void> {
    try {
      for (const { line, entry } of lines) {
        if (entry.kind !== 'policy') continue;
        await this.#try(line, () => this.#sendPolicy(entry));
        this.#advance(1);
      }
      for (const batch of inBatches(instances)) {
        await this.#sendBatch(batch);
        this.#advance(batch.length);
      }
    } finally {
      this.#progress.end();
    }
  }

  /** Its steps are where they were, before there is anybody to be sent to. */
  async #sendPolicy({ service, policy, rollout }: Extract<ExportEntry, { kind: 'policy' }>): Promise<void> {
    const path = `/v1/services/${pathPart(service)}`;
    const reply = await this.#api.call(`${path}/policy`, { method: 'PUT', body: policy });
    const { rollout: present } = reply.body as { readonly rollout?: RolloutPlace };
    if (rollout === undefined || present === undefined) return;
    for (const body of movesTo(rollout, present)) {
      await this.#api.call(`${path}/rollout`, { method: 'POST', body });
    }
  }

  #advance(count: number): void {
    this.done += count;
    this.#progress.show(this.done, this.#total);
  }

  /** All at once; one by one where that is refused, to find out which line it is and not to stop the others. */
  async #sendBatch(batch: readonly InstanceLine[]): Promise<void> {
    const operations = batch.map(({ entry }) => toOperation(entry));
    try {
      await this.#api.call('/v1/batch', { method: 'POST', body: { operations }, timeoutMs: 60_000 });
    } catch (thrown) {
      if (!(thrown instanceof CodedError) || isCut(thrown) || thrown.code === 'store_unavailable') throw thrown;
      for (const { line, entry } of batch) await this.#try(line, () => this.#register(entry));
    }
    for (const { line, entry } of batch) {
      const path = `/v1/instances/${pathPart(entry.id)}`;
      const { draining, maintenance: reason } = entry;
      if (draining) await this.#try(line, () => this.#api.call(`${path}/drain`, { method: 'POST' }));
      if (reason === undefined) continue;
      const body = { enabled: true, ...(reason === '' ? {} : { reason }) };
      await this.#try(line, () => this.#api.call(`${path}/maintenance`, { method: 'PUT', body }));
    }
  }

  async #register({ service, id, instance }: InstanceLine['entry']): Promise<void> {
    const path = `/v1/services/${pathPart(service)}/instances/${pathPart(id)}`;
    await this.#api.call(path, { method: 'PUT', body: instance });
  }

  /** What the server refuses is a problem of the line; what keeps it from answering ends the run. */
  async #try(line: number, call: () => Promise<unknown>): Promise<void> {
    try {
      await call();
    } catch (thrown) {
      if (isCut(thrown) || (thrown instanceof CodedError && thrown.code === 'store_unavailable')) throw thrown;
      this.problems.push(...problemsOf(line, thrown));
    }
  }
}

function toOperation({ service, id, instance }: InstanceLine['entry']): object {
  return { op: 'register', ...instance, service, id };
}

function* inBatches(lines: readonly InstanceLine[]): Generator<readonly InstanceLine[]> {
  let batch: InstanceLine[] = [];
  let octets = 0;
  for (const line of lines) {
    const size = Buffer.byteLength(JSON.stringify(toOperation(line.entry)));
    if (batch.length > 0 && (batch.length >= BATCH_OPERATIONS || octets + size > BATCH_OCTETS)) {
      yield batch;
      batch = [];
      octets = 0;
    }
    batch.push(line);
    octets += size + 1;
  }
  if (batch.length > 0) yield batch;
}
