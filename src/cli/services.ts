// services.ts -- `rollcall services` and `rollcall instances`: who is there, and how they are

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CodedError } from '../base/errors.ts';
import { addClientOptions, type ClientOptions, collect, openApi, type Shell } from './client-command.ts';
import { type ApiClient, isCut, pathPart } from './http-client.ts';
import { renderTable, statusColor, toJson } from './output.ts';

interface ServiceRow {
  readonly name: string;
  readonly instances: number;
  readonly healthy: number;
  readonly tags: readonly string[];
  readonly strategy: string;
  readonly index: number;
}

/** The parts of an instance that are shown. */
interface InstanceRow {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly status: string;
  readonly reason: string;
  readonly weight: number;
  readonly tags: readonly string[];
}

interface InstancesOptions extends ClientOptions {
  readonly watch?: boolean;
  readonly status?: string;
  readonly tag?: readonly string[];
}

const PAGE = 500;
const WAIT_SECONDS = 30;
const POLL_MS = 1000;

/** Add both commands. */
export function addServiceCommands(program: Command, shell: Shell): void {
  addClientOptions(program.command('services').description('list the services')).action(
    async (options: ClientOptions) => {
      const services = await listServices(openApi(options, shell.terminal));
      shell.terminal.out(options.json ? toJson(services) : servicesTable(shell, services));
    },
  );
  addClientOptions(program.command('instances [service]').description('list instances, of one service or of all'))
    .option('--status <status>', 'only those of this status')
    .option('--tag <tag>', 'only those with this tag; may be repeated', collect)
    .option('--watch', 'print them anew whenever something changes')
    .action(async (service: string | undefined, options: InstancesOptions) => {
      const api = openApi(options, shell.terminal);
      if (options.watch) return watch(api, service, options, shell);
      const { instances } = await readInstances(api, service, options);
      shell.terminal.out(options.json ? toJson(instances) : instancesText(shell, instances));
    });
}

async function listServices(api: ApiClient): Promise<ServiceRow[]> {
  const services: ServiceRow[] = [];
  let after: string | undefined;
  do {
    const { body } = await api.call('/v1/services', { query: { limit: PAGE, after } });
    const page = body as { services: ServiceRow[]; next?: string | null };
    services.push(...page.services);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return services;
}

function servicesTable({ terminal }: Shell, services: readonly ServiceRow[]): string {
  if (services.length === 0) return 'no services\n';
  const columns = ['SERVICE', 'HEALTHY', 'INSTANCES', 'STRATEGY', 'TAGS'].map((head) => ({ head }));
  const rows = services.map(({ name, healthy, instances, strategy, tags }) => [
    ...[name, String(healthy), String(instances)],
    ...[strategy, tags.join(',')],
  ]);
  return renderTable(terminal, columns, rows);
}

interface Reading {
  readonly instances: readonly InstanceRow[];
  /** The index of the one service read. */
  readonly index: number;
}

async function readInstances(
  api: ApiClient,
  service: string | undefined,
  filter: InstancesOptions,
  block: { index?: number; wait?: string } = {},
): Promise<Reading> {
  if (service === undefined) {
    const instances: InstanceRow[] = [];
    for (const { name } of await listServices(api)) {
      const reading = await readInstances(api, name, filter).catch(emptyWhenGone);
      instances.push(...reading.instances);
    }
    return { instances, index: 0 };
  }
  const query = { status: filter.status, tag: filter.tag, ...block };
  const timeoutMs = (block.wait === undefined ? 0 : WAIT_SECONDS * 1000) + 10_000;
  const { body } = await api.call(`/v1/services/${pathPart(service)}`, { query, timeoutMs });
  return body as Reading;
}

/** A service may go between the list and the look at it. */
function emptyWhenGone(thrown: unknown): Reading {
  if (thrown instanceof CodedError && thrown.code === 'unknown_service') return { instances: [], index: 0 };
  throw thrown;
}

function instancesText({ terminal }: Shell, instances: readonly InstanceRow[]): string {
  if (instances.length === 0) return 'no instances\n';
  const heads = ['ID', 'SERVICE', 'ADDRESS', 'PORT', 'WEIGHT', 'STATUS', 'TAGS', 'REASON'];
  const columns = heads.map((head) => (head === 'STATUS' ? { head, color: statusColor(terminal) } : { head }));
  const rows = instances.map((each) => [
    ...[each.id, each.service, each.address, String(each.port), String(each.weight), each.status],
    ...[each.tags.join(','), each.reason],
  ]);
  return renderTable(terminal, columns, rows);
}

/** Print the instances, once and then whenever what is shown of them has changed; ends with the process. */
async function watch(
  api: ApiClient,
  service: string | undefined,
  options: InstancesOptions,
  shell: Shell,
): Promise<never> {
  let index: number | undefined;
  let told: string | undefined;
  for (;;) {
    const block = index === undefined ? {} : { index, wait: `${WAIT_SECONDS}s` };
    const reading = await readInstances(api, service, options, service === undefined ? {} : block)
      .catch(emptyWhenGone)
      .catch((thrown: unknown) => {
        // The first look tells what is wrong; later the server may be away for a while.
        if (told === undefined || !isCut(thrown)) throw thrown;
        return undefined;
      });
    if (reading === undefined) {
      await sleep(POLL_MS);
      continue;
    }
    const text = instancesText(shell, reading.instances);
    if (text !== told) {
      const time = `${told === undefined ? '' : '\n'}${new Date().toISOString()}\n`;
      shell.terminal.out(options.json ? toJson(reading.instances, 0) : time + text);
    }
    told = text;
    index = reading.index === 0 ? undefined : reading.index;
    // All services, and one that is not there, are asked again after a while.
    if (service === undefined || index === undefined) await sleep(POLL_MS);
  }
}
