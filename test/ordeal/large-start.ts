// large-start.ts -- 100,000 instances in lmdb: how soon a start answers, and what an instance weighs

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { type Address, buildOnce, makeServerFolder } from '../support/built-server.ts';
import { Asker } from './asker.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const INSTANCES = 100_000;
const PER_SERVICE = 10;
const BATCH = 1000;
const PORT = 28_653;
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export async function largeStart(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  await buildOnce();
  const config = { dns: { listen: [`127.0.0.1:${PORT}`], workers: 1 } };
  const empty = await startAndMeasure(makeServerFolder(scope, { config }), scope, undefined);
  const folder = makeServerFolder(scope, { config });
  await fill(`${folder}/data`);
  const full = await startAndMeasure(folder, scope, 'svc-9999.service.local.');
  const perInstance = (full.rssBytes - empty.rssBytes) / INSTANCES / 1024;
  return [
    {
      what: `first good answer after exec, ${INSTANCES} instances in lmdb`,
      measured: `${(full.answeredMs / 1000).toFixed(2)} s`,
      promised: '2 s',
      isKept: full.answeredMs <= 2000,
    },
    {
      what: 'resident memory per instance, main thread and one shard together',
      measured: `${perInstance.toFixed(2)} KiB`,
      promised: '1.5 + 0.7 KiB',
      isKept: perInstance <= 2.2,
    },
  ];
}

async function fill(path: string): Promise<void> {
  const store = await openLmdbStore({ path, log: silentLogger });
  for (let from = 0; from < INSTANCES; from += BATCH) {
    await store.commit(Array.from({ length: BATCH }, (_, i) => record(from + i)));
    showProgress('filling the store', from + BATCH, INSTANCES);
  }
  await store.close();
}

/** What registering through the API stores (registry/stored.ts). */
function record(n: number): { key: string; value: unknown } {
  const id = `svc-${Math.floor(n / PER_SERVICE)}-${n % PER_SERVICE}`;
  const instance = {
    id,
    service: `svc-${Math.floor(n / PER_SERVICE)}`,
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

/** Start in `folder`, ask until `name` is answered, and read how much memory is resident a little later. */
async function startAndMeasure(
  folder: string,
  scope: { after(cleanup: () => unknown): void },
  name: string | undefined,
): Promise<{ answeredMs: number; rssBytes: number }> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', `${folder}/rollcall.yaml`], { stdio: 'ignore' });
  scope.after(() => child.kill('SIGKILL'));
  const answeredMs = await untilAnswered({ address: '127.0.0.1', port: PORT }, name, startedMs);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const rssBytes = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) * 1024;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  return { answeredMs, rssBytes };
}

async function untilAnswered(server: Address, name: string | undefined, startedMs: number): Promise<number> {
  const deadlineMs = startedMs + 60_000;
  while (performance.now() < deadlineMs) {
    const asker = await Asker.open(server);
    const asked = asker.addresses(name ?? 'ns.service.local.');
    const answered = await Promise.race([
      asked.then((addresses) => addresses.length > 0),
      new Promise<boolean>((resolve) => setTimeout(resolve, 20, false)),
    ]).catch(() => false);
    asked.catch(() => {});
    asker.close();
    if (answered) return performance.now() - startedMs;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('no answer within a minute');
}
