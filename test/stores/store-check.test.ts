// store-check.test.ts -- the child process that verifies a store: what comes of it when it dies, and a claim given up

import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { checkStore } from '../../src/stores/store-check.ts';
import { claimStore } from '../../src/stores/store-claim.ts';
import { FRAME, FrameReader, frameHeader } from '../../src/stores/verifier-frames.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-check-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

async function makeStore(name: string): Promise<string> {
  const folder = join(scratch, name);
  const store = await openLmdbStore({ path: folder, log: silentLogger });
  const mutations = Array.from({ length: 3000 }, (_, i) => ({ key: `k${i}`, value: { text: 'x'.repeat(i % 400), i } }));
  await store.commit(mutations);
  await store.close();
  return folder;
}

/** Let a script stand in for the child. */
async function withChild<T>(script: string, body: () => Promise<T>): Promise<T> {
  const path = join(scratch, 'child');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o700);
  const { execPath } = process;
  process.execPath = path;
  try {
    return await body();
  } finally {
    process.execPath = execPath;
  }
}

describe('the verification of a store', () => {
  it('hands over every record, in order of key', async () => {
    const folder = await makeStore('sound');
    const { meta, records, checksums } = await checkStore(folder, 'records');
    assert.deepEqual([meta?.revision, records.length, checksums.length], [1, 3000, 3000]);
    assert.deepEqual(records[1], { key: 'k1', revision: 1, value: { text: 'x', i: 1 } });
    assert.deepEqual((await checkStore(folder, 'check')).records, []);
  });

  const deaths: [what: string, script: string, code: string, message: RegExp][] = [
    ['SIGBUS', 'kill -BUS $$', 'store_corrupt', /was ended by SIGBUS; `rollcall serve --repair`/],
    ['SIGSEGV', 'kill -SEGV $$', 'store_corrupt', /was ended by SIGSEGV/],
    ['SIGKILL, as when memory runs out', 'kill -KILL $$', 'store_unavailable', /was ended by SIGKILL$/],
    ['an exit without a word', 'exit 0', 'store_unavailable', /ended with code 0$/],
    ['an exit with one', 'echo "TypeError: a fault" >&2; exit 1', 'store_unavailable', /code 1: TypeError: a fault$/],
    ['nonsense', 'echo nonsense', 'store_unavailable', /ended with code 0$/],
  ];
  for (const [what, script, code, message] of deaths) {
    it(`that ends with ${what} is a refusal`, async () => {
      await withChild(script, () =>
        assert.rejects(checkStore(scratch, 'records'), { name: 'CodedError', code, message }),
      );
    });
  }

  it('that cannot begin is a refusal', async () => {
    await withChild('', async () => {
      process.execPath = join(scratch, 'none');
      await assert.rejects(checkStore(scratch, 'records'), { code: 'store_unavailable', message: /ENOENT/ });
    });
  });

  it('ends with the claim that began it, and the folder is free', async () => {
    const folder = await makeStore('claimed');
    const claim = claimStore(folder);
    assert.throws(() => claimStore(folder), { code: 'store_locked' });
    await Promise.all([claim.release(), claim.release()]);
    await assert.rejects(claim.checked, { code: 'store_closed' });
    assert.equal(lstatSync(join(folder, 'owner.lock'), { throwIfNoEntry: false }), undefined);
    await claimStore(folder).release();
  });
});

describe('frames', () => {
  it('come out as they went in, however the pipe cuts them', () => {
    const bodies = ['', 'a', 'b'.repeat(300), ''].map((text) => Buffer.from(text));
    const octets = Buffer.concat(bodies.flatMap((body) => [frameHeader(FRAME.RECORDS, body.length), body]));
    for (const step of [1, 4, 5, 6, 7, 100, 1000]) {
      const found: string[] = [];
      const reader = new FrameReader((kind, body) => found.push(`${kind} ${body}`));
      for (let at = 0; at < octets.length; at += step) reader.push(octets.subarray(at, at + step));
      assert.deepEqual(
        found,
        bodies.map((body) => `1 ${body}`),
        `in steps of ${step}`,
      );
    }
  });
});
