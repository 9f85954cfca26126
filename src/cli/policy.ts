// policy.ts -- `rollcall policy get|set|delete`: how a service's instances are chosen

import { type Command, Option } from 'commander';
import { CodedError } from '../base/errors.ts';
import { STRATEGY_NAMES } from '../registry/policy.ts';
import {
  addClientOptions,
  type ClientOptions,
  integerOption,
  openApi,
  readJsonFile,
  type Shell,
} from './client-command.ts';
import { type ApiClient, pathPart } from './http-client.ts';
import { printable, renderTable, toJson } from './output.ts';

interface PolicyOptions extends ClientOptions {
  readonly strategy?: string;
  readonly maxAnswers?: number;
  readonly ttl?: string;
  readonly file?: string;
}

type Policy = Readonly<Record<string, unknown>>;

/** Add the command and its three subcommands. */
export function addPolicyCommand(program: Command, shell: Shell): void {
  const policy = program.command('policy').description("read and change a service's policy");
  addClientOptions(policy.command('get <service>').description('show the policy')).action(
    async (service: string, options: ClientOptions) => {
      const { body } = await openApi(options, shell.terminal).call(policyPath(service));
      show(shell, options, body as Policy);
    },
  );
  addClientOptions(policy.command('set <service>').description('change what is stated, keep the rest'))
    .addOption(new Option('--strategy <name>', STRATEGY_NAMES.join(', ')))
    .option('--max-answers <n>', 'addresses or records in one answer', integerOption(1, 1000))
    .option('--ttl <time>', 'TTL of the records, like 5s')
    .option('--file <file>', 'JSON of a whole policy instead of the present one, - for standard input; options win')
    .action(async (service: string, options: PolicyOptions) => set(service, options, shell));
  addClientOptions(policy.command('delete <service>').description('go back to the defaults')).action(
    async (service: string, options: ClientOptions) => {
      await openApi(options, shell.terminal).call(policyPath(service), { method: 'DELETE' });
      const text = `the policy of ${printable(service)} is deleted\n`;
      shell.terminal.out(options.json ? toJson({ service, deleted: true }) : text);
    },
  );
}

function policyPath(service: string): string {
  return `/v1/services/${pathPart(service)}/policy`;
}

async function set(service: string, options: PolicyOptions, shell: Shell): Promise<void> {
  const { strategy, maxAnswers, ttl, file } = options;
  const stated = Object.entries({ strategy, maxAnswers, ttl }).filter(([, value]) => value !== undefined);
  if (stated.length === 0 && file === undefined) throw new CodedError('usage', 'nothing to set: see --help');
  const api = openApi(options, shell.terminal);
  const present: Present =
    file === undefined ? await readPresent(api, service) : { policy: await readJsonFile(file, shell.terminal) };
  const { body } = await api.call(policyPath(service), {
    method: 'PUT',
    body: { ...present.policy, ...Object.fromEntries(stated) },
    // What somebody else changed in between is not overwritten.
    ...(present.etag === undefined ? {} : { headers: { 'if-match': present.etag } }),
  });
  show(shell, options, body as Policy);
}

interface Present {
  readonly policy: Policy;
  readonly etag?: string | undefined;
}

/** The policy in force; empty where there is none. */
export async function readPresentPolicy(api: ApiClient, service: string): Promise<Policy> {
  return (await readPresent(api, service)).policy;
}

async function readPresent(api: ApiClient, service: string): Promise<Present> {
  try {
    const reply = await api.call(policyPath(service));
    return { policy: reply.body as Policy, etag: reply.header('etag') };
  } catch (thrown) {
    const isNone = thrown instanceof CodedError && /^unknown_(policy|service)$/.test(thrown.code);
    if (isNone) return { policy: {} };
    throw thrown;
  }
}

function show({ terminal }: Shell, options: ClientOptions, policy: Policy): void {
  const rows = Object.entries(policy).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const columns = [{ head: 'KEY' }, { head: 'VALUE' }];
  if (options.json) terminal.out(toJson(policy));
  else terminal.out(rows.length === 0 ? 'the defaults\n' : renderTable(terminal, columns, rows));
}
