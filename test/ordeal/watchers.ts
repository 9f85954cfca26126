// watchers.ts -- 10,000 watchers of one node, some of them deaf: how soon all others hear, and what it costs the node

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Pool } from 'undici';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { percentile, QueryLoad } from '../support/query-load.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const WATCHERS = 10_000;
const DEAF = 50;
const CHANGES = 100;
const PAUSE_MS = 200;
const QUERIES_PER_SECOND = 2000;
const PATIENCE_MS = 60_000;
const EVENT = /^event: register$/gm;

export async function watchers(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  // What else this process has open.
  const count = Math.min(WATCHERS, openFilesAllowed() - 500);
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  const pool = new Pool(server.url, { connections: 2 });
  scope.after(() => pool.close());
  await register(pool, 0);
  const emptyMiB = residentMiB(server.pid);
  const crowd = new Crowd();
  scope.after(() => crowd.leave());
  for (let i = 0; i < count; i += 200) {
    await Promise.all(Array.from({ length: Math.min(200, count - i) }, (_, k) => crowd.join(server, i + k < DEAF)));
    showProgress('watchers', i + 200, count);
  }
  const fullMiB = residentMiB(server.pid);
  const load = await QueryLoad.start(server.dns, 'crowd.service.local', QUERIES_PER_SECOND);
  const delaysMs: number[] = [];
  for (let n = 1; n <= CHANGES; n++) {
    const startedMs = performance.now();
    await register(pool, n);
    await crowd.heard(n * (count - DEAF));
    delaysMs.push(performance.now() - startedMs);
    showProgress('watchers', n, CHANGES);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await load.stop();
  const lost = load.exchanges.filter(({ reply }) => reply === undefined).length;
  const latencies = load.exchanges.flatMap(({ sentMs, reply }) =>
    reply === undefined ? [] : reply.receivedMs - sentMs,
  );
  const perWatcherKiB = ((fullMiB - emptyMiB) * 1024) / count;
  const p99Ms = percentile(delaysMs, 0.99);
  return [
    {
      what: 'watchers at a time',
      measured: String(crowd.size),
      promised: String(WATCHERS),
      isKept: crowd.size >= WATCHERS,
    },
    {
      what: `events heard by the ${count - DEAF} who listen, of ${CHANGES} changes`,
      measured: String(crowd.events),
      promised: String(CHANGES * (count - DEAF)),
      isKept: crowd.events === CHANGES * (count - DEAF),
    },
    {
      what: `until the last of them heard, p50 ${percentile(delaysMs, 0.5).toFixed(0)} ms, p99`,
      measured: `${p99Ms.toFixed(0)} ms`,
      promised: '1000 ms',
      isKept: p99Ms <= 1000,
    },
    {
      what: `memory of the node for each, ${emptyMiB.toFixed(0)} MiB without`,
      measured: `${perWatcherKiB.toFixed(1)} KiB`,
      promised: '32 KiB',
      isKept: perWatcherKiB <= 32,
    },
    {
      what: `DNS queries lost meanwhile, of ${load.exchanges.length}, p99 ${percentile(latencies, 0.99).toFixed(2)} ms`,
      measured: String(lost),
      promised: '0',
      isKept: lost === 0,
    },
  ];
}

/** Connections that watch; those that are deaf never read. */
class Crowd {
  events = 0;
  readonly #sockets: Socket[] = [];
  #wake: () => void = () => {};

  get size(): number {
    return this.#sockets.filter(({ destroyed }) => !destroyed).length;
  }

  /** Connect and watch; resolves when the stream has begun. */
  async join({ url }: BuiltServer, isDeaf: boolean): Promise<void> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    this.#sockets.push(socket);
    socket.on('error', () => {});
    socket.setEncoding('latin1');
    socket.write('GET /v1/watch?service=crowd HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise<void>((resolve, reject) => {
      socket.once('close', () => reject(new Error('a watcher was sent away')));
      socket.once('data', (text: string) => {
        if (text.startsWith('HTTP/1.1 200')) resolve();
        else reject(new Error(text.slice(0, 200)));
      });
    });
    if (isDeaf) {
      socket.removeAllListeners('data');
      socket.pause();
      return;
    }
    // An event is small and is written in one go, so that its first line is never cut.
    socket.on('data', (text: string) => {
      this.events += text.match(EVENT)?.length ?? 0;
      this.#wake();
    });
  }

  /** Resolves when so many events were heard in all, or nothing more comes for a minute. */
  async heard(total: number): Promise<void> {
    const giveUpMs = performance.now() + PATIENCE_MS;
    while (this.events < total && performance.now() < giveUpMs) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function register(pool: Pool, n: number): Promise<void> {
  const { statusCode, body } = await pool.request({
    path: `/v1/services/crowd/instances/crowd-${n}`,
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: `10.1.0.${n % 250}`, port: 80 }),
  });
  await body.dump();
  if (statusCode !== 201) throw new Error(`registering answers ${statusCode}`);
}

function openFilesAllowed(): number {
  const found = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(found?.[1] ?? 1024);
}

function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1] ?? Number.NaN) / 1024;
}
