// bench-run.ts -- one run: starts all servers, measures them in turn for some rounds, and ends them

import { findTool } from '../support/tools.ts';
import { BASE_CASE, type BenchCase } from './bench-case.ts';
import type { BenchOptions } from './bench-options.ts';
import type { Contestant } from './contestant.ts';
import { MeasuredServer } from './measured-server.ts';
import { ROLLCALL_SHARDS } from './peers/rollcall.ts';
import { pinTo } from './pin.ts';
import type { Progress } from './progress.ts';
import { RunScope } from './run-scope.ts';
import { type Sample, type Summary, summarize } from './sample.ts';

/** A server that could not be measured, and why. */
export interface Skipped {
  readonly title: string;
  readonly reason: string;
}

export interface BenchResult {
  readonly summaries: readonly Summary[];
  readonly skipped: readonly Skipped[];
}

/**
 * All servers run from the beginning to the end, each idle while another is measured: so what disturbs the machine
 * for a while disturbs one round of each and not one server. Throws when dnsperf or a second CPU is missing.
 */
export async function runBench(options: BenchOptions, progress: Progress): Promise<BenchResult> {
  await pinToLoadCore(options.loadCore);
  const scope = new RunScope();
  const skipped: Skipped[] = [];
  try {
    const servers = await startAll(scope, options, progress, skipped);
    const samples = await measureAll(servers, options, progress, skipped);
    const summaries = [...samples].map(
      ([
        {
          contestant,
          case: { name: caseName },
          version,
        },
        taken,
      ]) => {
        const { name, title, isFloor = false, note } = contestant;
        return summarize({ name, title, case: caseName, version, isFloor, note }, taken);
      },
    );
    return { summaries, skipped };
  } finally {
    progress.end();
    await scope.end();
  }
}

/** This process as well, and with it everything it starts: the servers' core is theirs alone. */
async function pinToLoadCore(core: number): Promise<void> {
  for (const [tool, name] of [
    ['dnsperf', 'dnsperf'],
    ['taskset', 'util-linux'],
    ['setpriv', 'util-linux'],
  ] as const) {
    if (findTool(tool) === undefined) throw new Error(`${tool} is missing (Debian package ${name})`);
  }
  await pinTo(core);
}

/** Every chosen server in the base case, and Rollcall in the others. */
function entrants({ contestants, cases }: BenchOptions): (readonly [Contestant, BenchCase])[] {
  return cases.flatMap((each) =>
    each === BASE_CASE
      ? contestants.map((contestant) => [contestant, each] as const)
      : [[ROLLCALL_SHARDS, each] as const],
  );
}

async function startAll(
  scope: RunScope,
  options: BenchOptions,
  progress: Progress,
  skipped: Skipped[],
): Promise<MeasuredServer[]> {
  const servers: MeasuredServer[] = [];
  const cores = { server: options.serverCore, load: options.loadCore };
  progress.stage('start');
  for (const [contestant, benchCase] of entrants(options)) {
    const { title, program } = contestant;
    const what = benchCase === BASE_CASE ? title : `${title}, ${benchCase.name}`;
    progress.step(what);
    if (program !== undefined && findTool(program.name) === undefined) {
      skipped.push({ title: what, reason: `${program.name} is not installed (npm run bench:peers)` });
      continue;
    }
    const onLoad = (share: number) => progress.step(`${what}: registering ${Math.round(share * 100)} %`);
    try {
      servers.push(await MeasuredServer.start(scope, contestant, benchCase, cores, onLoad));
    } catch (error) {
      drop(skipped, what, error, progress);
    }
  }
  return servers;
}

async function measureAll(
  servers: readonly MeasuredServer[],
  options: BenchOptions,
  progress: Progress,
  skipped: Skipped[],
): Promise<Map<MeasuredServer, Sample[]>> {
  const samples = new Map<MeasuredServer, Sample[]>(servers.map((server) => [server, []]));
  const each = async (measure: (server: MeasuredServer) => Promise<void>): Promise<void> => {
    for (const server of samples.keys()) {
      progress.step(server.name);
      await measure(server).catch((error) => {
        samples.delete(server);
        drop(skipped, server.name, error, progress);
      });
    }
  };
  progress.stage('warm-up');
  await each((server) => server.warmUp(options.warmUpSeconds));
  for (let round = 1; round <= options.rounds; round++) {
    progress.stage(`round ${round} of ${options.rounds}`);
    await each(async (server) => {
      const full = await server.atFullSpeed(options.seconds);
      const paced = await server.atRate(options.pacedSeconds, options.ratePerSecond);
      samples.get(server)?.push({ full, paced });
    });
  }
  return samples;
}

function drop(skipped: Skipped[], title: string, error: unknown, progress: Progress): void {
  const reason = (error instanceof Error ? error.message : String(error)).trim();
  progress.note(`${title} is left out: ${reason}`);
  skipped.push({ title, reason: reason.split('\n')[0] ?? '' });
}
