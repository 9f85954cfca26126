// random-names.ts -- floods of names that nobody has asked for before, at 80 % of what the server can answer

import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { hosts, startFlood } from '../support/flood.ts';
import { HonestProbe, type ProbeReport } from '../support/honest-probe.ts';
import { HONEST_QUESTION, MemoryWatch, startSiegeServer } from '../support/siege-server.ts';
import { findTool } from '../support/tools.ts';
import { type OrdealOptions, type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';
import { peakOf } from './peak.ts';

const MINUTES = 5;
const SHARE_OF_PEAK = 0.8;
const PEAK_NAMES = 500_000;
const IDLE_SECONDS = 10;
const WARM_UP_SECONDS = 5;
const PROBES_PER_SECOND = 100;
const PROMISED = { timesIdle: 5, growthMib: 32 };

/** Names with a random part; the share of the minutes that each gets. */
const KINDS: readonly { what: string; question: string; share: number }[] = [
  { what: 'services that are not there', question: 'xxxxxxxxxxxx.service.local. A edns', share: 1 },
  { what: 'tags that are not there', question: 'xxxxxxxxxxxx.cart-service.service.local. A edns', share: 0.2 },
  { what: 'names below a wildcard', question: 'xxxxxxxxxxxx.wild.example.test. A edns', share: 0.2 },
];

export async function randomNames(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  if (findTool('dnsperf') === undefined) throw new Error('dnsperf is missing (npm run bench:peers)');
  const server = await startSiegeServer(scope);
  const rows: OrdealRow[] = [];
  for (const kind of KINDS) rows.push(...(await flood(scope, server, kind, (options.minutes ?? MINUTES) * kind.share)));
  return rows;
}

async function flood(
  scope: Scope,
  server: BuiltServer,
  { what, question }: (typeof KINDS)[number],
  minutes: number,
): Promise<OrdealRow[]> {
  const peak = await peakOf(server, peakQuestions(question));
  const perSecond = Math.floor(peak * SHARE_OF_PEAK);
  await probeFor(server, WARM_UP_SECONDS);
  const idle = await probeFor(server, IDLE_SECONDS);
  const memory = new MemoryWatch(scope, server.pid);
  const crew = await startFlood(scope, {
    server: server.dns,
    sources: hosts('127.9.1', 20),
    questions: [question],
    perSecond,
  });
  const honest = await probeFor(server, minutes * 60, (seconds) =>
    showProgress(`random names: ${what}`, seconds, Math.ceil(minutes * 60)),
  );
  const report = await crew.stop();
  const growthMib = memory.end();
  const title = `${what}, ${perSecond}/s (peak ${Math.round(peak)}) for ${minutes} min`;
  return [
    {
      what: `${title}: honest queries lost of ${honest.asked}`,
      measured: String(honest.lost + honest.refused),
      promised: '0',
      isKept: honest.lost + honest.refused === 0,
    },
    {
      what: `${what}: p99 of these (p50 ${honest.p50Ms.toFixed(2)} ms; idle p50 ${idle.p50Ms.toFixed(2)}, p99 ${idle.p99Ms.toFixed(2)} ms)`,
      measured: `${honest.p99Ms.toFixed(2)} ms`,
      promised: `< ${(idle.p99Ms * PROMISED.timesIdle).toFixed(2)} ms`,
      isKept: honest.p99Ms < idle.p99Ms * PROMISED.timesIdle,
    },
    {
      what: `${what}: growth of resident memory`,
      measured: `${growthMib.toFixed(1)} MiB`,
      promised: `< ${PROMISED.growthMib} MiB`,
      isKept: growthMib < PROMISED.growthMib,
    },
    {
      what: `${what}: queries a second that were sent and answered`,
      measured: `${Math.round(report.replies / report.seconds)}`,
      promised: `>= ${Math.round(perSecond * 0.99)}`,
      isKept: report.replies >= perSecond * report.seconds * 0.99,
    },
  ];
}

/** Names of one form that nobody has asked for, as dnsperf reads them. */
function peakQuestions(question: string): readonly string[] {
  const random = seededRandom(2);
  const [name = '', type = ''] = question.split(' ');
  return Array.from({ length: PEAK_NAMES }, () => `${name.replace('xxxxxxxxxxxx', randomLabel(random))} ${type}`);
}

function randomLabel(random: { below(limit: number): number }): string {
  return Array.from({ length: 12 }, () => random.below(32).toString(32)).join('');
}

async function probeFor(
  server: BuiltServer,
  seconds: number,
  onSecond: (second: number) => void = () => {},
): Promise<ProbeReport> {
  const questions = [HONEST_QUESTION];
  const probe = await HonestProbe.start({ server: server.dns, questions, perSecond: PROBES_PER_SECOND });
  for (let second = 1; second <= seconds; second++) {
    await sleep(1000);
    onSecond(second);
  }
  return probe.stop();
}
