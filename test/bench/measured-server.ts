// measured-server.ts -- one server of a run: started on its core, asked whether it answers rightly, and measured

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { type RunningServer, run, spawnServer } from '../support/tools.ts';
import { BASE_CASE, type BenchCase, queryLines } from './bench-case.ts';
import { checkAnswers, isAnswering } from './check-answers.ts';
import type { Contestant } from './contestant.ts';
import { cpuTimeOf } from './cpu-accounting.ts';
import { type DnsperfResult, type DnsperfRun, runDnsperf } from './dnsperf.ts';
import type { RunScope } from './run-scope.ts';
import type { Full, Paced } from './sample.ts';
import { zoneContent } from './zone-content.ts';

export interface Cores {
  readonly server: number;
  readonly load: number;
}

const START_TIMEOUT_MS = 60_000;
const FIRST_PASS_MAX_SECONDS = 120;

type Load = Pick<DnsperfRun, 'seconds' | 'passes' | 'ratePerSecond' | 'eachLatency'>;

/** A server that runs and has shown that it answers what it should. */
export class MeasuredServer {
  readonly contestant: Contestant;
  readonly case: BenchCase;
  readonly version: string;
  readonly #process: RunningServer;
  readonly #port: number;
  readonly #queryFile: string;
  readonly #cores: Cores;

  private constructor(parts: {
    contestant: Contestant;
    benchCase: BenchCase;
    version: string;
    process: RunningServer;
    port: number;
    queryFile: string;
    cores: Cores;
  }) {
    this.contestant = parts.contestant;
    this.case = parts.benchCase;
    this.version = parts.version;
    this.#process = parts.process;
    this.#port = parts.port;
    this.#queryFile = parts.queryFile;
    this.#cores = parts.cores;
  }

  /**
   * Start a server, bring its content and check its answers. It ends when `scope` does. Throws when it does not start
   * or answers wrongly.
   */
  static async start(
    scope: RunScope,
    contestant: Contestant,
    benchCase: BenchCase,
    cores: Cores,
    progress: (share: number) => void,
  ): Promise<MeasuredServer> {
    const folder = mkdtempSync(join(scope.folder, `${contestant.name}-`));
    const content = zoneContent(benchCase.services, benchCase.instances, benchCase.strategy);
    const queryFile = join(folder, 'queries');
    writeFileSync(queryFile, queryLines(benchCase, content));
    const port = await freePort();
    const { command, args, load, confirm } = contestant.prepare({ folder, port, content });
    const process = await spawnServer(scope, 'taskset', ['-c', String(cores.server), command, ...args], {
      ready: () => isAnswering(port, content),
      readyTimeoutMs: START_TIMEOUT_MS,
      cwd: folder,
    });
    await load?.(progress);
    await confirm?.();
    const { isFloor, sendsNoGlue } = contestant;
    if (!isFloor) await checkAnswers(port, { content, edns: benchCase.edns, glue: !sendsNoGlue });
    const version = await versionOf(contestant);
    return new MeasuredServer({ contestant, benchCase, version, process, port, queryFile, cores });
  }

  /** The server, and the case unless it is the base case. */
  get name(): string {
    const { title } = this.contestant;
    return this.case === BASE_CASE ? title : `${title}, ${this.case.name}`;
  }

  /** Ask every query once, whatever is prepared when it is first asked, and then for some seconds more. */
  async warmUp(seconds: number): Promise<void> {
    await this.#run({ seconds: FIRST_PASS_MAX_SECONDS, passes: 1 });
    await this.#run({ seconds });
  }

  /** Offer as many queries as it answers, for some seconds. */
  async atFullSpeed(seconds: number): Promise<Full> {
    const { answered, lost, cpu, ...result } = await this.#load({ seconds });
    return {
      answersPerSecond: answered / result.seconds,
      userUs: cpu.userUs / answered,
      systemUs: cpu.systemUs / answered,
      busyShare: (cpu.userUs + cpu.systemUs) / (result.seconds * 1e6),
      replyBytes: result.replyBytes,
      lost,
    };
  }

  /** Offer a fixed rate, the same to every server, and see how long each answer takes. */
  async atRate(seconds: number, ratePerSecond: number): Promise<Paced> {
    const { answered, lost, cpu, ...result } = await this.#load({ seconds, ratePerSecond, eachLatency: true });
    const sorted = Float64Array.from(result.latenciesUs).sort();
    const percentile = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return {
      answersPerSecond: answered / result.seconds,
      cpuUs: (cpu.userUs + cpu.systemUs) / answered,
      p50Us: percentile(0.5),
      p99Us: percentile(0.99),
      lost,
    };
  }

  async #load(load: Load) {
    const before = cpuTimeOf(this.#process.pid);
    const result = await this.#run(load);
    const after = cpuTimeOf(this.#process.pid);
    return {
      ...result,
      cpu: { userUs: after.userUs - before.userUs, systemUs: after.systemUs - before.systemUs },
    };
  }

  async #run(load: Load): Promise<DnsperfResult> {
    const { edns } = this.case;
    const result = await runDnsperf({
      port: this.#port,
      queryFile: this.#queryFile,
      edns,
      core: this.#cores.load,
      ...load,
    });
    if (result.answered === 0) throw new Error(`${this.contestant.title} answered nothing`);
    this.#checkRcodes(result.rcodes, result.answered);
    return result;
  }

  /** Refusals are cheap: they must not count as answers. */
  #checkRcodes(rcodes: Readonly<Record<string, number>>, answered: number): void {
    const right = (rcodes.NOERROR ?? 0) + (this.case.nxdomainShare > 0 ? (rcodes.NXDOMAIN ?? 0) : 0);
    if (right !== answered) throw new Error(`${this.contestant.title} answered ${JSON.stringify(rcodes)}`);
  }
}

/** The version a program tells, or nothing for one that comes with the project. */
async function versionOf({ program, versionArgs }: Contestant): Promise<string> {
  if (program === undefined || versionArgs === undefined) return '';
  const { stdout, stderr } = await run(program.name, versionArgs);
  return /\d+\.\d+(?:\.\d+)?/.exec(stdout + stderr)?.[0] ?? '';
}
