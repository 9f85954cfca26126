// peak.ts -- how many answers a second a server gives when dnsperf asks for as many as it gets

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runDnsperf } from '../bench/dnsperf.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { LOAD_CORE } from '../support/siege-server.ts';

const PEAK_SECONDS = 10;

/** `lines`: questions as dnsperf reads them, a name and a type. */
export async function peakOf(server: BuiltServer, lines: readonly string[]): Promise<number> {
  const queryFile = join(server.folder, 'queries');
  writeFileSync(queryFile, lines.map((line) => `${line}\n`).join(''));
  const { port } = server.dns;
  const { answered, seconds } = await runDnsperf({
    port,
    queryFile,
    seconds: PEAK_SECONDS,
    edns: true,
    core: LOAD_CORE,
  });
  return answered / seconds;
}
