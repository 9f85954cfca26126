// ordeal.ts -- the long runs: promises that take minutes to put to the test (npm run ordeal [-- NAME ...])
//
// Each prints what it measured, as rows of a table; one that finds a broken promise fails the run. The suite has short
// cuts of them: test/wiring/shards.test.ts and test/e2e/load.test.ts.

import { acknowledged } from './acknowledged.ts';
import { churn } from './churn.ts';
import { largeStart } from './large-start.ts';
import type { Ordeal } from './ordeal-result.ts';

const ORDEALS: Readonly<Record<string, Ordeal>> = { acknowledged, churn, 'large-start': largeStart };

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ORDEALS);
const unknown = names.filter((name) => !Object.hasOwn(ORDEALS, name));
if (unknown.length > 0) {
  console.error(`no such ordeal: ${unknown.join(', ')}; there are ${Object.keys(ORDEALS).join(', ')}`);
  process.exit(2);
}
console.log('| ordeal | what | measured | promised | kept |\n|---|---|---|---|---|');
for (const name of names) {
  const cleanups: (() => unknown)[] = [];
  try {
    for (const { what, measured, promised, isKept } of await ORDEALS[name]!({
      after: (cleanup: () => unknown) => cleanups.push(cleanup),
    })) {
      console.log(`| ${name} | ${what} | ${measured} | ${promised} | ${isKept ? 'yes' : '**no**'} |`);
      if (!isKept) process.exitCode = 1;
    }
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
