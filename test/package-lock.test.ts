// package-lock.test.ts -- the lock file names the packages of every platform, or `npm ci` refuses it on a fresh clone

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './support/tools.ts';

it('package-lock.json names every optional package; node .ci/complete-lock.mjs mends it', async () => {
  const script = fileURLToPath(new URL('../.ci/complete-lock.mjs', import.meta.url));
  const { exitCode, stdout, stderr } = await run(process.execPath, [script, '--check']);
  assert.equal(exitCode, 0, stdout + stderr);
});
