// register.ts -- `rollcall register` and `rollcall deregister`

import type { Command } from 'commander';
import { CodedError } from '../base/errors.ts';
import { formatEndpoint } from '../base/ip.ts';
import {
  addClientOptions,
  type ClientOptions,
  collect,
  collectPairs,
  integerOption,
  openApi,
  readJsonFile,
  type Shell,
} from './client-command.ts';
import { pathPart } from './http-client.ts';
import { printable, toJson } from './output.ts';

interface RegisterOptions extends ClientOptions {
  readonly id?: string;
  readonly address?: string;
  readonly port?: number;
  readonly namedPort?: Readonly<Record<string, string>>;
  readonly tag?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly zone?: string;
  readonly ttl?: string;
  readonly leaseTtl?: string;
  readonly checkHttp?: string;
  readonly checkTcp?: boolean;
  readonly checkHeartbeat?: boolean;
  readonly checkInterval?: string;
  readonly checkTimeout?: string;
  readonly file?: string;
}

/** Add both commands. */
export function addRegisterCommands(program: Command, shell: Shell): void {
  addClientOptions(program.command('register <service>').description('register an instance, or replace it'))
    .option('--id <id>', 'id of the instance; with it the call may be repeated (default: <service>-<address>:<port>)')
    .option('--address <address>', 'IP address or host name')
    .option('--port <port>', 'main port', integerOption(1, 65535))
    .option('--named-port <name=port[/udp]>', 'a further port by name; may be repeated', collectPairs)
    .option('--tag <tag>', 'may be repeated', collect)
    .option('--meta <key=value>', 'may be repeated', collectPairs)
    .option('--weight <n>', 'share of the answers, 0 to 65535', integerOption(0, 65535))
    .option('--zone <zone>', 'where the instance runs')
    .option('--ttl <time>', 'TTL of its records, like 5s')
    .option('--lease-ttl <time>', 'deregister it unless a heartbeat comes within this time')
    .option('--check-http <url|/path>', 'check by HTTP; a path is asked of the instance itself')
    .option('--check-tcp', 'check by connecting')
    .option('--check-heartbeat', 'expect heartbeats')
    .option('--check-interval <time>', 'time between checks')
    .option('--check-timeout <time>', 'how long a check may take')
    .option('--file <file>', 'JSON of the instance, - for standard input; options win over it')
    .action(async (service: string, options: RegisterOptions) => {
      const body = await toBody(options, shell);
      const id = options.id ?? body.id;
      const path = `/v1/services/${pathPart(service)}/instances`;
      const api = openApi(options, shell.terminal);
      const reply =
        typeof id === 'string'
          ? await api.call(`${path}/${pathPart(id)}`, { method: 'PUT', body })
          : await api.call(path, { method: 'POST', body });
      const instance = reply.body as { id: string; address: string; port: number; status: string };
      if (options.json) return shell.terminal.out(toJson(instance));
      const word = reply.status === 201 ? 'registered' : 'replaced';
      const where = formatEndpoint(instance);
      shell.terminal.out(`${printable(`${word} ${instance.id} at ${where}, ${instance.status}`)}\n`);
    });
  addClientOptions(program.command('deregister <id...>').description('take instances off the list')).action(
    async (ids: string[], options: ClientOptions) => {
      const api = openApi(options, shell.terminal);
      for (const id of ids) {
        await api.call(`/v1/instances/${pathPart(id)}`, { method: 'DELETE' });
        shell.terminal.out(options.json ? toJson({ id, deregistered: true }, 0) : `deregistered ${printable(id)}\n`);
      }
    },
  );
}

async function toBody(options: RegisterOptions, { terminal }: Shell): Promise<Record<string, unknown>> {
  const body = options.file === undefined ? {} : await readJsonFile(options.file, terminal);
  const { address, port, tag: tags, meta, weight, zone, ttl, leaseTtl } = options;
  const checks = toChecks(options);
  const ports = options.namedPort === undefined ? undefined : toPorts(options.namedPort);
  const stated = { address, port, ports, tags, meta, weight, zone, ttl, leaseTtl, checks };
  for (const [key, value] of Object.entries(stated)) if (value !== undefined) body[key] = value;
  for (const key of ['address', 'port']) {
    if (body[key] === undefined) throw new CodedError('usage', `--${key} is missing`);
  }
  return body;
}

function toPorts(named: Readonly<Record<string, string>>): Record<string, { port: number; proto: string }> {
  return Object.fromEntries(
    Object.entries(named).map(([name, text]) => {
      const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
      if (match === null)
        throw new CodedError('usage', `--named-port ${name}=${text}: must be name=port or name=port/udp`);
      return [name, { port: Number(match[1]), proto: match[2] ?? 'tcp' }];
    }),
  );
}

function toChecks(options: RegisterOptions): Record<string, unknown>[] | undefined {
  const timing = {
    ...(options.checkInterval === undefined ? {} : { interval: options.checkInterval }),
    ...(options.checkTimeout === undefined ? {} : { timeout: options.checkTimeout }),
  };
  const checks: Record<string, unknown>[] = [];
  if (options.checkHttp !== undefined) checks.push({ type: 'http', url: options.checkHttp, ...timing });
  if (options.checkTcp) checks.push({ type: 'tcp', ...timing });
  if (options.checkHeartbeat) checks.push({ type: 'heartbeat', ...timing });
  if (checks.length === 0 && Object.keys(timing).length > 0) {
    throw new CodedError('usage', '--check-interval and --check-timeout need a check: --check-http, --check-tcp');
  }
  return checks.length === 0 ? undefined : checks;
}
