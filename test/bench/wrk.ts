// wrk.ts -- runs wrk and reads what it measured

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/tools.ts';
import type { GatewayCase } from './gateway-case.ts';

export interface WrkRun {
  readonly port: number;
  readonly case: GatewayCase;
  readonly seconds: number;
  readonly connections: number;
  /** For the script that wrk reads. */
  readonly folder: string;
}

export interface WrkResult {
  readonly requests: number;
  readonly seconds: number;
  /** Octets read, heads included. */
  readonly bytes: number;
  /** Connections that failed, replies that broke off or never came, and statuses above 399. */
  readonly errors: number;
}

/** As fast as the replies come, one request under way on each connection. Throws when wrk fails. */
export async function runWrk({ port, case: of, seconds, connections, folder }: WrkRun): Promise<WrkResult> {
  const script = join(folder, `${of.name}.lua`);
  writeFileSync(script, wrkScript(of));
  const { exitCode, stdout, stderr } = await run(
    'wrk',
    [
      ...['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--timeout', '5s'],
      ...['--script', script, `http://127.0.0.1:${port}${of.path}`],
    ],
    { timeoutMs: seconds * 1000 + 30_000 },
  );
  if (exitCode !== 0) throw new Error(`wrk failed: ${stderr.trim() || stdout.trim()}`);
  return parseWrk(stdout);
}

/** The figures as wrk holds them: what it prints by itself is rounded. */
function wrkScript({ method, bodyBytes }: GatewayCase): string {
  return `wrk.method = "${method}"
wrk.body = ${bodyBytes === 0 ? 'nil' : `string.rep("x", ${bodyBytes})`}
function done(summary)
  local e = summary.errors
  print(string.format('result: {"requests":%d,"durationUs":%d,"bytes":%d,"errors":%d}', summary.requests,
    summary.duration, summary.bytes, e.connect + e.read + e.write + e.timeout + e.status))
end
`;
}

/** Read the line that our script prints. Throws when it is missing. */
export function parseWrk(stdout: string): WrkResult {
  const line = /^result: (\{.*\})$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`);
  const { requests, durationUs, bytes, errors } = JSON.parse(line);
  return { requests, seconds: durationUs / 1e6, bytes, errors };
}
