// kill.test.ts -- what was acknowledged outlives a kill -9, again and again, because it is on disk before it is said

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBuiltServer } from '../support/built-server.ts';
import { killRounds } from '../support/kill-rounds.ts';
import { syncedBefore, TRACED_CALLS } from '../support/sync-trace.ts';
import { requireTools, run } from '../support/tools.ts';

const ROUNDS = 20;

test(`${ROUNDS} times killed under eight writers: nothing is lost, nothing comes out of nowhere`, async (t) => {
  const { acknowledged, ...wrong } = await killRounds(t, ROUNDS);
  t.diagnostic(`${acknowledged} acknowledged writes`);
  assert.deepEqual(wrong, { lost: [], phantoms: [], wrongAnswers: [] });
  assert.ok(acknowledged > ROUNDS, `only ${acknowledged} writes were acknowledged`);
});

test('a write is on disk before its reply is sent', async (t) => {
  if (!(await requireTools(t, { strace: 'strace' }))) return;
  const attempt = await run('strace', ['-f', 'true']);
  if (attempt.exitCode !== 0) return t.skip(`strace cannot trace here: ${attempt.stderr.trim().split('\n').at(-1)}`);
  // Not in the server's folder: it watches that for changes of its configuration.
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-trace-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'trace');
  const prefix = ['strace', '-f', '-y', '-s', '4096', '-e', `trace=${TRACED_CALLS}`, '-o', file];
  const server = await startBuiltServer(t, { prefix });
  const ids = Array.from({ length: 40 }, (_, i) => `marked-${i}-end`);
  // One at a time, and then many at a time, which share their syncs.
  for (const id of ids.slice(0, 8)) await server.register('cart-service', id, { address: '10.1.0.1', port: 80 });
  await Promise.all(ids.slice(8).map((id) => server.register('cart-service', id, { address: '10.1.0.1', port: 80 })));
  server.kill('SIGTERM');
  await server.exited;
  const synced = syncedBefore(readFileSync(file, 'utf8'), ids);
  assert.deepEqual(
    ids.filter((id) => synced.get(id) !== true),
    [],
  );
});
