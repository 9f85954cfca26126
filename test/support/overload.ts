// overload.ts -- more queries than a server can answer, what it answers of them, and how soon it is itself again

import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltServer } from './built-server.ts';
import { type FloodReport, hosts, startFlood } from './flood.ts';
import { HonestProbe, type Probe, type ProbeReport, summarise } from './honest-probe.ts';
import { HONEST_QUESTION, MemoryWatch } from './siege-server.ts';

export interface OverloadResult {
  readonly flood: FloodReport;
  readonly before: ProbeReport;
  readonly during: ProbeReport;
  /** From one second after the last query of the flood. */
  readonly after: ProbeReport;
  /** From the end of the flood to the first of several answers in a row that took what they took before; ms. */
  readonly recoveryMs: number;
  readonly growthMib: number;
}

export interface OverloadOptions {
  readonly questions: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
}

const PROBES_PER_SECOND = 200;
const BEFORE_MS = 3000;
const AFTER_MS = 4000;
/** Answers are as before when they take at most so many times as long, or so long, and so many in a row do. */
const NORMAL_TIMES = 5;
const NORMAL_MS = 20;
const IN_A_ROW = 20;

/** Flood a server for some seconds, with an honest client before, beside and after. */
export async function overload(
  scope: { after(cleanup: () => unknown): void },
  server: BuiltServer,
  options: OverloadOptions,
): Promise<OverloadResult> {
  const memory = new MemoryWatch(scope, server.pid);
  const probe = await HonestProbe.start({
    server: server.dns,
    questions: [HONEST_QUESTION],
    perSecond: PROBES_PER_SECOND,
  });
  await sleep(BEFORE_MS);
  const crew = await startFlood(scope, { server: server.dns, sources: hosts('127.9.1', 20), ...options });
  const flood = await crew.report;
  await sleep(AFTER_MS);
  await probe.stop();
  const [startMs, endMs] = [flood.startedMs, flood.endedMs].map((each) => each - performance.timeOrigin);
  const between = (fromMs: number, toMs: number) =>
    probe.probes.filter(({ sentMs }) => sentMs >= fromMs && sentMs < toMs);
  const before = summarise(between(0, startMs!));
  const later = between(endMs!, Number.POSITIVE_INFINITY);
  return {
    flood,
    before,
    during: summarise(between(startMs!, endMs!)),
    after: summarise(between(endMs! + 1000, Number.POSITIVE_INFINITY)),
    recoveryMs: (firstNormal(later, normalMs(before))?.sentMs ?? Number.POSITIVE_INFINITY) - endMs!,
    growthMib: memory.end(),
  };
}

/** What answers may take to count as usual. */
export function normalMs({ p99Ms }: ProbeReport): number {
  return Math.max(p99Ms * NORMAL_TIMES, NORMAL_MS);
}

function firstNormal(probes: readonly Probe[], limitMs: number): Probe | undefined {
  let run = 0;
  for (const [i, { tookMs }] of probes.entries()) {
    run = tookMs !== undefined && tookMs <= limitMs ? run + 1 : 0;
    if (run === IN_A_ROW) return probes[i - IN_A_ROW + 1];
  }
  return undefined;
}
