// built-server.ts -- the built program as a process of its own, in a folder of its own, and short ways to talk to it

import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ExitStatus, type RunningServer, type RunResult, run, spawnServer } from './tools.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/main.js');
const BUILD_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 20_000;

/** Sections of the configuration; those left out, and `listen`, `zones` and `path` in them, are filled in. */
export type ConfigSections = Readonly<Record<string, unknown>>;

export interface BuiltServerOptions {
  readonly config?: ConfigSections;
  /** Contents of the zones folder, by file name. */
  readonly zones?: Readonly<Record<string, string>>;
  /** Start again where an earlier server ran, with what it left there; `config` and `zones` then change nothing. */
  readonly folder?: string;
  /** Put in front of the command, as to enter a namespace. */
  readonly prefix?: readonly string[];
}

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** What the tests read of an instance. */
export interface InstanceView {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly status: string;
  readonly reason: string;
}

export interface HttpReply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of any shape
  readonly body: any;
}

let built: Promise<void> | undefined;

/** Bring dist/ up to date; bootstrap.mjs lets one process at a time do so. */
export function buildOnce(): Promise<void> {
  built ??= run(process.execPath, [join(ROOT, 'bootstrap.mjs'), 'build'], { timeoutMs: BUILD_TIMEOUT_MS }).then(
    ({ exitCode, stdout, stderr }) => assert.equal(exitCode, 0, `the build failed:\n${stdout}${stderr}`),
  );
  return built;
}

/** Make a folder with `rollcall.yaml`, `zones/` and `run/`, removed when the test ends. */
export function makeServerFolder(t: Pick<TestContext, 'after'>, options: BuiltServerOptions = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['zones', 'run']) mkdirSync(join(folder, name));
  for (const [name, text] of Object.entries(options.zones ?? {})) writeFileSync(join(folder, 'zones', name), text);
  writeConfig(folder, options.config);
  return folder;
}

/** Write the configuration of a server folder; JSON is YAML, one key a line. */
export function writeConfig(folder: string, config: ConfigSections = {}): void {
  const whole = {
    ...config,
    dns: { listen: ['127.0.0.1:0'], zones: './zones', ...(config.dns as object) },
    http: { listen: ['127.0.0.1:0'], ...(config.http as object) },
    store: { kind: 'lmdb', path: './data', ...(config.store as object) },
  };
  writeFileSync(join(folder, 'rollcall.yaml'), `${JSON.stringify(whole, null, 2)}\n`);
}

/** Build, start, and wait until the ready file is there. The process is killed and its folder removed with the test. */
export async function startBuiltServer(
  t: Pick<TestContext, 'after'>,
  options: BuiltServerOptions = {},
): Promise<BuiltServer> {
  await buildOnce();
  const folder = options.folder ?? makeServerFolder(t, options);
  const readyFile = join(folder, 'run/ready.json');
  rmSync(readyFile, { force: true });
  const isThere = fileAppears(readyFile);
  const [command = '', ...args] = [
    ...(options.prefix ?? []),
    process.execPath,
    ...[MAIN, 'serve', '--config', join(folder, 'rollcall.yaml'), '--ready-file', readyFile],
  ];
  const child = await spawnServer(t, command, args, { ready: () => true, cwd: folder });
  try {
    await Promise.race([isThere.appeared, child.exited]);
    return new BuiltServer(folder, child, JSON.parse(readFileSync(readyFile, 'utf8')));
  } catch (thrown) {
    throw new Error(`the server is not up: ${thrown}\n${child.stdout()}${child.stderr()}`);
  } finally {
    isThere.stop();
  }
}

