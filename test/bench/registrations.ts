// registrations.ts -- durable registrations a second beside etcd's puts: 64 clients, one disk, one run
//
// Each client has one write under way. Both servers answer when the write is on disk; both are pinned to the server
// core, and are measured in turn, round by round.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { findTool, run, spawnServer } from '../support/tools.ts';
import { pinTo } from './pin.ts';
import type { Progress } from './progress.ts';
import { EtcdClient, type PutClient, RollcallClient } from './registration-clients.ts';
import { RunScope } from './run-scope.ts';

const CLIENTS = 64;
const WARM_UP_SECONDS = 2;
const READY_TIMEOUT_MS = 20_000;
const BUILT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface RegistrationOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly serverCore: number;
  readonly loadCore: number;
}

/** One server in one round. */
export interface RegistrationSample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface RegistrationResult {
  readonly title: string;
  readonly samples: readonly RegistrationSample[];
}

interface Entrant {
  readonly title: string;
  readonly clients: readonly PutClient[];
  writes: number;
}

/** Measure both. Throws when etcd or a second CPU is missing, or when a write fails. */
export async function benchRegistrations(
  options: RegistrationOptions,
  progress: Progress,
): Promise<RegistrationResult[]> {
  if (findTool('etcd') === undefined) throw new Error('etcd is missing (npm run bench:peers)');
  await pinTo(options.loadCore);
  const scope = new RunScope();
  try {
    progress.stage('start');
    const entrants = [await startRollcall(scope, options), await startEtcd(scope, options)];
    const samples = new Map(entrants.map((entrant) => [entrant, [] as RegistrationSample[]]));
    progress.stage('warm-up');
    for (const entrant of entrants) await measure(entrant, WARM_UP_SECONDS);
    for (let round = 1; round <= options.rounds; round++) {
      progress.stage(`round ${round} of ${options.rounds}`);
      for (const entrant of entrants) {
        progress.step(entrant.title);
        samples.get(entrant)?.push(await measure(entrant, options.seconds));
      }
    }
    for (const { clients } of entrants) for (const client of clients) client.close();
    return entrants.map((entrant) => ({ title: entrant.title, samples: samples.get(entrant) ?? [] }));
  } finally {
    progress.end();
    await scope.end();
  }
}

async function measure(entrant: Entrant, seconds: number): Promise<RegistrationSample> {
  const latencies: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const write = async (client: PutClient): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < endMs; ) {
      await client.put(entrant.writes++);
      const doneMs = performance.now();
      latencies.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  };
  await Promise.all(entrant.clients.map(write));
  const tookSeconds = (performance.now() - startMs) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const percentile = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { perSecond: latencies.length / tookSeconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
}

async function startRollcall(scope: RunScope, { serverCore }: RegistrationOptions): Promise<Entrant> {
  const folder = mkdtempSync(join(scope.folder, 'rollcall-'));
  const readyFile = join(folder, 'ready.json');
  const configFile = join(folder, 'rollcall.json');
  const config = {
    dns: { listen: ['127.0.0.1:0'], workers: 1 },
    http: { listen: ['127.0.0.1:0'] },
    store: { kind: 'lmdb', path: join(folder, 'data') },
    log: { level: 'warn' },
  };
  writeFileSync(configFile, JSON.stringify(config));
  const main = process.env.BENCH_ROLLCALL || BUILT;
  const args = [process.execPath, main, 'serve', '--config', configFile, '--ready-file', readyFile];
  await spawnServer(scope, 'taskset', ['-c', String(serverCore), ...args], {
    ready: () => readIfThere(readyFile) !== undefined,
    readyTimeoutMs: READY_TIMEOUT_MS,
    cwd: folder,
  });
  const { http } = JSON.parse(readIfThere(readyFile) ?? '{}') as { http: string[] };
  const port = Number(http[0]?.split(':').at(-1));
  return { title: 'Rollcall (lmdb)', clients: await openAll(() => RollcallClient.open(port)), writes: 0 };
}

async function startEtcd(scope: RunScope, { serverCore }: RegistrationOptions): Promise<Entrant> {
  const folder = mkdtempSync(join(scope.folder, 'etcd-'));
  const [port, peerPort] = [await freePort(), await freePort()];
  const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const args = [
    ...['--name', 'one', '--data-dir', join(folder, 'data'), '--log-level', 'error'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `one=${peerUrl}`],
  ];
  const isHealthy = async (): Promise<boolean> => {
    const reply = await fetch(`${url}/health`).catch(() => undefined);
    return (await reply?.text())?.includes('true') === true;
  };
  await spawnServer(scope, 'taskset', ['-c', String(serverCore), 'etcd', ...args], {
    ready: isHealthy,
    readyTimeoutMs: READY_TIMEOUT_MS,
    cwd: folder,
  });
  const { stdout } = await run('etcd', ['--version']);
  const version = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? '';
  return { title: `etcd ${version}`, clients: await openAll(() => EtcdClient.open(port)), writes: 0 };
}

async function openAll(open: () => Promise<PutClient>): Promise<PutClient[]> {
  return await Promise.all(Array.from({ length: CLIENTS }, open));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
