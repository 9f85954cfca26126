// pictures.test.ts -- the pictures in docs/balancing.md are what the commands beside them make
//
// `node --import tsx --test test/cli/pictures.test.ts` with ROLLCALL_DRAW=1 draws them anew.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { STRATEGY_NAMES } from '../../src/registry/policy.ts';
import { openApiServer } from '../support/api-server.ts';
import { runCommand } from '../support/captured-terminal.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const WEIGHTS = [1, 2, 3, 4];

test('the pictures of strategies are what their commands make', async (t) => {
  const text = readFileSync(join(DOCS, 'balancing.md'), 'utf8');
  const commands = [...text.matchAll(/^\$ rollcall (simulate web .*--svg (docs\/pictures\/[\w-]+\.svg))$/gm)];
  assert.deepEqual(
    commands.map(([, , file]) => basename(file!, '.svg')),
    [...STRATEGY_NAMES],
    'one for each strategy, in the order of the table',
  );
  const server = await openApiServer();
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-pictures-'));
  t.after(async () => {
    rmSync(folder, { recursive: true });
    await server.close();
  });
  for (const [i, weight] of WEIGHTS.entries()) {
    const path = `/v1/services/web/instances/web-${i + 1}`;
    await server.call('PUT', path, { address: `10.0.0.${i + 1}`, port: 80, weight });
  }
  for (const [, command, file] of commands) {
    const made = join(folder, basename(file!));
    const argv = command!.replace(file!, made).split(' ');
    const { code, err } = await runCommand([...argv, '--http', server.url]);
    assert.deepEqual([code, err], [0, ''], command);
    const kept = join(DOCS, '..', file!);
    if (process.env.ROLLCALL_DRAW === '1') writeFileSync(kept, readFileSync(made));
    assert.equal(readFileSync(made, 'utf8'), readFileSync(kept, 'utf8'), command);
    assert.ok(text.includes(`](${file!.replace('docs/', '')})`), `${file} is shown`);
  }
});