/** Run a command of the built program to its end. */
export async function runRollcall(
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<RunResult> {
  await buildOnce();
  return await run(process.execPath, [MAIN, ...args], options);
}

/** Watches for a file that is renamed into place. */
function fileAppears(file: string): { appeared: Promise<void>; stop: () => void } {
  const watcher = watch(join(file, '..'));
  let timer: NodeJS.Timeout | undefined;
  const appeared = new Promise<void>((resolve, reject) => {
    watcher.on('change', (_event, name) => {
      if (file.endsWith(`/${name}`)) resolve();
    });
    timer = setTimeout(() => reject(new Error('no ready file in time')), READY_TIMEOUT_MS);
  });
  return {
    appeared,
    stop: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function parseAddress(text: string): Address {
  const at = text.lastIndexOf(':');
  return { address: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}

/** A running server. */
export class BuiltServer {
  readonly folder: string;
  readonly dns: Address;
  readonly http: Address;
  /** The first of its endpoints; port 0: there is none. */
  readonly gateway: Address;
  readonly url: string;
  readonly pid: number;
  readonly #process: RunningServer;
  readonly #resolver = new Resolver({ timeout: 2000, tries: 1 });

  constructor(
    folder: string,
    process: RunningServer,
    ready: { dns: string[]; http: string[]; gateway: string[]; pid: number },
  ) {
    this.folder = folder;
    this.#process = process;
    this.dns = parseAddress(ready.dns[0]!);
    this.http = parseAddress(ready.http[0]!);
    this.gateway = parseAddress(ready.gateway[0] ?? '127.0.0.1:0');
    this.url = `http://${ready.http[0]}`;
    this.pid = ready.pid;
    this.#resolver.setServers([`${this.dns.address}:${this.dns.port}`]);
  }

  stderr(): string {
    return this.#process.stderr();
  }

  stdout(): string {
    return this.#process.stdout();
  }

  /** Resolves when the process has ended, however it did. */
  get exited(): Promise<ExitStatus> {
    return this.#process.exited;
  }

  /** Ask for an orderly stop and wait for it. */
  stop(): Promise<ExitStatus> {
    return this.#process.stop();
  }

  /** Send a signal and do not wait. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Resolves when what is logged from now on matches. */
  async logged(pattern: RegExp, timeoutMs = 5000): Promise<void> {
    const from = this.stderr().length;
    const { stderr } = this.#process.child;
    let onData = (): void => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        // The text is gathered by a listener that was there first, so it holds the chunk by now.
        onData = () => pattern.test(this.stderr().slice(from)) && resolve();
        stderr?.on('data', onData);
        timer = setTimeout(() => reject(new Error(`not logged: ${pattern}\n${this.stderr()}`)), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      stderr?.off('data', onData);
    }
  }

  /** One call of the HTTP API, a body as JSON. */
  async api(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const reply = await fetch(this.url + path, {
      method,
      headers: { ...type, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true && text !== '';
    return { status: reply.status, body: isJson ? JSON.parse(text) : text };
  }

  /** Register an instance; fails when it is not acknowledged. */
  async register(service: string, id: string, instance: object): Promise<void> {
    const { status, body } = await this.api('PUT', `/v1/services/${service}/instances/${id}`, instance);
    assert.ok(status === 200 || status === 201, `${id}: ${status} ${JSON.stringify(body)}`);
  }

  /** Wait, by reads that block until something changes, until the instances of a service are as wanted. */
  async until(
    service: string,
    isWanted: (instances: readonly InstanceView[]) => boolean,
    timeoutMs = 10_000,
  ): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    let query = '';
    for (;;) {
      const { status, body } = await this.api('GET', `/v1/services/${service}${query}`);
      const instances: readonly InstanceView[] = status === 200 ? body.instances : [];
      if (isWanted(instances)) return;
      const leftMs = deadlineMs - performance.now();
      assert.ok(leftMs > 0, `${service} is not as wanted: ${JSON.stringify(body)}`);
      query = `?index=${status === 200 ? body.index : 0}&wait=${Math.max(1, Math.ceil(leftMs))}ms`;
    }
  }

  /** Wait until an instance has a status. */
  async untilStatus(service: string, id: string, wanted: string, timeoutMs?: number): Promise<void> {
    await this.until(service, (all) => all.find((each) => each.id === id)?.status === wanted, timeoutMs);
  }

  /** The IPv4 addresses of a name, sorted; none for NODATA. Rejects for every other rcode than NOERROR. */
  async addresses(name: string): Promise<string[]> {
    try {
      return (await this.#resolver.resolve4(name)).sort();
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENODATA') return [];
      throw thrown;
    }
  }
}
