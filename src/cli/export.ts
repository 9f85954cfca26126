// export.ts -- `rollcall export`: everything registered, as lines of JSON, from a server or from the store of a stopped one

import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { presentChecks, presentPolicy, presentRegistration } from '../api/present-instance.ts';
import { presentPlace } from '../api/present-rollout.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Policy } from '../registry/policy.ts';
import type { Rollout } from '../registry/rollout.ts';
import { readStored, type StoredHold } from '../registry/stored.ts';
import { currentRollout } from '../routing/rollout.ts';
import { claimStore } from '../stores/store-claim.ts';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { type ExportEntry, exportEnd, exportHeader, exportLine, registrationOf } from './export-lines.ts';
import { type ApiClient, pathPart } from './http-client.ts';
import { readPresentPolicy, type SentPolicy } from './policy-fields.ts';
import { Progress } from './progress.ts';
import type { RolloutPlace } from './rollout-place.ts';
import type { Terminal } from './terminal.ts';

interface ExportOptions extends ClientOptions {
  readonly store?: string;
}

const PAGE = 500;

/** Add the command. */
export function addExportCommand(program: Command, shell: Shell): void {
  addClientOptions(program.command('export [file]').description('write everything registered, for `rollcall import`'))
    .option('--store <folder>', 'read the store folder of a stopped server instead of asking a running one')
    .action(async (file: string | undefined, options: ExportOptions) => {
      const { terminal } = shell;
      const entries =
        options.store === undefined
          ? ask(openApi(options, terminal), new Progress(toFile(file, terminal), 'exporting services'))
          : read(options.store, terminal);
      const count = await writeAll(entries, file, terminal);
      if (file !== undefined) terminal.err(`${count} entries written to ${file}\n`);
    });
}

async function writeAll(
  entries: AsyncIterable<ExportEntry>,
  file: string | undefined,
  terminal: Terminal,
): Promise<number> {
  let count = 0;
  const lines = async function* (): AsyncGenerator<string> {
    yield exportHeader(new Date());
    for await (const entry of entries) {
      count += 1;
      yield exportLine(entry);
    }
    yield exportEnd(count);
  };
  if (file === undefined || file === '-') for await (const line of lines()) terminal.out(line);
  else await writeFile(resolve(terminal.cwd, file), lines());
  return count;
}

/** A bar would run into what is written to the same terminal. */
function toFile(file: string | undefined, terminal: Terminal): Terminal {
  return file === undefined || file === '-' ? { ...terminal, isTerminal: false } : terminal;
}

/** The file appears when it is complete, and replaces one of the same name. */
async function writeFile(path: string, lines: AsyncIterable<string>): Promise<void> {
  const draft = `${path}.${process.pid}.draft`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      for await (const line of lines) await handle.write(line);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
  } catch (thrown) {
    await rm(draft, { force: true });
    if (thrown instanceof CodedError) throw thrown;
    throw new CodedError('unwritable', `cannot write ${path}: ${errorMessage(thrown)}`);
  }
}

interface ServiceReply {
  readonly policy: SentPolicy | null;
  readonly instances: readonly Readonly<Record<string, unknown>>[];
}

/** All services of a running server, one after the other. Static instances belong to its configuration. */
async function* ask(api: ApiClient, progress: Progress): AsyncGenerator<ExportEntry> {
  const names: string[] = [];
  let after: string | undefined;
  do {
    const { body } = await api.call('/v1/services', { query: { limit: PAGE, after } });
    const page = body as { services: { name: string }[]; next?: string | null };
    names.push(...page.services.map(({ name }) => name));
    after = page.next ?? undefined;
  } while (after !== undefined);
  try {
    for (const [index, service] of names.entries()) {
      progress.show(index, names.length);
      const reply = await askService(api, service);
      if (reply?.policy) yield* askPolicy(api, service, reply.policy);
      for (const shown of reply?.instances ?? []) if (shown.static !== true) yield toEntry(service, shown);
    }
  } finally {
    progress.end();
  }
}

/** Undefined for a service that has gone since it was listed. */
async function askService(api: ApiClient, service: string): Promise<ServiceReply | undefined> {
  try {
    return (await api.call(`/v1/services/${pathPart(service)}`)).body as ServiceReply;
  } catch (thrown) {
    if (thrown instanceof CodedError && thrown.code === 'unknown_service') return undefined;
    throw thrown;
  }
}

/** A policy with steps is read again, with how far they have come, unless it has gone since. */
async function* askPolicy(api: ApiClient, service: string, policy: SentPolicy): AsyncGenerator<ExportEntry> {
  if (policy.steps === undefined) return yield { kind: 'policy', service, policy };
  const { policy: read, etag } = await readPresentPolicy(api, service);
  if (etag === undefined) return;
  const { rollout, ...present } = read;
  if (rollout === undefined) return yield { kind: 'policy', service, policy: present };
  const { state, step } = rollout as RolloutPlace;
  yield { kind: 'policy', service, policy: present, rollout: { state, step } };
}

function toEntry(service: string, shown: Readonly<Record<string, unknown>>): ExportEntry {
  const { status, reason } = shown;
  // What a schedule began, a schedule ends: it is no part of the registration.
  const isHeld = status === 'maintenance' && typeof reason === 'string' && !reason.startsWith('schedule ');
  return {
    ...{ kind: 'instance', service, id: String(shown.id), instance: registrationOf(shown) },
    ...(status === 'draining' ? { draining: true } : {}),
    ...(isHeld ? { maintenance: reason === 'maintenance' ? '' : reason } : {}),
  };
}

/** The same from a store folder, which is locked and verified as a server would do it. */
async function* read(path: string, terminal: Terminal): AsyncGenerator<ExportEntry> {
  const folder = resolve(terminal.cwd, path);
  // Claiming would make the folder.
  if (!existsSync(folder)) throw new CodedError('store_path', `there is no store in ${folder}`);
  const claim = claimStore(folder);
  try {
    const { records } = await claim.checked;
    const holds = new Map<string, StoredHold>();
    const entries = records.map(({ key, value }) => readStored(key, value));
    const rollouts = new Map<string, Rollout>();
    for (const each of entries) {
      if (each?.kind === 'hold' && each.value !== undefined) holds.set(each.id, each.value);
      if (each?.kind === 'rollout' && each.value !== undefined) rollouts.set(each.id, each.value);
    }
    for (const each of entries) {
      if (each?.kind === 'policy' && each.value !== undefined) {
        const place = storedPlace(each.value, rollouts.get(each.id));
        yield { kind: 'policy', service: each.id, policy: presentPolicy(each.value), ...place };
      }
    }
    for (const each of entries) {
      if (each?.kind !== 'instance' || each.value === undefined) continue;
      const { instance } = each.value;
      const { draining = false, maintenance } = holds.get(each.id) ?? {};
      const shown = {
        ...presentRegistration(instance),
        checks: presentChecks({ instance, checks: {} } as InstanceState),
      };
      yield {
        ...{ kind: 'instance', service: instance.service, id: instance.id, instance: registrationOf(shown) },
        ...(draining ? { draining } : {}),
        ...(maintenance === undefined || maintenance === null || maintenance.startsWith('schedule ')
          ? {}
          : { maintenance }),
      };
    }
  } finally {
    await claim.release();
  }
}

function storedPlace(policy: Policy, stored: Rollout | undefined): { rollout?: RolloutPlace } {
  const { steps } = policy;
  if (steps === undefined) return {};
  const { state, step } = presentPlace(currentRollout({ ...policy, steps }, stored));
  return { rollout: { state, step } };
}
