// check-load.ts -- a process that is nothing but the checks of a server, and tells what they cost it

import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { createCheckers } from '../../src/checkers/checkers.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

export interface CheckLoadOptions {
  readonly port: number;
  /** The checks go to so many of 127.1.0.1, 127.1.0.2 and so on, in turns. */
  readonly addresses: number;
  readonly checks: number;
  readonly intervalMs: number;
  /** How long to measure, once every check has been probed. */
  readonly seconds: number;
}

export interface CheckCost {
  readonly cpuPercent: number;
  readonly rssMb: number;
  readonly probes: number;
  readonly failed: number;
  /** Results in the busiest second over those in the average one. */
  readonly peakToMean: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as CheckLoadOptions;
let probes = 0;
let failed = 0;
const monitor = new HealthMonitor({
  clock: systemClock,
  random: systemRandom,
  checkers: createCheckers({ networks: DEFAULT_PROBE_NETWORKS, isOwnListener: () => false, allowExec: false }),
  jitter: 0.1,
  concurrency: 512,
  perHost: 512,
  damping: DEFAULT_DAMPING,
  onResult: ({ result }) => {
    probes++;
    if (result.outcome !== 'passing') failed++;
  },
  onDeregister: () => {},
  log: silentLogger,
});
for (let i = 0; i < options.checks; i++) {
  const url = `http://127.1.0.${1 + (i % options.addresses)}:${options.port}/health`;
  const check = checkSpec('http', { url, intervalMs: options.intervalMs, timeoutMs: 5000 });
  monitor.watch(`cart-${i}`, [probeTarget(check, { instanceId: `cart-${i}` })], { restored: {}, spread: true });
}
while (probes < options.checks) await sleep(100);
// Whoever was first is some way into the second round by now.
await sleep(1000);
process.send!(await measure(options.seconds));
monitor.stop();
process.disconnect();
process.exit();

async function measure(seconds: number): Promise<CheckCost> {
  probes = 0;
  failed = 0;
  const before = process.cpuUsage();
  const startedMs = performance.now();
  let busiest = 0;
  for (let second = 1, seen = 0; second <= seconds; second++) {
    await sleep(Math.max(0, startedMs + second * 1000 - performance.now()));
    busiest = Math.max(busiest, probes - seen);
    seen = probes;
  }
  const tookMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  return {
    cpuPercent: (user + system) / 10 / tookMs,
    rssMb: process.memoryUsage.rss() / 1024 / 1024,
    probes,
    failed,
    peakToMean: busiest / (probes / (tookMs / 1000)),
  };
}
