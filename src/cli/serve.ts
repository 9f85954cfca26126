// serve.ts -- `rollcall serve`: run a server until it is told to stop

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { LocatedError } from '../base/errors.ts';
import { type Endpoint, formatEndpoint, isUnspecified, parseIp } from '../base/ip.ts';
import type { Config } from '../config/config.ts';
import { type LoadConfigOptions, loadConfig } from '../config/load-config.ts';
import type { RunningServer, ServerOptions } from '../server.ts';
import { claimStore, type StoreClaim } from '../stores/store-claim.ts';
import { reportProblems } from './check.ts';
import type { Shell } from './client-command.ts';
import { repairConfigured } from './repair.ts';

interface ServeOptions {
  readonly config?: string;
  readonly readyFile?: string;
  readonly repair?: boolean;
}

/** Add the command. */
export function addServeCommand(program: Command, shell: Shell): void {
  program
    .command('serve')
    .description('run the server')
    .option('--config <file>', 'configuration file (default: rollcall.yaml, when it exists)')
    .option(
      '--ready-file <file>',
      'write the bound addresses there, as JSON, once everything is open and when a reload changes them',
    )
    .option('--repair', 'first rebuild a damaged store from its snapshot and from what is readable')
    .action((options: ServeOptions) => serve(options, shell));
}

async function serve(options: ServeOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const file = options.config === undefined ? {} : { file: options.config };
  const load = (isTaken?: LoadConfigOptions['isTaken']) =>
    loadConfig({ ...file, env: terminal.env, cwd: terminal.cwd, isTaken });
  const readyFile = options.readyFile === undefined ? undefined : resolve(terminal.cwd, options.readyFile);
  // One of an earlier run would say that we are ready before we are.
  if (readyFile !== undefined) rmSync(readyFile, { force: true });

  const { config, problems } = load();
  if (config === undefined) throw new LocatedError('invalid_config', problems);
  reportProblems(problems, terminal.err);
  if (options.repair) await repairConfigured(config, terminal);
  await runServer(config, load, (server) => {
    if (readyFile !== undefined) {
      writeReadyFile(readyFile, server.addresses);
      server.onAddresses((addresses) => writeReadyFile(readyFile, addresses));
    }
    terminal.out(greeting(config, server.addresses));
  });
}

/** Docker kills who takes 10. */
const STOP_DEADLINE_MS = 9000;

/**
 * Start a server and keep it until SIGTERM or SIGINT asks for an orderly stop, or `onReady` says so by the function it
 * is given; a second signal exits at once, and so does a stop that takes too long. SIGHUP reloads.
 */
export async function runServer(
  config: Config,
  reloadConfig: ServerOptions['reloadConfig'],
  onReady: (server: RunningServer, stop: () => void) => void | Promise<void>,
): Promise<void> {
  let askToStop = (): void => {};
  const asked = new Promise<void>((done) => {
    askToStop = done;
  });
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143);
    askToStop();
  };
  // Before anything is opened: a signal that comes early must not leave a half-open store behind.
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  let server: RunningServer | undefined;
  let storeClaim: StoreClaim | undefined;
  let isReloadDue = false;
  const onHangup = (): void => {
    if (server === undefined) isReloadDue = true;
    else void server.reload();
  };
  process.on('SIGHUP', onHangup);
  try {
    // The store is verified by a child while the server's modules are loaded.
    if (config.store.kind !== 'memory') storeClaim = claimStore(config.store.path);
    // Only here, so that the small commands do not load the whole server.
    const { startServer } = await import('../server.ts');
    server = await startServer({ config, reloadConfig, version: packageVersion(), storeClaim });
    // What was started with may have been read before the change that the signal told of.
    if (isReloadDue) void server.reload();
    await onReady(server, askToStop);
    await asked;
  } finally {
    const overdue = setTimeout(() => {
      process.stderr.write(`rollcall: not stopped after ${STOP_DEADLINE_MS / 1000} s; exiting\n`);
      process.exit(1);
    }, STOP_DEADLINE_MS).unref();
    await server?.stop();
    await storeClaim?.release();
    clearTimeout(overdue);
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangup);
  }
}

/** The version in package.json, which lies two folders up from here in src/ and in dist/. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function writeReadyFile(file: string, { dns, tls, http, gateway }: RunningServer['addresses']): void {
  const addresses = {
    dns: dns.map(formatEndpoint),
    tls: tls.map(formatEndpoint),
    http: http.map(formatEndpoint),
    gateway: gateway.map(formatEndpoint),
    pid: process.pid,
  };
  // Renamed into place, so that whoever waits for the file never reads half of it.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(addresses)}\n`);
  renameSync(draft, file);
}

/** Where the server listens, and three commands to try. */
function greeting(config: Config, { dns, tls, http, gateway }: RunningServer['addresses']): string {
  const base = `${config.http.tls === undefined ? 'http' : 'https'}://`;
  const api = base + (http[0] === undefined ? '127.0.0.1:8500' : formatEndpoint(toReachable(http[0])));
  const ask = toReachable(dns[0] ?? { address: '127.0.0.1', port: 8600 });
  const domain = config.dns.domains[0]?.name ?? 'service.local';
  const token = config.auth.tokens.length === 0 ? '' : ' -H "authorization: Bearer $ROLLCALL_TOKEN"';
  const overTls = tls.length === 0 ? '' : `, ${tls.map(formatEndpoint).join(', ')} (TLS)`;
  const entry = `${config.gateway.tls === undefined ? 'http' : 'https'}://`;
  const entries = gateway.map((each) => entry + formatEndpoint(each)).join(', ');
  return `rollcall ${packageVersion()} is ready
  DNS   ${dns.map(formatEndpoint).join(', ')} (UDP and TCP)${overTls}
  HTTP  ${http.map((each) => base + formatEndpoint(each)).join(', ')}${entries === '' ? '' : `\n  Gateway ${entries}`}

Register an instance, ask for it, see how it is:
  curl -X PUT ${api}/v1/services/cart-service/instances/cart-1${token} -H 'content-type: application/json' -d '{"address":"127.0.0.1","port":8080}'
  dig @${ask.address} -p ${ask.port} cart-service.${domain} A
  curl ${api}/v1/services/cart-service${token}
`;
}

/** An address to connect to, for one that stands for all of this machine. */
function toReachable({ address, port }: Endpoint): Endpoint {
  const ip = parseIp(address);
  if (ip === undefined || !isUnspecified(ip)) return { address, port };
  return { address: ip.family === 4 ? '127.0.0.1' : '::1', port };
}
