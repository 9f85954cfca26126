// checks.ts -- 10,000 http checks every 10 s: what the checker part of a server costs, on connections kept and fresh ones

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CheckCost, CheckLoadOptions } from './check-load.ts';
import type { CheckTargetOptions } from './check-target.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const CHECKS = 10_000;
const INTERVAL_MS = 10_000;
const SECONDS = 30;
const ADDRESSES = 250;

/** CoreDNS-GSLB publishes 18 % of a core and 286 MB for as many checks. */
const PROMISED = { kept: 18, fresh: 35, rssMb: 286 };

export async function checks(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  const rows: OrdealRow[] = [];
  for (const kind of ['kept', 'fresh'] as const) {
    const cost = await measure(kind, scope);
    const percent = cost.cpuPercent;
    rows.push({
      what: `CPU of ${CHECKS} checks at ${INTERVAL_MS / 1000} s, connections ${kind} (${perCheck(cost)} us a check)`,
      measured: `${percent.toFixed(1)} % of a core`,
      promised: `${PROMISED[kind]} %`,
      isKept: percent <= PROMISED[kind],
    });
    rows.push({
      what: `resident memory of the process, connections ${kind}`,
      measured: `${Math.round(cost.rssMb)} MB`,
      promised: `${PROMISED.rssMb} MB`,
      isKept: cost.rssMb <= PROMISED.rssMb,
    });
    rows.push({
      what: `probes in the busiest second, over the mean of ${(cost.probes / SECONDS).toFixed(0)}, connections ${kind}`,
      measured: cost.peakToMean.toFixed(2),
      promised: '3',
      isKept: cost.peakToMean <= 3,
    });
    rows.push({
      what: `results that are not passing, of ${cost.probes}, connections ${kind}`,
      measured: String(cost.failed),
      promised: '0',
      isKept: cost.failed === 0,
    });
  }
  return rows;
}

function perCheck({ cpuPercent, probes }: CheckCost): string {
  return ((cpuPercent / 100) * SECONDS * (1e6 / probes)).toFixed(0);
}

/** Both ends are processes of their own, so that only the checker's cost is counted. */
async function measure(kind: 'kept' | 'fresh', scope: { after(cleanup: () => unknown): void }): Promise<CheckCost> {
  const start = (file: string, options: object) => {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
    });
    scope.after(() => child.kill());
    return child;
  };
  const target = start('./check-target.ts', {
    keepAlive: kind === 'kept',
    addresses: ADDRESSES,
  } satisfies CheckTargetOptions);
  const [port] = (await once(target, 'message')) as [number];
  const options = { port, addresses: ADDRESSES, checks: CHECKS, intervalMs: INTERVAL_MS, seconds: SECONDS };
  const load = start('./check-load.ts', options satisfies CheckLoadOptions);
  let second = 0;
  const timer = setInterval(() => showProgress(`checks, ${kind}`, ++second, SECONDS + 15), 1000);
  const [cost] = (await once(load, 'message')) as [CheckCost];
  clearInterval(timer);
  target.kill();
  return cost;
}
