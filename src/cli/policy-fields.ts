// policy-fields.ts -- options that state fields of a policy, for the commands that set one or try one

import { type Command, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../base/errors.ts';
import { STRATEGY_NAMES, WHEN_ALL_UNHEALTHY } from '../registry/policy.ts';
import { integerOption, readJsonFile } from './client-command.ts';
import { type ApiClient, pathPart } from './http-client.ts';
import type { Terminal } from './terminal.ts';

/** A policy in the shape in which the API takes and shows one. */
export type SentPolicy = Readonly<Record<string, unknown>>;

/** What the options say. */
export interface PolicyFields {
  readonly strategy?: string;
  readonly maxAnswers?: number;
  readonly ttl?: string;
  readonly whenAllUnhealthy?: string;
  readonly minHealthyFraction?: number;
  readonly warningWeight?: number;
  readonly srvWeightScale?: number;
  readonly oneSubnetPerAnswer?: boolean;
  readonly slowStart?: string;
  readonly unset?: readonly string[];
  readonly file?: string;
}

/** Every field that a policy may have. */
const FIELDS = [
  ...['strategy', 'maxAnswers', 'ttl', 'whenAllUnhealthy', 'minHealthyFraction', 'warningWeight', 'srvWeightScale'],
  ...['oneSubnetPerAnswer', 'slowStart', 'routes', 'tiers', 'affinity', 'steps', 'guard'],
];

/** Give a command the options. */
export function addPolicyFields(command: Command): Command {
  return command
    .addOption(new Option('--strategy <name>', STRATEGY_NAMES.join(', ')))
    .option('--max-answers <n>', 'addresses or records in one answer', integerOption(1, 1000))
    .option('--ttl <time>', 'TTL of the records, like 5s')
    .option('--when-all-unhealthy <what>', WHEN_ALL_UNHEALTHY.join(', '))
    .option('--min-healthy-fraction <part>', 'share of well instances below which that applies', toNumber)
    .option('--warning-weight <factor>', 'on the weights of instances that warn, 0 to 1', toNumber)
    .option('--srv-weight-scale <factor>', 'on the weights of SRV records, like 256', toNumber)
    .option('--one-subnet-per-answer', 'addresses of one /24 or /64 only')
    .option('--no-one-subnet-per-answer', 'addresses of any subnet, as is the default')
    .option('--slow-start <time>', 'how long instances warm up, like 90s')
    .option('--unset <field>', 'leave this field out, like ttl or routes; may be repeated', collectFields)
    .option('--file <file>', 'JSON of a whole policy instead of the present one, - for standard input; options win');
}

/** Do the options ask for another policy than the present one? */
export function statesPolicy(options: PolicyFields): boolean {
  return options.file !== undefined || options.unset !== undefined || Object.keys(statedFields(options)).length > 0;
}

/** A policy as it is at the server, and its ETag. */
export interface PresentPolicy {
  /** Empty where there is none. */
  readonly policy: SentPolicy;
  /** Undefined where there is none. */
  readonly etag: string | undefined;
}

/** Where the policy of a service is. */
export function policyPath(service: string): string {
  return `/v1/services/${pathPart(service)}/policy`;
}

/** The policy in force at the server. */
export async function readPresentPolicy(api: ApiClient, service: string): Promise<PresentPolicy> {
  try {
    const reply = await api.call(policyPath(service));
    return { policy: reply.body as SentPolicy, etag: reply.header('etag') };
  } catch (thrown) {
    const isNone = thrown instanceof CodedError && /^unknown_(policy|service)$/.test(thrown.code);
    if (isNone) return { policy: {}, etag: undefined };
    throw thrown;
  }
}

/** What the options make of the policy in their file, or else of the present one, which is asked for only then. */
export async function wantedPolicy(
  options: PolicyFields,
  present: () => Promise<PresentPolicy>,
  terminal: Terminal,
): Promise<SentPolicy> {
  const { file, unset = [] } = options;
  const base = file === undefined ? (await present()).policy : await readJsonFile(file, terminal);
  const kept = Object.entries(base).filter(([key]) => !unset.includes(key));
  return { ...Object.fromEntries(kept), ...statedFields(options) };
}

function statedFields(options: PolicyFields): SentPolicy {
  const { strategy, maxAnswers, ttl, whenAllUnhealthy, minHealthyFraction } = options;
  const { warningWeight, srvWeightScale, oneSubnetPerAnswer, slowStart } = options;
  const fields = {
    ...{ strategy, maxAnswers, ttl, whenAllUnhealthy, minHealthyFraction },
    ...{ warningWeight, srvWeightScale, oneSubnetPerAnswer, slowStart },
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function toNumber(text: string): number {
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number.');
}

function collectFields(field: string, before: readonly string[] = []): readonly string[] {
  if (FIELDS.includes(field)) return [...before, field];
  throw new InvalidArgumentError(`Allowed choices are ${FIELDS.join(', ')}.`);
}
