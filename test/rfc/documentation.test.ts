// documentation.test.ts -- the table of standards in docs/protocol.md and the files of this folder name each other

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const FILES = readdirSync(new URL('.', import.meta.url)).flatMap(
  (file) => /^rfc-(\d+)\.test\.ts$/.exec(file)?.[1] ?? [],
);
const TEXT = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const [, section = ''] = TEXT.split('\n## Standards kept\n');
/** Numbers of RFCs, and of the files that test them, row by row. */
const ROWS = [...section.matchAll(/^\| (\d.*?) \|.*\| (`rfc-.*`) \|$/gm)].map(([, standards = '', tests = '']) => ({
  standards: [...standards.matchAll(/\b\d{4,}\b/g)].map(([number]) => number),
  tests: [...tests.matchAll(/`rfc-(\d+)`/g)].map(([, number = '']) => number),
}));

describe('docs/protocol.md', () => {
  it('has every file of this folder in the row of its standard', () => {
    const rowless = FILES.filter(
      (file) => !ROWS.some(({ standards, tests }) => standards.includes(file) && tests.includes(file)),
    );
    assert.deepEqual(rowless, []);
  });

  it('names no file that is not there', () => {
    assert.ok(ROWS.length > 30, `${ROWS.length} rows`);
    const missing = ROWS.flatMap(({ tests }) => tests).filter((file) => !FILES.includes(file));
    assert.deepEqual(missing, []);
  });

  it('has each standard once, in the order of their numbers', () => {
    const first = ROWS.map(({ standards }) => Number(standards[0]));
    assert.deepEqual(
      first,
      [...first].sort((a, b) => a - b),
    );
    const all = ROWS.flatMap(({ standards }) => standards);
    assert.deepEqual(all, [...new Set(all)]);
  });
});
