// large-server.ts -- 100,000 instances in 20,000 services: a folder with them in lmdb, and a server started on it

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { type Address, makeServerFolder } from '../support/built-server.ts';
import { Asker } from './asker.ts';
import { showProgress } from './ordeal-result.ts';

export const INSTANCES = 100_000;
export const PER_SERVICE = 5;
const BATCH = 1000;
/** Known before the server is up, and not the same in two runs at once. */
const PORT = 20_000 + 2 * (process.pid % 6000);
const HTTP_PORT = PORT + 1;
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PROBE = fileURLToPath(new URL('memory-probe.cjs', import.meta.url));
const PROBE_PATIENCE_MS = 20_000;

export interface Scope {
  after(cleanup: () => unknown): void;
}

/** The domain name of the service with this number. */
export function serviceName(number: number): string {
  return `svc-${number}.service.local.`;
}

/** A folder for a server with one shard; with `isFilled`, all instances are in its store. */
export async function makeLargeFolder(scope: Scope, isFilled: boolean): Promise<string> {
  const folder = makeServerFolder(scope, {
    config: {
      dns: { listen: [`127.0.0.1:${PORT}`], workers: 1 },
      http: { listen: [`127.0.0.1:${HTTP_PORT}`] },
    },
  });
  if (isFilled) await fillStore(`${folder}/data`);
  return folder;
}

/** Put all instances into an lmdb store. */
export async function fillStore(path: string): Promise<void> {
  const store = await openLmdbStore({ path, log: silentLogger });
  for (let from = 0; from < INSTANCES; from += BATCH) {
    await store.commit(Array.from({ length: BATCH }, (_, i) => record(from + i)));
    showProgress('filling the store', from + BATCH, INSTANCES);
  }
  await store.close();
}

/** What registering through the API stores (registry/stored.ts). */
function record(n: number): { key: string; value: unknown } {
  const service = `svc-${Math.floor(n / PER_SERVICE)}`;
  const id = `${service}-${n % PER_SERVICE}`;
  const instance = {
    id,
    service,
    address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
    port: 8080,
    ports: {},
    tags: ['v1'],
    meta: {},
    weight: 1,
    checks: [],
  };
  return { key: `instance/${id}`, value: { instance, registeredAtMs: 1_700_000_000_000 + n } };
}

/** What a thread holds after its garbage is collected. */
export interface Weight {
  readonly heap: number;
  readonly external: number;
}

/** A server process; `answeredMs` after exec it gave its first good answer. */
export class LargeServer {
  readonly dns: Address = { address: '127.0.0.1', port: PORT };
  readonly answeredMs: number;
  readonly #child: ReturnType<typeof spawn>;
  readonly #folder: string;
  /** Registering the same again is no change. */
  #weighings = 0;

  /** Start in `folder` and ask until `name` is answered. */
  static async start(folder: string, scope: Scope, name: string, isProbed = false): Promise<LargeServer> {
    const startedMs = performance.now();
    const flags = isProbed ? ['--expose-gc', '--require', PROBE] : [];
    const child = spawn(process.execPath, [...flags, MAIN, 'serve', '--config', `${folder}/rollcall.yaml`], {
      stdio: 'ignore',
      env: { ...process.env, MEMORY_PROBE_FOLDER: folder, ROLLCALL_LOG_LEVEL: 'error' },
    });
    scope.after(() => child.kill('SIGKILL'));
    const answeredMs = await untilAnswered({ address: '127.0.0.1', port: PORT }, name, startedMs);
    return new LargeServer(folder, child, answeredMs);
  }

  private constructor(folder: string, child: ReturnType<typeof spawn>, answeredMs: number) {
    this.#folder = folder;
    this.#child = child;
    this.answeredMs = answeredMs;
  }

  /** Octets of memory of its own; the pages of the store's file are the kernel's to take back. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const kibibytes = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)![1]);
    return (kibibytes('RssAnon') + kibibytes('RssShmem')) * 1024;
  }

  /** Have both threads weighed; only of a server that is probed. */
  async weigh(): Promise<{ main: Weight; shard: Weight }> {
    const [main, shard] = [`${this.#folder}/main.json`, `${this.#folder}/shard.json`];
    for (const file of [main, shard]) rmSync(file, { force: true });
    writeFileSync(`${this.#folder}/weigh-shard`, '');
    this.#child.kill('SIGUSR2');
    const body = JSON.stringify({ address: '192.0.2.1', port: ++this.#weighings });
    const url = `http://127.0.0.1:${HTTP_PORT}/v1/services/weighed/instances/weighed`;
    const headers = { 'content-type': 'application/json' };
    // The first answer over DNS comes before the API listens.
    while ((await fetch(url, { method: 'PUT', headers, body }).catch(() => undefined)) === undefined) await sleep(50);
    return { main: await readWeight(main), shard: await readWeight(shard) };
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

async function readWeight(file: string): Promise<Weight> {
  const deadlineMs = performance.now() + PROBE_PATIENCE_MS;
  while (performance.now() < deadlineMs) {
    await sleep(50);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    if (text.endsWith('}')) return JSON.parse(text) as Weight;
  }
  throw new Error(`no weight in ${file}`);
}

async function untilAnswered(server: Address, name: string, startedMs: number): Promise<number> {
  const deadlineMs = startedMs + 60_000;
  while (performance.now() < deadlineMs) {
    const asker = await Asker.open(server);
    const asked = asker.addresses(name);
    const answered = await Promise.race([
      asked.then((addresses) => addresses.length > 0),
      sleep(20).then(() => false),
    ]).catch(() => false);
    asked.catch(() => {});
    asker.close();
    if (answered) return performance.now() - startedMs;
    await sleep(5);
  }
  throw new Error('no answer within a minute');
}
