// flip.ts -- how soon an answer shows what a check found, under 20,000 queries a second at 100,000 instances
//
// Timed from outside: from the moment when the target of an http check has sent its reply to the first answer over DNS
// that shows it. That holds the checker's own work as well, so what is measured is never less than what is promised.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, makeServerFolder, startBuiltServer } from '../support/built-server.ts';
import { Peer } from '../support/peer.ts';
import { percentile } from '../support/query-load.ts';
import { findTool } from '../support/tools.ts';
import { Asker } from './asker.ts';
import { fillStore, INSTANCES, PER_SERVICE } from './large-server.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const QUERIES_PER_SECOND = 20_000;
const FLIPS = 600;
const CHECKED = 10;
const LIMIT_MS = 5;
/** An answer that is not there by then never comes. */
const PATIENCE_MS = 5000;

interface Scope {
  after(cleanup: () => unknown): void;
}

export async function flip(scope: Scope): Promise<OrdealRow[]> {
  if (findTool('dnsperf') === undefined) throw new Error('dnsperf is missing (npm run bench:peers)');
  // A check that falls this often would be held for it.
  const folder = makeServerFolder(scope, { config: { health: { damping: { penalty: 0 } } } });
  await fillStore(join(folder, 'data'));
  const server = await startBuiltServer(scope, { folder });
  const target = new Target();
  const peer = await Peer.listen(target.server);
  scope.after(() => peer.close());
  for (let i = 0; i < CHECKED; i++) {
    // Two in each service: one is always well, so that there is always an answer.
    const check = { type: 'http', url: `http://127.0.0.1:${peer.port}/${i}`, interval: '1s', rise: 1, fall: 1 };
    await server.register(`flips-${i}`, `flips-${i}-a`, { address: '10.200.0.1', port: 80, checks: [check] });
    await server.register(`flips-${i}`, `flips-${i}-b`, { address: '10.200.0.2', port: 80 });
    await server.untilStatus(`flips-${i}`, `flips-${i}-a`, 'healthy');
  }
  const load = startLoad(scope, server, folder);
  await sleep(2000);
  const { delays, plain } = await timeFlips(server, target);
  const { answered, lost } = await load.end();
  const p99Ms = percentile(delays, 0.99);
  const figures =
    `p50 ${percentile(delays, 0.5).toFixed(2)}, most ${Math.max(...delays).toFixed(2)} ms; ` +
    `a question by itself takes p50 ${percentile(plain, 0.5).toFixed(2)}, p99 ${percentile(plain, 0.99).toFixed(2)} ms`;
  return [
    {
      what: `p99 from a checker's result to the answers, ${delays.length} flips, ${answered} queries/s (${figures})`,
      measured: `${p99Ms.toFixed(2)} ms`,
      promised: `${LIMIT_MS} ms`,
      isKept: p99Ms <= LIMIT_MS,
    },
    { what: 'queries lost meanwhile', measured: String(lost), promised: '0', isKept: lost === 0 },
    {
      what: 'queries a second offered and answered',
      measured: String(answered),
      promised: `${QUERIES_PER_SECOND}`,
      isKept: answered >= QUERIES_PER_SECOND * 0.95,
    },
  ];
}

/**
 * Answers a probe with the other status than the one before, and hands out when it did; until that is seen in the answers,
 * further probes get the same: a server that was held up looks twice before it believes in a failure.
 */
class Target {
  readonly server = createServer((request, response) => {
    const service = Number(request.url?.slice(1));
    const isTurn = !this.#unseen.has(service);
    const isWell = isTurn !== (this.#well.get(service) ?? false);
    this.#well.set(service, isWell);
    this.#unseen.add(service);
    response.writeHead(isWell ? 200 : 503);
    response.end(() => {
      if (isTurn) this.onReply(service, isWell, performance.now());
    });
  });
  readonly #well = new Map<number, boolean>();
  readonly #unseen = new Set<number>();
  /** The next probe of this service may be answered otherwise. */
  seen(service: number): void {
    this.#unseen.delete(service);
  }
  onReply: (service: number, isWell: boolean, atMs: number) => void = (service) => this.seen(service);
}

/** From each reply of the target, ask the service until the answer is the other one; and then once more, to compare. */
async function timeFlips(server: BuiltServer, target: Target): Promise<{ delays: number[]; plain: number[] }> {
  const delays: number[] = [];
  const plain: number[] = [];
  const askers = await Promise.all(Array.from({ length: CHECKED }, () => Asker.open(server.dns)));
  const running = new Set<Promise<void>>();
  await new Promise<void>((resolve, reject) => {
    target.onReply = (service, isWell, atMs) => {
      const asker = askers[service]!;
      const timing = untilShown(asker, service, isWell, atMs).then(async (delayMs) => {
        delays.push(delayMs);
        const askedMs = performance.now();
        await asker.addresses(nameOf(service));
        plain.push(performance.now() - askedMs);
        target.seen(service);
        showProgress('flip', Math.min(delays.length, FLIPS), FLIPS);
        if (delays.length >= FLIPS) resolve();
      });
      timing.catch(reject);
      running.add(timing);
      void timing.finally(() => running.delete(timing)).catch(() => {});
    };
  });
  target.onReply = () => {};
  await Promise.all(running);
  for (const asker of askers) asker.close();
  return { delays, plain };
}

async function untilShown(asker: Asker, service: number, isWell: boolean, atMs: number): Promise<number> {
  for (;;) {
    const addresses = await asker.addresses(nameOf(service));
    const nowMs = performance.now();
    if (addresses.includes('10.200.0.1') === isWell) return nowMs - atMs;
    if (nowMs - atMs > PATIENCE_MS) throw new Error(`${nameOf(service)} does not follow its check`);
  }
}

function nameOf(service: number): string {
  return `flips-${service}.service.local.`;
}

function startLoad(scope: Scope, server: BuiltServer, folder: string) {
  const queries = join(folder, 'queries');
  const names = Array.from(
    { length: 20_000 },
    (_, i) => `svc-${(i * 7919) % (INSTANCES / PER_SERVICE)}.service.local A`,
  );
  writeFileSync(queries, `${names.join('\n')}\n`);
  const { address, port } = server.dns;
  const args = ['-s', address, '-p', String(port), '-d', queries, '-Q', String(QUERIES_PER_SECOND), '-c', '8'];
  const child = spawn(findTool('dnsperf') ?? '', [...args, '-l', '3600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  scope.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return {
    /** Stop asking and read what came of it. */
    async end(): Promise<{ answered: number; lost: number }> {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGINT');
      await closed;
      const figure = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
      return {
        answered: Math.round(figure(/Queries per second:\s+([\d.]+)/)),
        lost: figure(/Queries lost:\s+(\d+)/),
      };
    },
  };
}
