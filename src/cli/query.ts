// query.ts -- `rollcall query`: ask a DNS server as a client would

import { type Command, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../base/errors.ts';
import { type Endpoint, formatEndpoint, type IpPrefix, parseEndpoint, parseIp, parsePrefix } from '../base/ip.ts';
import { formatType, parseType } from '../dns/codes.ts';
import { NameError } from '../dns/name.ts';
import type { Shell } from './client-command.ts';
import type { RecordText } from './dns-answer.ts';
import type { DnsReply } from './dns-exchange.ts';
import { printable, renderTable, toJson } from './output.ts';

interface QueryOptions {
  readonly server: Endpoint | URL;
  readonly tcp?: boolean;
  readonly tls?: boolean;
  readonly https?: boolean;
  readonly subnet?: IpPrefix;
  readonly timeout: number;
  readonly json?: boolean;
}

const DEFAULT_SERVER: Endpoint = { address: '127.0.0.1', port: 8600 };
/** Where the HTTP listener is by default, for --https without --server. */
const DEFAULT_HTTP = new URL('http://127.0.0.1:8500/dns-query');
const DNS_PORT = 53;
const TLS_PORT = 853;
const HTTPS_PORT = 443;
/** The usual one of the way in which it is asked. */
const USUAL_PORT = 0;

/** Add the command. It fails for every rcode but NOERROR, so that scripts need not read the output. */
export function addQueryCommand(program: Command, shell: Shell): void {
  program
    .command('query <name> [type]')
    .description('ask a DNS server; type is A when it is left out')
    .addOption(
      new Option('--server <address[:port]>', 'whom to ask; for HTTPS it may be a URL')
        .default(DEFAULT_SERVER, formatEndpoint(DEFAULT_SERVER))
        .argParser(toServer),
    )
    .option('--tcp', 'ask by TCP')
    .option('--tls', 'ask by TLS')
    .option('--https', 'ask by HTTPS')
    .addOption(new Option('--subnet <cidr>', 'for whom to ask: EDNS client subnet').argParser(toSubnet))
    .addOption(new Option('--timeout <seconds>', 'how long to wait').default(5).argParser(toSeconds))
    .option('--json', 'print JSON')
    .action((name: string, type: string | undefined, options: QueryOptions) =>
      query(name, type ?? 'A', options, shell),
    );
}

function toServer(text: string): Endpoint | URL {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return withPath(new URL(text));
  const address = parseIp(text.replace(/^\[(.*)\]$/, '$1'));
  const server = address === undefined ? parseEndpoint(text) : { address: address.text, port: USUAL_PORT };
  if (server !== undefined && (server.port > 0 || address !== undefined)) return server;
  throw new InvalidArgumentError('It must be an address and a port, like 127.0.0.1:8600 or [::1]:8600.');
}

/** The usual path where none is stated. */
function withPath(url: URL): URL {
  return url.pathname === '/' ? new URL('/dns-query', url) : url;
}

/** Undefined: no HTTPS. A URL says so by itself. */
function urlOf({ server, https }: QueryOptions): string | undefined {
  if (server instanceof URL) return server.href;
  if (https === undefined) return undefined;
  if (server === DEFAULT_SERVER) return DEFAULT_HTTP.href;
  return `https://${formatEndpoint(withPort(server, HTTPS_PORT))}/dns-query`;
}

function endpointOf({ server, tls }: QueryOptions): Endpoint {
  if (tls === undefined) return withPort(server as Endpoint, DNS_PORT);
  return withPort(server === DEFAULT_SERVER ? { ...DEFAULT_SERVER, port: USUAL_PORT } : (server as Endpoint), TLS_PORT);
}

function withPort(endpoint: Endpoint, usual: number): Endpoint {
  return endpoint.port === USUAL_PORT ? { ...endpoint, port: usual } : endpoint;
}

function toSubnet(text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return prefix;
  throw new InvalidArgumentError('It must be a network like 10.1.2.0/24, without host bits, or an address.');
}

function toSeconds(text: string): number {
  const seconds = /^\d{1,3}(\.\d{1,3})?s?$/.test(text) ? Number.parseFloat(text) : 0;
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError('It must be a number of seconds.');
}

async function query(name: string, typeText: string, options: QueryOptions, shell: Shell): Promise<void> {
  const type = parseType(typeText);
  if (type === undefined) throw new CodedError('usage', `'${typeText}' is not a record type, like A or TYPE65`);
  const server = urlOf(options) ?? endpointOf(options);
  const ways = [options.tcp && 'TCP', options.tls && 'TLS', typeof server === 'string' && 'HTTPS'].filter(Boolean);
  if (ways.length > 1) throw new CodedError('usage', `${ways.join(' and ')} exclude each other`);
  const asked = typeof server === 'string' ? server : formatEndpoint(server);
  const startMs = performance.now();
  const { askDns } = await import('./dns-exchange.ts');
  const reply = await askDns({
    ...{ name, type, server, timeoutMs: options.timeout * 1000 },
    ...(options.tcp === undefined ? {} : { tcp: options.tcp }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.subnet === undefined ? {} : { subnet: options.subnet }),
  }).catch((thrown: unknown) => {
    throw thrown instanceof NameError ? new CodedError('usage', thrown.message) : thrown;
  });
  const timeMs = Math.round((performance.now() - startMs) * 10) / 10;
  const question = { name, type: formatType(type) };
  if (reply.rcode !== 'NOERROR') shell.exitCode = 1;
  if (options.json) shell.terminal.out(toJson({ server: asked, question, timeMs, ...reply }));
  else show(reply, `${asked} by ${reply.transport}, ${timeMs} ms`, shell);
}

function show(reply: DnsReply, how: string, { terminal }: Shell): void {
  const sections: readonly [string, readonly RecordText[]][] = [
    ['answer', reply.answers],
    ['authority', reply.authorities],
    ['additional', reply.additionals],
  ];
  const columns = ['SECTION', 'NAME', 'TTL', 'TYPE', 'DATA'].map((head) => ({ head }));
  const rows = sections.flatMap(([section, records]) =>
    records.map(({ name, ttl, type, data }) => [section, name, String(ttl), type, data]),
  );
  if (rows.length > 0) terminal.out(renderTable(terminal, columns, rows));
  const flags = reply.flags.length === 0 ? '' : ` (${reply.flags.join(' ')})`;
  const subnet = reply.clientSubnet === undefined ? '' : `, client subnet ${reply.clientSubnet}`;
  terminal.out(`${printable(`${reply.rcode}${flags} from ${how}${subnet}`)}\n`);
}
