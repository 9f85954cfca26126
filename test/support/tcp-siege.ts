// tcp-siege.ts -- honest TCP clients beside hostile connections, and what it costs them and the server

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import type { Address, BuiltServer } from './built-server.ts';
import { parseQuestion } from './name-server.ts';
import { percentile } from './query-load.ts';
import type { CrewOptions, CrewReport } from './siege-crew.ts';
import { framed } from './stream-client.ts';

export interface SiegeOptions {
  readonly connections: number;
  readonly seconds: number;
  /** `name type`; the answer should be small. */
  readonly question: string;
}

export interface SiegeResult extends CrewReport {
  /** Of honest clients. */
  readonly asked: number;
  readonly lost: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** Of the server, over what it was before. */
  readonly growthMib: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
}

const HONEST_CLIENTS = 8;
const QUERIES_PER_CONNECTION = 5;
const HONEST_PAUSE_MS = 20;
const PATIENCE_MS = 5000;
const WARM_UP_SECONDS = 3;
const SAMPLE_MS = 200;
/** For the server to notice that the last connections are gone. */
const SETTLE_MS = 3000;

interface Honest {
  readonly tookMs: number[];
  lost: number;
}

/** Besiege a running server. */
export async function besiege(
  scope: { after(cleanup: () => unknown): void },
  server: BuiltServer,
  { connections, seconds, question }: SiegeOptions,
): Promise<SiegeResult> {
  const query = framed(encodeMessage(queryMessage(7, parseQuestion(question))));
  // What a busy server needs anyway is no growth: compiled code, and a young heap of full size.
  const peace = await startCrew(scope, { server: server.dns, connections: 16, question });
  await askHonestly(server.dns, query, WARM_UP_SECONDS);
  await stopCrew(peace);
  await sleep(SETTLE_MS);
  const descriptorsBefore = descriptorCount(server.pid);
  const beforeKib = residentKib(server.pid);
  let mostKib = beforeKib;
  const timer = setInterval(() => {
    mostKib = Math.max(mostKib, residentKib(server.pid));
  }, SAMPLE_MS);
  scope.after(() => clearInterval(timer));
  const crew = await startCrew(scope, { server: server.dns, connections, question });
  const honest = await askHonestly(server.dns, query, seconds);
  const report = await stopCrew(crew);
  clearInterval(timer);
  await sleep(SETTLE_MS);
  return {
    ...report,
    asked: honest.tookMs.length + honest.lost,
    lost: honest.lost,
    p99Ms: percentile(honest.tookMs, 0.99),
    worstMs: Math.max(...honest.tookMs),
    growthMib: (mostKib - beforeKib) / 1024,
    descriptorsBefore,
    descriptorsAfter: descriptorCount(server.pid),
  };
}

async function startCrew(scope: { after(cleanup: () => unknown): void }, options: CrewOptions): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./siege-crew.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] });
  scope.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

async function stopCrew(child: ChildProcess): Promise<CrewReport> {
  const report = once(child, 'message');
  const exited = once(child, 'exit');
  child.send('stop');
  const [counts] = (await report) as [CrewReport];
  await exited;
  return counts;
}

async function askHonestly(server: Address, query: Buffer, seconds: number): Promise<Honest> {
  const honest: Honest = { tookMs: [], lost: 0 };
  const endMs = performance.now() + seconds * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await askOnOneConnection(server, query, honest);
      await sleep(HONEST_PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: HONEST_CLIENTS }, one));
  return honest;
}

/** One query after the other; the first one's time has that of connecting in it. */
async function askOnOneConnection({ address, port }: Address, query: Buffer, honest: Honest): Promise<void> {
  let sentMs = performance.now();
  const socket = connect({ host: address, port, noDelay: true });
  let left = QUERIES_PER_CONNECTION;
  let received = Buffer.alloc(0);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('connect', () => socket.write(query));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    received = Buffer.alloc(0);
    honest.tookMs.push(performance.now() - sentMs);
    if (--left === 0) {
      socket.destroy();
      return;
    }
    sentMs = performance.now();
    socket.write(query);
  });
  await closed;
  // The rest was never asked.
  if (left > 0) honest.lost++;
}

function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
