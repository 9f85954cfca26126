// ordeal.ts -- the long runs: promises that take minutes to put to the test
//
// npm run ordeal [-- NAME ... [--minutes N] [--questions N] [--write]]
//
// Each prints what it measured, as rows of a table; one that finds a broken promise fails the run. Without names all of
// them run, and what they find goes to docs/ordeals.md; with names it does with --write. The suite has short cuts of them: test/wiring/shards.test.ts, test/net/answer-paths.test.ts, test/net/faults.test.ts, test/e2e/load.test.ts,
// kill.test.ts, clock.test.ts, tcp-siege.test.ts, sieges.test.ts, gateway-ordeal.test.ts and cluster-*.test.ts.

import { parseArgs } from 'node:util';
import { acknowledged } from './acknowledged.ts';
import { blocked } from './blocked.ts';
import { checks } from './checks.ts';
import { churn } from './churn.ts';
import { clock } from './clock.ts';
import { clusterEtcd } from './cluster-etcd.ts';
import { damage } from './damage.ts';
import { differential } from './differential.ts';
import { dnsFuzz } from './dns-fuzz.ts';
import { flip } from './flip.ts';
import { fuzz } from './fuzz.ts';
import { gatewayBodies } from './gateway-bodies.ts';
import { gatewayDeploy } from './gateway-deploy.ts';
import { gatewaySiege } from './gateway-siege.ts';
import { gatewaySlowInstance } from './gateway-slow-instance.ts';
import { gatewayWebsocket } from './gateway-websocket.ts';
import { kill } from './kill.ts';
import { largeStart } from './large-start.ts';
import { malformed } from './malformed.ts';
import { memory } from './memory.ts';
import type { Ordeal, OrdealOptions } from './ordeal-result.ts';
import { formatRow, recordRows, TABLE_HEAD } from './ordeal-table.ts';
import { burst, overload } from './overload.ts';
import { randomNames } from './random-names.ts';
import { reload } from './reload.ts';
import { replyLimits } from './reply-limits.ts';
import { steady } from './steady.ts';
import { tcpSiege } from './tcp-siege.ts';
import { watchers } from './watchers.ts';

const ORDEALS: Readonly<Record<string, Ordeal>> = {
  acknowledged,
  checks,
  churn,
  damage,
  differential,
  'dns-fuzz': dnsFuzz,
  fuzz,
  blocked,
  'large-start': largeStart,
  memory,
  steady,
  watchers,
  kill,
  clock,
  flip,
  'tcp-siege': tcpSiege,
  reload,
  malformed,
  'reply-limits': replyLimits,
  'random-names': randomNames,
  overload,
  burst,
  'gateway-deploy': gatewayDeploy,
  'gateway-slow-instance': gatewaySlowInstance,
  'gateway-bodies': gatewayBodies,
  'gateway-siege': gatewaySiege,
  'gateway-websocket': gatewayWebsocket,
  'cluster-etcd': clusterEtcd,
};

const { names, options, isWritten } = readArguments();
console.log(TABLE_HEAD);
for (const name of names) {
  const cleanups: (() => unknown)[] = [];
  try {
    const scope = { after: (cleanup: () => unknown) => cleanups.push(cleanup) };
    const rows = (await ORDEALS[name]!(scope, options)).map((row) => ({ ...row, name }));
    for (const row of rows) {
      console.log(formatRow(row));
      if (!row.isKept) process.exitCode = 1;
    }
    // One after the other, so that a run that breaks off keeps what it has.
    if (isWritten) recordRows(name, rows, Object.keys(ORDEALS));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

function readArguments(): { names: string[]; options: OrdealOptions; isWritten: boolean } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { minutes: { type: 'string' }, questions: { type: 'string' }, write: { type: 'boolean' } },
    });
    const unknown = positionals.filter((name) => !Object.hasOwn(ORDEALS, name));
    if (unknown.length > 0)
      throw new Error(`no such ordeal: ${unknown.join(', ')}; there are ${Object.keys(ORDEALS).join(', ')}`);
    const [minutes, questions] = [values.minutes, values.questions].map((text) =>
      text === undefined ? undefined : Number(text),
    );
    if (minutes !== undefined && !(minutes > 0)) throw new Error('--minutes is a number above 0');
    if (questions !== undefined && !(Number.isInteger(questions) && questions >= 1))
      throw new Error('--questions is a whole number from 1 on');
    const isAll = positionals.length === 0;
    const names = isAll ? Object.keys(ORDEALS) : positionals;
    return { names, options: { minutes, questions }, isWritten: isAll || values.write === true };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
