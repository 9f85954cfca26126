// steady.ts -- minutes of queries at a fixed rate beside changes: nothing is lost, and memory stays as it is

import { readFileSync } from 'node:fs';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { QueryLoad, readAnswer } from '../support/query-load.ts';
import { ChangeStream } from './change-stream.ts';
import { type OrdealOptions, type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';

const MINUTES = 10;
const QUERIES_PER_SECOND = 2000;
/** One load has an id for each query, of which there are 65,536. */
const SECONDS_PER_LOAD = 20;
const RATES = { flipsPerSecond: 200, registrationsPerSecond: 100, deregistrationsPerSecond: 100 };
/** Over the second half: the first is for compiled code, and for heaps to find their size. */
const MAX_GROWTH_PERCENT = 5;

interface Sample {
  readonly seconds: number;
  readonly kib: number;
}

export async function steady(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const minutes = options.minutes ?? MINUTES;
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  const changes = await ChangeStream.open(scope, server);
  const samples: Sample[] = [];
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const timer = setInterval(() => samples.push({ seconds: seconds(), kib: residentKib(server) }), 1000);
  scope.after(() => clearInterval(timer));
  changes.start(RATES);
  const total = { asked: 0, lost: 0, wrong: 0 };
  while (seconds() < minutes * 60) {
    const loadSeconds = Math.min(SECONDS_PER_LOAD, minutes * 60 - seconds());
    await askFor(server, loadSeconds, total);
    showProgress('steady', Math.min(Math.round(seconds()), minutes * 60), minutes * 60);
  }
  clearInterval(timer);
  await changes.stop();
  const { flips, registrations, deregistrations } = changes.done;
  const perSecond = (count: number): number => Math.round(count / seconds());
  const rates = `${perSecond(registrations)} registrations, ${perSecond(deregistrations)} deregistrations and ${perSecond(flips)} flips`;
  const second = samples.slice(samples.length / 2);
  const growth = growthOf(second);
  const mib = (kib: number): string => (kib / 1024).toFixed(1);
  return [
    {
      what: `resident memory over the second half of ${minutes} min, from ${mib(growth.fromKib)} to ${mib(growth.toKib)} MiB`,
      measured: `${growth.percent.toFixed(1)} % (${mib(growth.kibPerMinute)} MiB/min)`,
      promised: `<= ${MAX_GROWTH_PERCENT} %`,
      isKept: growth.percent <= MAX_GROWTH_PERCENT,
    },
    {
      what: `queries lost, of ${total.asked}, under ${rates} a second`,
      measured: String(total.lost),
      promised: '0',
      isKept: total.lost === 0,
    },
    { what: 'answers that are not NOERROR', measured: String(total.wrong), promised: '0', isKept: total.wrong === 0 },
  ];
}

async function askFor(
  server: BuiltServer,
  seconds: number,
  total: { asked: number; lost: number; wrong: number },
): Promise<void> {
  const load = await QueryLoad.start(server.dns, 'svc-1.service.local', QUERIES_PER_SECOND);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await load.stop();
  total.asked += load.exchanges.length;
  for (const { reply } of load.exchanges) {
    if (reply === undefined) total.lost++;
    else if (readAnswer(reply.octets).rcode !== 0) total.wrong++;
  }
}

function residentKib(server: BuiltServer): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]);
}

/** The line that lies closest to all samples, so that no single collection of garbage decides. */
function growthOf(samples: readonly Sample[]): {
  fromKib: number;
  toKib: number;
  percent: number;
  kibPerMinute: number;
} {
  const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
  const meanSeconds = mean(samples.map(({ seconds }) => seconds));
  const meanKib = mean(samples.map(({ kib }) => kib));
  const spread = samples.reduce((sum, each) => sum + (each.seconds - meanSeconds) ** 2, 0);
  const shared = samples.reduce((sum, each) => sum + (each.seconds - meanSeconds) * (each.kib - meanKib), 0);
  const slope = shared / spread;
  const [fromKib, toKib] = [samples[0]!, samples.at(-1)!].map((each) => meanKib + slope * (each.seconds - meanSeconds));
  return {
    fromKib: fromKib!,
    toKib: toKib!,
    percent: (toKib! / fromKib! - 1) * 100,
    kibPerMinute: slope * 60,
  };
}
