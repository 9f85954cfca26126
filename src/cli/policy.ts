// policy.ts -- `rollcall policy get|set|delete`: how a service's instances are chosen

import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { presentPolicy } from '../api/present-instance.ts';
import { CodedError } from '../base/errors.ts';
import { readPolicy } from '../registry/validate-policy.ts';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { printable, renderTable, toJson } from './output.ts';
import {
  addPolicyFields,
  type PolicyFields,
  type PresentPolicy,
  policyPath,
  readPresentPolicy,
  type SentPolicy,
  statesPolicy,
  wantedPolicy,
} from './policy-fields.ts';
import { type RolloutReply, rolloutText } from './rollout-text.ts';
import type { Terminal } from './terminal.ts';

interface GetOptions extends ClientOptions {
  readonly etag?: boolean;
}

interface SetOptions extends ClientOptions, PolicyFields {
  readonly ifMatch?: string;
  readonly create?: boolean;
  readonly dryRun?: boolean;
}

interface DeleteOptions extends ClientOptions {
  readonly ifMatch?: string;
}

const IF_MATCH = 'only while this is its ETag, like 7; see `policy get --etag`';

/** Add the command and its three subcommands. */
export function addPolicyCommand(program: Command, shell: Shell): void {
  const policy = program.command('policy').description("read and change a service's policy");
  addClientOptions(policy.command('get <service>').description('show the policy'))
    .option('--etag', 'print its ETag instead')
    .action((service: string, options: GetOptions) => get(service, options, shell));
  addPolicyFields(addClientOptions(policy.command('set <service>').description('change what is stated, keep the rest')))
    .option('--if-match <etag>', IF_MATCH)
    .option('--create', 'only where there is none yet')
    .option('--dry-run', 'check it and show what would change, and change nothing')
    .action((service: string, options: SetOptions) => set(service, options, shell));
  addClientOptions(policy.command('delete <service>').description('go back to the defaults'))
    .option('--if-match <etag>', IF_MATCH)
    .action(async (service: string, options: DeleteOptions) => {
      const headers = options.ifMatch === undefined ? {} : { 'if-match': toTag(options.ifMatch) };
      await openApi(options, shell.terminal).call(policyPath(service), { method: 'DELETE', headers });
      const text = `the policy of ${printable(service)} is deleted\n`;
      shell.terminal.out(options.json ? toJson({ service, deleted: true }) : text);
    });
}

async function get(service: string, options: GetOptions, shell: Shell): Promise<void> {
  const reply = await openApi(options, shell.terminal).call(policyPath(service));
  if (!options.etag) return show(shell, options, reply.body as SentPolicy);
  const etag = reply.header('etag') ?? '';
  shell.terminal.out(options.json ? toJson({ etag }) : `${printable(etag)}\n`);
}

async function set(service: string, options: SetOptions, shell: Shell): Promise<void> {
  const { ifMatch, create, dryRun } = options;
  if (!statesPolicy(options)) throw new CodedError('usage', 'nothing to set: see --help');
  if (create && ifMatch !== undefined) throw new CodedError('usage', '--create and --if-match exclude each other');
  const api = openApi(options, shell.terminal);
  let present: PresentPolicy | undefined;
  const readPresent = async (): Promise<PresentPolicy> => {
    present ??= await readPresentPolicy(api, service);
    return present;
  };
  const policy = await wantedPolicy(options, readPresent, shell.terminal);
  if (dryRun) return showChange(shell, options, await readPresent(), policy);
  const headers = conditionOf(options, present);
  const { body } = await api.call(policyPath(service), { method: 'PUT', body: policy, headers });
  show(shell, options, body as SentPolicy);
}

/** Where the present policy went into the one to be sent, what somebody else changed since is not overwritten. */
function conditionOf({ ifMatch, create }: SetOptions, present: PresentPolicy | undefined): Record<string, string> {
  const isAny = ifMatch === undefined || ifMatch === '*';
  if (isAny && present?.etag !== undefined && !create) return { 'if-match': present.etag };
  if (ifMatch !== undefined) return { 'if-match': toTag(ifMatch) };
  return create || present !== undefined ? { 'if-none-match': '*' } : {};
}

/** An ETag has quotes, which a shell takes away. */
function toTag(text: string): string {
  if (/^\d{1,16}$/.test(text)) return `"${text}"`;
  if (/^(?:"[\x21\x23-\x7e]*"|\*)$/.test(text)) return text;
  throw new CodedError('usage', `'${text}' is not an ETag, like 7`);
}

/** Everything that a write could be refused for is found here already, but for what happens until then. */
function showChange(
  { terminal }: Shell,
  { ifMatch, create, json }: SetOptions,
  { policy: present, etag }: PresentPolicy,
  wanted: SentPolicy,
): void {
  const { rollout: _, ...now } = present;
  const next: SentPolicy = presentPolicy(readPolicy(wanted));
  const isMatch = ifMatch === undefined || (etag !== undefined && [etag, '*'].includes(toTag(ifMatch)));
  if (!isMatch || (create && etag !== undefined)) {
    throw new CodedError('precondition_failed', etag === undefined ? 'there is no policy' : `the policy is at ${etag}`);
  }
  terminal.out(
    json
      ? toJson({ dryRun: true, present: etag === undefined ? null : now, wanted: next })
      : differenceText(now, next, terminal),
  );
}

function differenceText(now: SentPolicy, next: SentPolicy, terminal: Terminal): string {
  const keys = [...new Set([...Object.keys(now), ...Object.keys(next)])];
  const rows = keys
    .filter((key) => !isDeepStrictEqual(now[key], next[key]))
    .map((key) => [key, cell(now[key]), cell(next[key])]);
  const columns = [{ head: 'KEY' }, { head: 'NOW' }, { head: 'THEN' }];
  return rows.length === 0 ? 'nothing would change\n' : renderTable(terminal, columns, rows);
}

function cell(value: unknown): string {
  if (value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function show({ terminal }: Shell, options: ClientOptions, policy: SentPolicy): void {
  const rows = Object.entries(policy).flatMap(([key, value]) => {
    if (key === 'rollout') return [[key, rolloutText(value as RolloutReply)]];
    return Array.isArray(value) ? value.map((each, index) => [`${key}[${index}]`, cell(each)]) : [[key, cell(value)]];
  });
  const columns = [{ head: 'KEY' }, { head: 'VALUE' }];
  if (options.json) terminal.out(toJson(policy));
  else terminal.out(rows.length === 0 ? 'the defaults\n' : renderTable(terminal, columns, rows));
}
