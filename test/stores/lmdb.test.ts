// lmdb.test.ts -- the lmdb store: the suite of all stores, and what only a disk can do wrong

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Store } from '../../src/registry/store.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { LmdbFile } from '../../src/stores/lmdb-file.ts';
import { encodeRecord } from '../../src/stores/lmdb-record.ts';
import { testStore } from '../conformance/stores.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-lmdb-'));
let folders = 0;
after(() => rmSync(scratch, { recursive: true, force: true }));

function newFolder(): string {
  folders += 1;
  return join(scratch, `store.${folders}`);
}

function openIn(path: string): Promise<Store> {
  return openLmdbStore({ path, log: silentLogger });
}

/** Change the bytes of the data file where `text` lies, everywhere it lies. */
function overwrite(folder: string, text: string, replacement: string): void {
  const path = join(folder, 'data.mdb');
  const bytes = readFileSync(path);
  let places = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    bytes.write(replacement, at);
    places += 1;
  }
  assert.ok(places > 0);
  writeFileSync(path, bytes);
}

testStore('lmdb', () => openIn(newFolder()));

describe('lmdb on disk', () => {
  it('keeps everything over a restart, and goes on counting', async () => {
    const folder = newFolder();
    let store = await openIn(folder);
    await Promise.all(Array.from({ length: 300 }, (_, i) => store.commit([{ key: `k${i}`, value: { i } }])));
    await store.commit([{ key: 'k7', value: undefined }]);
    const before = await store.load();
    await store.close();
    store = await openIn(folder);
    assert.deepEqual(await store.load(), before);
    assert.equal(before.records.length, 299);
    assert.equal(await store.commit([{ key: 'k8', value: 8 }], [{ key: 'k8', revision: 9 }]), 302);
    await store.close();
  });

  it('grows beyond its first size, with values of megabytes', async () => {
    const store = await openIn(newFolder());
    const value = 'x'.repeat(1_000_000);
    await Promise.all(Array.from({ length: 12 }, (_, i) => store.commit([{ key: `k${i}`, value }])));
    assert.equal((await store.load()).records.length, 12);
    await store.close();
  });

  it('makes its folder for the owner only, and leaves no lock behind', async () => {
    const folder = join(newFolder(), 'deep', 'er');
    const store = await openIn(folder);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    await store.close();
    assert.deepEqual(readdirSync(folder), ['data.mdb', 'lock.mdb']);
  });

  it('names the record whose bytes were changed, and refuses to start', async () => {
    const folder = newFolder();
    const store = await openIn(folder);
    await store.commit([
      { key: 'first', value: 'untouched' },
      { key: 'second', value: { address: '192.0.2.1' } },
    ]);
    await store.close();
    overwrite(folder, '192.0.2.1', '192.0.2.9');
    await assert.rejects(openIn(folder), (error: { code: string; message: string; details: unknown }) => {
      assert.equal(error.code, 'store_corrupt');
      assert.match(
        error.message,
        /store\.\d+ is damaged: the record "second" fails its checksum; `rollcall serve --repair`/,
      );
      assert.deepEqual(error.details, [{ path: 'second', message: 'fails its checksum' }]);
      return true;
    });
    overwrite(folder, '192.0.2.9', '192.0.2.1'); // the refusal itself left folder and lock in order
    await (await openIn(folder)).close();
  });

  it('notices a key that was changed, and records that are gone or old', async () => {
    const key = Buffer.from('k');
    const valueAt = (revision: number) => encodeRecord(key, revision, '"v"').bytes;
    const changes: [string, RegExp, Map<string, Buffer | undefined>][] = [
      ['moved to another key', /"other" fails its checksum/, new Map([['other', valueAt(1)]])],
      ['gone', /0 records were found that are not the 1 last written/, new Map([['k', undefined]])],
      ['of another revision', /1 records were found that are not the 1/, new Map([['k', valueAt(2)]])],
    ];
    for (const [what, message, change] of changes) {
      const folder = newFolder();
      const store = await openIn(folder);
      await store.commit([{ key: 'k', value: 'v' }]);
      await store.close();
      const file = new LmdbFile(folder);
      await file.write(change, file.readMeta());
      await file.close();
      await assert.rejects(openIn(folder), { code: 'store_corrupt', message }, what);
    }
  });

  it('refuses what a newer version wrote', async () => {
    const folder = newFolder();
    await (await openIn(folder)).close();
    const file = new LmdbFile(folder, { schema: 2 });
    await file.write(new Map(), file.readMeta());
    await file.close();
    await assert.rejects(openIn(folder), { code: 'store_schema', message: /schema 2, this program knows up to 1/ });
  });

  it('refuses a data file that is none', async () => {
    const folder = newFolder();
    await (await openIn(folder)).close();
    for (const text of ['not a database. '.repeat(1000), 'short']) {
      writeFileSync(join(folder, 'data.mdb'), text);
      await assert.rejects(openIn(folder), { code: 'store_corrupt', message: /page 0 does not begin a file of lmdb/ });
    }
  });

  it('tells what is wrong with a path', async () => {
    const file = newFolder();
    writeFileSync(file, '');
    await assert.rejects(openIn(file), { code: 'store_path', message: /cannot use .* as store folder: EEXIST/ });
    await assert.rejects(openIn(join(file, 'below')), { code: 'store_path', message: /ENOTDIR|EEXIST/ });
  });

  const root = process.getuid?.() === 0 ? 'root may write anywhere' : false;
  it('tells of a folder it may not write', { skip: root }, async () => {
    const folder = newFolder();
    await (await openIn(folder)).close();
    chmodSync(folder, 0o500);
    await assert.rejects(openIn(folder), { code: 'store_path', message: /EACCES/ });
  });
});
