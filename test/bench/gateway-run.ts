// gateway-run.ts -- one run: starts the upstream and all gateways, measures them in turn for some rounds, ends them

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { findTool, spawnServer } from '../support/tools.ts';
import type { Skipped } from './bench-run.ts';
import type { GatewayCase } from './gateway-case.ts';
import type { GatewayBenchOptions } from './gateway-options.ts';
import { HAPROXY_PROGRAM, prepareUpstream } from './gateway-peers/haproxy.ts';
import { type GatewaySamples, type GatewaySummary, summarizeGateway } from './gateway-sample.ts';
import { MeasuredGateway } from './measured-gateway.ts';
import { pinTo } from './pin.ts';
import type { Progress } from './progress.ts';
import { RunScope } from './run-scope.ts';
import { spreadOf } from './sample.ts';

/** Ports of the upstream: instances, for gateways that choose among several. */
const UPSTREAMS = 3;
/** Of what Rollcall carried at full speed. */
const PACED_SHARE = 0.5;

export interface GatewayBenchResult {
  readonly summaries: readonly GatewaySummary[];
  readonly skipped: readonly Skipped[];
}

type Samples = Map<MeasuredGateway, GatewaySamples>;

/**
 * All gateways run from the beginning to the end, each idle while another is measured: so what disturbs the machine
 * for a while disturbs one round of each and not one gateway. Throws when wrk, HAProxy or a second CPU is missing.
 */
export async function runGatewayBench(options: GatewayBenchOptions, progress: Progress): Promise<GatewayBenchResult> {
  for (const tool of ['wrk', HAPROXY_PROGRAM.name])
    if (findTool(tool) === undefined) throw new Error(`${tool} is missing (npm run bench:peers)`);
  await pinTo(options.loadCore);
  const scope = new RunScope();
  const skipped: Skipped[] = [];
  try {
    progress.stage('start');
    const upstreams = await startUpstream(scope);
    const gateways = await startAll(scope, options, upstreams, progress, skipped);
    const summaries: GatewaySummary[] = [];
    for (const each of options.cases) {
      const samples = await measureCase(each, gateways, options, progress, skipped);
      for (const [{ contestant, version }, taken] of samples)
        summaries.push(summarizeGateway(contestant, version, each, taken));
    }
    return { summaries, skipped };
  } finally {
    progress.end();
    await scope.end();
  }
}

/** On the core of the load, as this process is. */
async function startUpstream(scope: RunScope): Promise<number[]> {
  const folder = mkdtempSync(join(scope.folder, 'upstream-'));
  const ports = new Set<number>();
  while (ports.size < UPSTREAMS) ports.add(await freePort());
  const { command, args } = prepareUpstream(folder, [...ports]);
  const isUp = async (): Promise<boolean> => {
    const replies = [...ports].map((port) => fetch(`http://127.0.0.1:${port}/1k`).catch(() => undefined));
    return (await Promise.all(replies)).every((reply) => reply?.status === 200);
  };
  await spawnServer(scope, command, args, { ready: isUp, cwd: folder });
  return [...ports];
}

async function startAll(
  scope: RunScope,
  options: GatewayBenchOptions,
  upstreams: readonly number[],
  progress: Progress,
  skipped: Skipped[],
): Promise<MeasuredGateway[]> {
  const gateways: MeasuredGateway[] = [];
  for (const contestant of options.contestants) {
    progress.step(contestant.title);
    try {
      gateways.push(await MeasuredGateway.start(scope, contestant, upstreams, options.serverCore, options.cases));
    } catch (error) {
      drop(skipped, contestant.title, error, progress);
    }
  }
  return gateways;
}

/** All rounds at full speed come first: what Rollcall carries there gives the rate of those for latencies. */
async function measureCase(
  of: GatewayCase,
  gateways: readonly MeasuredGateway[],
  { warmUpSeconds, rounds, seconds, connections, ratePerSecond }: GatewayBenchOptions,
  progress: Progress,
  skipped: Skipped[],
): Promise<Samples> {
  const samples: Samples = new Map(gateways.map((gateway) => [gateway, { full: [], paced: [] }]));
  const each = async (measure: (gateway: MeasuredGateway, taken: GatewaySamples) => Promise<unknown>) => {
    for (const [gateway, taken] of samples) {
      progress.step(gateway.contestant.title);
      await measure(gateway, taken).catch((error) => {
        samples.delete(gateway);
        drop(skipped, `${gateway.contestant.title}, ${of.title}`, error, progress);
      });
    }
  };
  progress.stage(`${of.title}: warm-up`);
  await each((gateway) => gateway.atFullSpeed(of, warmUpSeconds, connections));
  for (let round = 1; round <= rounds; round++) {
    progress.stage(`${of.title}: round ${round} of ${rounds} at full speed`);
    await each(async (gateway, { full }) => full.push(await gateway.atFullSpeed(of, seconds, connections)));
  }
  const rate = ratePerSecond ?? Math.round(PACED_SHARE * peakOf(samples));
  for (let round = 1; round <= rounds; round++) {
    progress.stage(`${of.title}: round ${round} of ${rounds} at ${rate}/s`);
    await each(async (gateway, { paced }) => paced.push(await gateway.atRate(of, seconds, rate)));
  }
  return samples;
}

/** What Rollcall carried, or whoever is there in its place. */
function peakOf(samples: Samples): number {
  const all = [...samples];
  const [, taken] = all.find(([{ contestant }]) => contestant.role === 'own') ?? all[0] ?? [];
  if (taken === undefined) throw new Error('there is no gateway to measure');
  return spreadOf(taken.full.map(({ perSecond }) => perSecond)).median;
}

function drop(skipped: Skipped[], title: string, error: unknown, progress: Progress): void {
  const reason = (error instanceof Error ? error.message : String(error)).trim();
  progress.note(`${title} is left out: ${reason}`);
  skipped.push({ title, reason: reason.split('\n')[0] ?? '' });
}
