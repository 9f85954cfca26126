// churn.ts -- 200 registrations and 1,000 health flips a second beside a quarter of the peak load: what it does to latency

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DnsperfResult, runDnsperf } from '../bench/dnsperf.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { percentile, QueryLoad, readAnswer } from '../support/query-load.ts';
import { findTool } from '../support/tools.ts';
import { Asker } from './asker.ts';
import { ChangeStream, STEADY_SERVICES } from './change-stream.ts';
import { type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';

const RATES = { flipsPerSecond: 1000, registrationsPerSecond: 200, deregistrationsPerSecond: 0 };
const SECONDS = 12;
const PEAK_SECONDS = 5;
const SHARE_OF_PEAK = 0.25;
/** Where there is no dnsperf to find the peak with. */
const QUERIES_PER_SECOND = 5000;

interface Measured {
  readonly asked: number;
  readonly lost: number;
  /** Answers other than NOERROR. */
  readonly wrong: number;
  readonly p99Ms: number;
}

interface Load {
  /** What the rate is, for the report. */
  readonly about: string;
  measure(): Promise<Measured>;
}

export async function churn(scope: Scope): Promise<OrdealRow[]> {
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  const changes = await ChangeStream.open(scope, server);
  const load = findTool('dnsperf') === undefined ? plainLoad(server) : await dnsperfLoad(server, scope);
  const quiet = await load.measure();
  changes.start(RATES);
  const checker = startChecker(server, changes);
  const busy = await load.measure();
  const { contradictions, checked } = await checker.stop();
  await changes.stop();
  const [flips, registrations] = [changes.done.flips / SECONDS, changes.done.registrations / SECONDS].map(Math.round);
  return [
    {
      what: `queries lost, of ${busy.asked}, under ${registrations} registrations and ${flips} flips a second`,
      measured: String(busy.lost),
      promised: '0',
      isKept: busy.lost === 0,
    },
    {
      what: `p99 latency at ${load.about}, quiet ${quiet.p99Ms.toFixed(2)} ms (${quiet.lost} lost)`,
      measured: `${busy.p99Ms.toFixed(2)} ms`,
      promised: 'quiet + 10 ms',
      isKept: busy.p99Ms <= quiet.p99Ms + 10,
    },
    {
      what: `answers that contradict an acknowledged change, of ${checked}`,
      measured: String(contradictions),
      promised: '0',
      isKept: contradictions === 0 && checked > 0,
    },
    { what: 'answers that are not NOERROR', measured: String(busy.wrong), promised: '0', isKept: busy.wrong === 0 },
  ];
}

/** A quarter of what the server answers when it is asked as much as it can take. */
async function dnsperfLoad(server: BuiltServer, scope: Scope): Promise<Load> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-churn-'));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const queryFile = join(folder, 'queries');
  const names = Array.from({ length: STEADY_SERVICES }, (_, s) => `svc-${s}.service.local`);
  writeFileSync(queryFile, names.map((name, i) => `${name} ${i % 4 === 0 ? 'SRV' : 'A'}\n`).join(''));
  const common = { port: server.dns.port, queryFile, edns: true, core: availableParallelism() - 1 };
  const peak = await runDnsperf({ ...common, seconds: PEAK_SECONDS });
  const peakPerSecond = peak.answered / peak.seconds;
  const ratePerSecond = Math.round(peakPerSecond * SHARE_OF_PEAK);
  return {
    about: `${ratePerSecond} queries/s, a quarter of the peak of ${Math.round(peakPerSecond)}`,
    measure: async () => ofDnsperf(await runDnsperf({ ...common, seconds: SECONDS, ratePerSecond, eachLatency: true })),
  };
}

function ofDnsperf({ sent, answered, lost, rcodes, latenciesUs }: DnsperfResult): Measured {
  const wrong = answered - (rcodes.NOERROR ?? 0);
  return { asked: sent, lost, wrong, p99Ms: percentile(latenciesUs, 0.99) / 1000 };
}

function plainLoad(server: BuiltServer): Load {
  return { about: `${QUERIES_PER_SECOND} queries/s (no dnsperf)`, measure: () => measurePlainly(server) };
}

async function measurePlainly(server: BuiltServer): Promise<Measured> {
  const run = await QueryLoad.start(server.dns, 'svc-1.service.local', QUERIES_PER_SECOND);
  for (let second = 1; second <= SECONDS; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    showProgress('churn', second, SECONDS);
  }
  await run.stop();
  const replies = run.exchanges.flatMap(({ sentMs, reply }) => (reply === undefined ? [] : { sentMs, ...reply }));
  const latencies = replies.map(({ sentMs, receivedMs }) => receivedMs - sentMs);
  const wrong = replies.filter(({ octets }) => readAnswer(octets).rcode !== 0).length;
  const asked = run.exchanges.length;
  return { asked, lost: asked - replies.length, wrong, p99Ms: percentile(latencies, 0.99) };
}

/** Registers, asks, and compares, over and over. */
function startChecker(
  server: BuiltServer,
  changes: ChangeStream,
): { stop(): Promise<{ checked: number; contradictions: number }> } {
  let isStopped = false;
  const run = async (): Promise<{ checked: number; contradictions: number }> => {
    const asker = await Asker.open(server.dns);
    let [checked, contradictions] = [0, 0];
    for (; !isStopped; checked++) {
      const address = `10.200.${(checked >> 8) & 255}.${checked & 255}`;
      await changes.registerAlone('checker', address);
      const got = await asker.addresses('checker.service.local.');
      if (got.length !== 1 || got[0] !== address) contradictions++;
    }
    asker.close();
    return { checked, contradictions };
  };
  const running = run();
  running.catch(() => {});
  return {
    stop: () => {
      isStopped = true;
      return running;
    },
  };
}
