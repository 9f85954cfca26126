// measured-gateway.ts -- one gateway of a run: started on its core, asked whether it passes on rightly, and measured

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Crew } from '../support/crew.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningServer, spawnServer } from '../support/tools.ts';
import { cpuTimeOf } from './cpu-accounting.ts';
import type { GatewayCase } from './gateway-case.ts';
import type { GatewayContestant } from './gateway-contestant.ts';
import type { AtRate, FullSpeed } from './gateway-sample.ts';
import type { OpenLoadOptions, OpenLoadReport } from './open-load.ts';
import type { RunScope } from './run-scope.ts';
import { runWrk } from './wrk.ts';

const START_TIMEOUT_MS = 20_000;
const OPEN_LOAD = new URL('./open-load.ts', import.meta.url);
/** Of the load at a fixed rate: far more than are under way at once, unless a gateway stalls. */
const PACED_CONNECTIONS = 128;
const PACED_WARM_UP_SECONDS = 0.5;

export class MeasuredGateway {
  readonly contestant: GatewayContestant;
  readonly version: string;
  readonly #process: RunningServer;
  readonly #port: number;
  readonly #folder: string;

  private constructor(
    contestant: GatewayContestant,
    parts: { version: string; process: RunningServer; port: number; folder: string },
  ) {
    this.contestant = contestant;
    this.version = parts.version;
    this.#process = parts.process;
    this.#port = parts.port;
    this.#folder = parts.folder;
  }

  /** It ends when `scope` does. Throws when it does not start or passes on anything else than it should. */
  static async start(
    scope: RunScope,
    contestant: GatewayContestant,
    upstreams: readonly number[],
    core: number,
    cases: readonly GatewayCase[],
  ): Promise<MeasuredGateway> {
    const folder = mkdtempSync(join(scope.folder, `${contestant.name}-`));
    const port = await freePort();
    const { command, args } = contestant.prepare({ folder, port, upstreams });
    const process = await spawnServer(scope, 'taskset', ['-c', String(core), command, ...args], {
      ready: () => isAnswering(port),
      readyTimeoutMs: START_TIMEOUT_MS,
      cwd: folder,
    });
    for (const each of cases) await checkReply(port, each);
    const version = await contestant.version();
    return new MeasuredGateway(contestant, { version, process, port, folder });
  }

  /** Offer as many requests as it carries, for some seconds. Throws when none was. */
  async atFullSpeed(of: GatewayCase, seconds: number, connections: number): Promise<FullSpeed> {
    const before = cpuTimeOf(this.#process.pid);
    const result = await runWrk({ port: this.#port, case: of, seconds, connections, folder: this.#folder });
    const after = cpuTimeOf(this.#process.pid);
    if (result.requests === 0) throw new Error('no request was answered');
    const [userUs, systemUs] = [after.userUs - before.userUs, after.systemUs - before.systemUs];
    return {
      perSecond: result.requests / result.seconds,
      userUs: userUs / result.requests,
      systemUs: systemUs / result.requests,
      busyShare: (userUs + systemUs) / (result.seconds * 1e6),
      errors: result.errors,
    };
  }

  /** Offer a fixed rate, the same to every gateway, and see how long each reply takes. */
  async atRate(of: GatewayCase, seconds: number, ratePerSecond: number): Promise<AtRate> {
    const { method, path, bodyBytes, replyBytes } = of;
    const cleanups: (() => unknown)[] = [];
    try {
      const crew = await Crew.start<OpenLoadOptions, OpenLoadReport>(
        { after: (cleanup) => cleanups.push(cleanup) },
        OPEN_LOAD,
        {
          ...{ port: this.#port, method, path, bodyBytes, replyBytes, ratePerSecond, seconds },
          warmUpSeconds: PACED_WARM_UP_SECONDS,
          connections: PACED_CONNECTIONS,
        },
      );
      const report = await crew.report;
      const percentile = (share: number): number =>
        report.latenciesUs[Math.floor(report.latenciesUs.length * share)] ?? Number.NaN;
      return {
        ratePerSecond,
        perSecond: report.latenciesUs.length / report.seconds,
        p50Us: percentile(0.5),
        p99Us: percentile(0.99),
        errors: report.errors,
        lateShare: report.late / report.sent,
      };
    } finally {
      for (const cleanup of cleanups) cleanup();
    }
  }
}

async function isAnswering(port: number): Promise<boolean> {
  const reply = await fetch(`http://127.0.0.1:${port}/1k`).catch(() => undefined);
  await reply?.arrayBuffer();
  return reply?.status === 200;
}

async function checkReply(port: number, { method, path, bodyBytes, replyBytes }: GatewayCase): Promise<void> {
  const body = bodyBytes === 0 ? {} : { body: 'x'.repeat(bodyBytes) };
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...body });
  const { byteLength } = await reply.arrayBuffer();
  if (reply.status !== 200 || byteLength !== replyBytes)
    throw new Error(`${method} ${path}: HTTP ${reply.status}, ${byteLength} octets`);
}
