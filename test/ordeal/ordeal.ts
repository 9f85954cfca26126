// ordeal.ts -- the long runs: promises that take minutes to put to the test (npm run ordeal [-- NAME ... [--minutes N]])
//
// Each prints what it measured, as rows of a table; one that finds a broken promise fails the run. The suite has short
// cuts of them: test/wiring/shards.test.ts, test/net/answer-paths.test.ts, test/net/faults.test.ts, test/e2e/load.test.ts,
// kill.test.ts and clock.test.ts.

import { parseArgs } from 'node:util';
import { acknowledged } from './acknowledged.ts';
import { blocked } from './blocked.ts';
import { checks } from './checks.ts';
import { churn } from './churn.ts';
import { clock } from './clock.ts';
import { damage } from './damage.ts';
import { flip } from './flip.ts';
import { fuzz } from './fuzz.ts';
import { kill } from './kill.ts';
import { largeStart } from './large-start.ts';
import { memory } from './memory.ts';
import type { Ordeal, OrdealOptions } from './ordeal-result.ts';
import { steady } from './steady.ts';
import { watchers } from './watchers.ts';

const ORDEALS: Readonly<Record<string, Ordeal>> = {
  acknowledged,
  checks,
  churn,
  damage,
  fuzz,
  blocked,
  'large-start': largeStart,
  memory,
  steady,
  watchers,
  kill,
  clock,
  flip,
};

const { names, options } = readArguments();
console.log('| ordeal | what | measured | promised | kept |\n|---|---|---|---|---|');
for (const name of names) {
  const cleanups: (() => unknown)[] = [];
  try {
    const scope = { after: (cleanup: () => unknown) => cleanups.push(cleanup) };
    for (const { what, measured, promised, isKept } of await ORDEALS[name]!(scope, options)) {
      console.log(`| ${name} | ${what} | ${measured} | ${promised} | ${isKept ? 'yes' : '**no**'} |`);
      if (!isKept) process.exitCode = 1;
    }
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

function readArguments(): { names: string[]; options: OrdealOptions } {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: { minutes: { type: 'string' } } });
    const unknown = positionals.filter((name) => !Object.hasOwn(ORDEALS, name));
    if (unknown.length > 0)
      throw new Error(`no such ordeal: ${unknown.join(', ')}; there are ${Object.keys(ORDEALS).join(', ')}`);
    const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
    if (minutes !== undefined && !(minutes > 0)) throw new Error('--minutes is a number above 0');
    return { names: positionals.length > 0 ? positionals : Object.keys(ORDEALS), options: { minutes } };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
