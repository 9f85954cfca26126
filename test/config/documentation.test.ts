// documentation.test.ts -- docs/configuration.md has every key as the code has it, and the example is valid

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '../../src/base/errors.ts';
import { CONFIG_KEYS, nearestWord } from '../../src/config/config-keys.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const DOCS = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs');
const LEAVES = CONFIG_KEYS.filter(({ fallback }) => fallback !== undefined);

describe('docs/configuration.md', () => {
  const text = readFileSync(join(DOCS, 'configuration.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([^`]+)` \| `([^`]*)` \| `(ROLLCALL_[A-Z0-9_]+)` \|/gm)];

  it('has every key with its default and its environment variable, and no others', () => {
    assert.deepEqual(
      rows.map(([, path, fallback, variable]) => ({ path, fallback, variable })).sort(byPath),
      [...LEAVES].sort(byPath),
    );
  });
});

function byPath(a: { path?: string | undefined }, b: { path?: string | undefined }): number {
  return a.path!.localeCompare(b.path!);
}

describe('docs/rollcall.example.yaml', () => {
  it('is valid', () => {
    const { config, problems } = loadConfig({ file: 'rollcall.example.yaml', env: {}, cwd: DOCS });
    assert.deepEqual(problems.map(formatProblem), []);
    assert.equal(config!.services.length, 1);
    assert.equal(config!.schedules.length, 2);
  });
});

describe('the keys', () => {
  it('have variables of different names', () => {
    const variables = CONFIG_KEYS.flatMap(({ variable }) => variable ?? []);
    assert.equal(new Set(variables).size, variables.length);
    assert.ok(!variables.includes('ROLLCALL_HTTP'));
  });

  it('have defaults that are as good as saying nothing', () => {
    const cwd = DOCS;
    const silent = loadConfig({ file: false, env: {}, cwd });
    for (const { path, fallback, variable } of LEAVES) {
      // Keys of another store are refused even at their defaults; a folder that is stated has to exist.
      if (path.startsWith('store.') && !/kind|path/.test(path)) continue;
      const stated = loadConfig({ file: false, env: { [variable!]: fallback }, cwd });
      assert.deepEqual(stated.problems.map(formatProblem), [], path);
      const { dns, ...rest } = stated.config!;
      assert.deepEqual({ ...rest, dns: { ...dns, zonesStatedAt: undefined } }, silent.config, path);
    }
  });
});

describe('nearestWord', () => {
  const rows: readonly (readonly [word: string, expected: string | undefined])[] = [
    ['ttl', 'ttl'],
    ['ttll', 'ttl'],
    ['negativettl', 'negativeTtl'],
    ['negtiveTtl', 'negativeTtl'],
    ['maxanswer', 'maxAnswers'],
    ['somethingElse', undefined],
  ];
  for (const [word, expected] of rows) {
    it(`${word} -> ${expected}`, () => {
      assert.equal(nearestWord(word, ['ttl', 'negativeTtl', 'maxAnswers', 'listen']), expected);
    });
  }
});
