// dnsperf.ts -- runs dnsperf against one port and reads what it prints

import { run } from '../support/tools.ts';

export interface DnsperfRun {
  readonly port: number;
  readonly queryFile: string;
  readonly seconds: number;
  /** Stop sooner, when all queries of the file were asked this often. */
  readonly passes?: number;
  readonly edns: boolean;
  /** The CPU it is pinned to. */
  readonly core: number;
  /** Queries a second to offer; without, as many as are answered. */
  readonly ratePerSecond?: number;
  /** Read the latency of every single answer. Costs dnsperf time, so for a fixed rate only. */
  readonly eachLatency?: boolean;
}

export interface DnsperfResult {
  readonly sent: number;
  readonly answered: number;
  /** Not answered within two seconds. */
  readonly lost: number;
  readonly seconds: number;
  /** Mean size of an answer in octets. */
  readonly replyBytes: number;
  /** Answers by rcode, as `NOERROR`. */
  readonly rcodes: Readonly<Record<string, number>>;
  /** Of every answer, in microseconds; empty unless asked for. */
  readonly latenciesUs: readonly number[];
}

/** As many clients (sockets) and open queries for every server. */
const LOAD = ['-c', '8', '-q', '100', '-T', '1', '-t', '2'];
const GRACE_MS = 30_000;

/** Throws when dnsperf fails or prints what is not understood. */
export async function runDnsperf(options: DnsperfRun): Promise<DnsperfResult> {
  const { port, queryFile, seconds, passes, edns, core, ratePerSecond, eachLatency } = options;
  const args = ['-s', '127.0.0.1', '-p', String(port), '-d', queryFile, '-l', String(seconds), ...LOAD];
  if (passes !== undefined) args.push('-n', String(passes));
  if (edns) args.push('-e');
  if (ratePerSecond !== undefined) args.push('-Q', String(ratePerSecond));
  if (eachLatency) args.push('-v');
  const timeoutMs = seconds * 1000 + GRACE_MS;
  // An interrupted bench must not leave it behind, asking a server that is gone.
  const prefix = ['--pdeathsig', 'KILL', 'taskset', '-c', String(core)];
  const result = await run('setpriv', [...prefix, 'dnsperf', ...args], { timeoutMs });
  if (result.exitCode !== 0) {
    throw new Error(`dnsperf ${result.timedOut ? 'did not end in time' : `failed: ${result.stderr.trim()}`}`);
  }
  return parseDnsperf(result.stdout);
}

/** Read dnsperf's report. Throws when a line that is needed is missing. */
export function parseDnsperf(text: string): DnsperfResult {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`dnsperf printed no ${pattern.source}\n${text.slice(0, 2000)}`);
    return Number(found);
  };
  const rcodes = /Response codes:\s+(.*)/.exec(text)?.[1] ?? '';
  return {
    sent: number(/Queries sent:\s+(\d+)/),
    answered: number(/Queries completed:\s+(\d+)/),
    lost: number(/Queries lost:\s+(\d+)/),
    seconds: number(/Run time \(s\):\s+([\d.]+)/),
    replyBytes: number(/Average packet size:\s+request \d+, response (\d+)/),
    rcodes: Object.fromEntries(
      [...rcodes.matchAll(/([A-Z]\w+) (\d+)/g)].map(([, name, count]) => [name, Number(count)]),
    ),
    // > NOERROR svc-1.service.local A 0.000064
    latenciesUs: [...text.matchAll(/^> [A-Z]{2,}\d* .* (\d+\.\d+)$/gm)].map(([, seconds]) => Number(seconds) * 1e6),
  };
}
