// repair.test.ts -- `rollcall serve` on a damaged store, without `--repair` and with it

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { layOut, makeDamageFixture } from '../support/store-damage.ts';
import { run, spawnServer } from '../support/tools.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const NODE = ['--import', import.meta.resolve('tsx'), MAIN, 'serve'];
const TIMEOUT_MS = 60_000;

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-repair-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

describe('rollcall serve --repair', () => {
  it('rebuilds what serve refuses, tells of it, and serves', async (t) => {
    const fixture = await makeDamageFixture(join(scratch, 'sound'), 300);
    const data = Buffer.from(fixture.data);
    data.fill(0xff, 4096, 3 * 4096);
    layOut(join(scratch, 'data'), data, fixture);
    const config = join(scratch, 'rollcall.yaml');
    const listen = ['127.0.0.1:0'];
    writeFileSync(config, JSON.stringify({ dns: { listen, workers: 0 }, http: { listen }, log: { level: 'error' } }));

    const refused = await run(process.execPath, [...NODE, '--config', config], { cwd: scratch, timeoutMs: TIMEOUT_MS });
    assert.equal(refused.exitCode, 1, refused.stderr);
    assert.match(
      refused.stderr,
      /^store_corrupt: store folder .*: page 1, at octet 4096 .*; `rollcall serve --repair` rebuilds it/m,
    );

    const server = await spawnServer(t, process.execPath, [...NODE, '--config', config, '--repair'], {
      ready: /is ready/,
      readyTimeoutMs: TIMEOUT_MS,
      cwd: scratch,
    });
    await server.stop();
    const told = server.stderr();
    assert.match(told, /^the store is rebuilt: \d+ records at revision \d+$/m);
    assert.match(told, /^ {2}\d+ records? from snapshot\.ndjson, as of revision 3: later changes to them are lost$/m);
    assert.match(told, /^ {2}the damaged file is kept as data\.mdb\.damaged-\d{4}-/m);
  });
});
