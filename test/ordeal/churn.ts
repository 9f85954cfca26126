// churn.ts -- 200 registrations and 1,000 health flips a second beside a steady load: what it does to latency

import { Pool } from 'undici';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { percentile, QueryLoad, readAnswer } from '../support/query-load.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const SERVICES = 200;
const INSTANCES = 5;
const FLIPS_PER_SECOND = 1000;
const REGISTRATIONS_PER_SECOND = 200;
const QUERIES_PER_SECOND = 5000;
const SECONDS = 12;

export async function churn(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  const pool = new Pool(server.url, { connections: 16 });
  scope.after(() => pool.close());
  for (let s = 0; s < SERVICES; s++) {
    await Promise.all(
      Array.from({ length: INSTANCES }, (_, i) => register(pool, `svc-${s}`, `svc-${s}-${i}`, s, i, true)),
    );
  }
  const quiet = await load(server);
  const changes = { flips: 0, registrations: 0 };
  const stop = startChanges(pool, changes);
  const busy = await load(server);
  await stop();
  const flips = Math.round(changes.flips / SECONDS);
  const registrations = Math.round(changes.registrations / SECONDS);
  return [
    {
      what: `queries lost, of ${busy.asked}, under ${registrations} registrations and ${flips} flips a second`,
      measured: String(busy.lost),
      promised: '0',
      isKept: busy.lost === 0,
    },
    {
      what: `p99 latency at ${QUERIES_PER_SECOND} queries/s, quiet ${quiet.p99Ms.toFixed(2)} ms`,
      measured: `${busy.p99Ms.toFixed(2)} ms`,
      promised: 'quiet + 10 ms',
      isKept: busy.p99Ms <= quiet.p99Ms + 10,
    },
    { what: 'answers that are not NOERROR', measured: String(busy.wrong), promised: '0', isKept: busy.wrong === 0 },
  ];
}

async function load(server: BuiltServer): Promise<{ asked: number; lost: number; wrong: number; p99Ms: number }> {
  const run = await QueryLoad.start(server.dns, 'svc-1.service.local', QUERIES_PER_SECOND);
  for (let second = 1; second <= SECONDS; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    showProgress('churn', second, SECONDS);
  }
  await run.stop();
  const latencies: number[] = [];
  let wrong = 0;
  for (const { sentMs, reply } of run.exchanges) {
    if (reply === undefined) continue;
    latencies.push(reply.receivedMs - sentMs);
    if (readAnswer(reply.octets).rcode !== 0) wrong++;
  }
  const asked = run.exchanges.length;
  return { asked, lost: asked - latencies.length, wrong, p99Ms: percentile(latencies, 0.99) };
}

/** Flips and registers at the stated rates until the returned function is called. */
function startChanges(pool: Pool, changes: { flips: number; registrations: number }): () => Promise<void> {
  const pending = new Set<Promise<unknown>>();
  const start = (work: Promise<unknown>): void => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  let turn = 0;
  const timer = setInterval(() => {
    // Behind by more than a second, more requests would only wait: the rates told are those reached.
    if (pending.size > FLIPS_PER_SECOND) return;
    for (let i = 0; i < FLIPS_PER_SECOND / 100; i++) start(flip(pool, turn++).then(() => changes.flips++));
    for (let i = 0; i < REGISTRATIONS_PER_SECOND / 100; i++) {
      const n = turn++ % 5000;
      start(register(pool, `extra-${n % 50}`, `extra-${n}`, n, turn % 250, false).then(() => changes.registrations++));
    }
  }, 10);
  return async () => {
    clearInterval(timer);
    await Promise.all(pending);
  };
}

async function flip(pool: Pool, turn: number): Promise<void> {
  // Instance 0 of each service is left alone, so that there is always an answer.
  const id = `svc-${turn % SERVICES}-${1 + (Math.floor(turn / SERVICES) % (INSTANCES - 1))}`;
  const status = Math.floor(turn / (SERVICES * (INSTANCES - 1))) % 2 === 0 ? 'critical' : 'passing';
  await put(pool, `/v1/instances/${id}/heartbeat`, { status });
}

async function register(
  pool: Pool,
  service: string,
  id: string,
  a: number,
  b: number,
  checked: boolean,
): Promise<void> {
  const checks = checked ? [{ type: 'heartbeat', interval: '10m', initial: 'passing' }] : [];
  await put(pool, `/v1/services/${service}/instances/${id}`, {
    address: `10.${a >> 8}.${a & 255}.${b + 1}`,
    port: 80,
    checks,
  });
}

async function put(pool: Pool, path: string, content: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const { statusCode, body } = await pool.request({ method: 'PUT', path, headers, body: JSON.stringify(content) });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`${path}: ${statusCode} ${text}`);
}
