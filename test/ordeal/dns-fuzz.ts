// dns-fuzz.ts -- minutes of nmap's dns-fuzz: nothing is found, and the server is as it was

import { readFileSync } from 'node:fs';
import { startBuiltServer } from '../support/built-server.ts';
import { requireTools, run } from '../support/tools.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const MINUTES = 1;
const NOTHING_FOUND = 'The server seems impervious to our assault.';
const MAX_GROWTH_MIB = 32;

export async function dnsFuzz(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  let reason = '';
  const skip = (why?: string) => {
    reason = why ?? '';
  };
  if (!(await requireTools({ skip }, { nmap: 'nmap' })))
    return [{ what: `skipped: ${reason}`, measured: '-', promised: '-', isKept: true }];
  const seconds = Math.ceil((options.minutes ?? MINUTES) * 60);
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  await server.register('web', 'w1', { address: '10.0.0.1', port: 80 });
  const beforeMib = residentMib(server.pid);
  const { stdout, stderr } = await run(
    'nmap',
    // The plus sign has the script run on other ports than 53 too.
    [
      '-n',
      '-Pn',
      '-sU',
      '-p',
      `${server.dns.port}`,
      '--script',
      '+dns-fuzz',
      '--script-args',
      `timelimit=${seconds}s`,
    ].concat(server.dns.address),
    { timeoutMs: (seconds + 60) * 1000 },
  );
  const said = /dns-fuzz: (.*)/.exec(stdout)?.[1] ?? `${stdout}${stderr}`.trim();
  const growthMib = residentMib(server.pid) - beforeMib;
  const metrics = String((await server.api('GET', '/metrics')).body);
  const packets = sumOf(metrics, 'rollcall_dns_queries_total') + sumOf(metrics, 'rollcall_dns_dropped_total');
  const failures = sumOf(metrics, 'rollcall_dns_failures_total');
  const addresses = await server.addresses('web.service.local').catch((thrown) => [String(thrown)]);
  return [
    {
      what: `what nmap's dns-fuzz says after ${seconds} s and ${packets} messages`,
      measured: said,
      promised: NOTHING_FOUND,
      isKept: said === NOTHING_FOUND,
    },
    { what: 'queries whose answering failed', measured: String(failures), promised: '0', isKept: failures === 0 },
    {
      what: 'an honest question afterwards',
      measured: addresses.join(),
      promised: '10.0.0.1',
      isKept: addresses.join() === '10.0.0.1',
    },
    {
      what: 'growth of resident memory',
      measured: `${growthMib.toFixed(1)} MiB`,
      promised: `< ${MAX_GROWTH_MIB} MiB`,
      isKept: growthMib < MAX_GROWTH_MIB,
    },
  ];
}

/** All samples of a metric together. */
function sumOf(metrics: string, name: string): number {
  const samples = metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}
