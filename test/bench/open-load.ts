// open-load.ts -- a process that sends requests at a fixed rate, whatever becomes of them, and times each
//
// Open loop: request n is due n / rate after the beginning. Its latency counts from when it was due, not from when it
// could be sent, so a gateway that stalls is charged with everything that it held up (no coordinated omission). The
// process never sleeps, since timers are no finer than a millisecond and would send in bursts; it has the idle class of the
// scheduler, so that the upstream on the same core, when it wakes, runs at once and not after a slice of some milliseconds.

import { reportAtEnd } from '../support/crew.ts';
import { run } from '../support/tools.ts';
import { RequestConnection } from './request-connection.ts';

export interface OpenLoadOptions {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly bodyBytes: number;
  readonly replyBytes: number;
  readonly ratePerSecond: number;
  /** Sent at the same rate beforehand and not counted, but for errors: this program is compiled meanwhile. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Requests under way at once; those beyond wait, and their latency counts. */
  readonly connections: number;
}

export interface OpenLoadReport {
  /** Without those of the warm-up, as in all that follows but errors. */
  readonly sent: number;
  /** Until the last reply. */
  readonly seconds: number;
  /** Of those that were answered as they should be, sorted. */
  readonly latenciesUs: readonly number[];
  /** Answered with another status or length, broken off, or not answered in time. */
  readonly errors: number;
  /** Requests that were sent more than a tenth of a millisecond after they were due, and by no lack of connections. */
  readonly late: number;
}

const LATE_MS = 0.1;
/** How long the last replies are waited for. */
const PATIENCE_MS = 5000;

const options = JSON.parse(process.argv[2] ?? '{}') as OpenLoadOptions;
await run('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)]);
const latenciesUs: number[] = [];
let [sent, errors, late, underWay] = [0, 0, 0, 0];
const warmUp = Math.round(options.ratePerSecond * options.warmUpSeconds);
const total = warmUp + Math.round(options.ratePerSecond * options.seconds);
const free: RequestConnection[] = [];
const waitingSinceMs: number[] = [];
const connections = await Promise.all(
  Array.from({ length: options.connections }, () => RequestConnection.open(options, finished)),
);
free.push(...connections);
const startMs = performance.now();
const countedMs = startMs + (warmUp * 1000) / options.ratePerSecond;
let lastMs = startMs;
const { done } = reportAtEnd(report);
turn();

function turn(): void {
  const nowMs = performance.now();
  while (sent < total && startMs + (sent * 1000) / options.ratePerSecond <= nowMs) {
    const dueMs = startMs + (sent++ * 1000) / options.ratePerSecond;
    if (nowMs - dueMs > LATE_MS && sent > warmUp) late++;
    send(dueMs);
  }
  if (sent === total && (underWay + waitingSinceMs.length === 0 || nowMs > lastMs + PATIENCE_MS)) done();
  else setImmediate(turn);
}

function send(dueMs: number): void {
  const connection = free.pop();
  if (connection === undefined) {
    waitingSinceMs.push(dueMs);
    return;
  }
  underWay++;
  connection.send(dueMs);
}

function finished(connection: RequestConnection, dueMs: number, isRight: boolean): void {
  underWay--;
  lastMs = performance.now();
  if (!isRight) errors++;
  else if (dueMs >= countedMs) latenciesUs.push((lastMs - dueMs) * 1000);
  if (connection.isOpen) free.push(connection);
  const waited = waitingSinceMs.shift();
  if (waited !== undefined) send(waited);
}

function report(): OpenLoadReport {
  for (const connection of connections) connection.close();
  latenciesUs.sort((a, b) => a - b);
  return {
    sent: sent - warmUp,
    seconds: (lastMs - countedMs) / 1000,
    latenciesUs,
    errors: errors + underWay + waitingSinceMs.length,
    late,
  };
}
