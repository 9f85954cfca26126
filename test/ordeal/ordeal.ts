// ordeal.ts -- the long runs: promises that take minutes to put to the test
//
// npm run ordeal [-- NAME ... [--minutes N] [--questions N]]
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
import { differential } from './differential.ts';
import { dnsFuzz } from './dns-fuzz.ts';
import { flip } from './flip.ts';
import { fuzz } from './fuzz.ts';
import { kill } from './kill.ts';
import { largeStart } from './large-start.ts';
import { memory } from './memory.ts';
import type { Ordeal, OrdealOptions } from './ordeal-result.ts';
import { reload } from './reload.ts';
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
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { minutes: { type: 'string' }, questions: { type: 'string' } },
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
    return { names: positionals.length > 0 ? positionals : Object.keys(ORDEALS), options: { minutes, questions } };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
