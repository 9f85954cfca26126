// snapshot.test.ts -- the rolling snapshot of an lmdb store, and stores of an older layout

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/log.ts';
import type { Store } from '../../src/registry/store.ts';
import { type LmdbStoreOptions, openLmdbStore } from '../../src/stores/lmdb.ts';
import type { Schema } from '../../src/stores/schema.ts';
import { readSnapshot, writeSnapshot } from '../../src/stores/snapshot-file.ts';
import { contents } from '../conformance/stores.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-snapshot-'));
let folders = 0;
after(() => rmSync(scratch, { recursive: true, force: true }));

function newFolder(): string {
  folders += 1;
  return join(scratch, `store.${folders}`);
}

function openIn(path: string, options: Partial<LmdbStoreOptions> = {}): Promise<Store> {
  return openLmdbStore({ path, log: silentLogger, ...options });
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`never: ${what}`);
}

const AT_ONCE = { settleMs: 0, intervalMs: 0 };

describe('the snapshot of a store', () => {
  it('is written at an orderly stop, whole and readable, and the one before is kept', async () => {
    const folder = newFolder();
    for (let round = 1; round <= 3; round++) {
      const store = await openIn(folder);
      await store.commit([{ key: `k${round}`, value: { text: 'ü"\n\u2028', list: [1, null, -0.5], 'a"b': {} } }]);
      const expected = await contents(store);
      await store.close();
      const snapshot = await readSnapshot(join(folder, 'snapshot.ndjson'));
      assert.equal(snapshot?.isWhole, true);
      assert.deepEqual(
        { schema: snapshot.meta?.schema, revision: snapshot.meta?.revision },
        { schema: 1, revision: round },
      );
      const read = snapshot.records.map(({ key, revision, json }) => [key, [revision, JSON.parse(json)]]);
      assert.deepEqual(Object.fromEntries(read), expected);
    }
    assert.equal((await readSnapshot(join(folder, 'snapshot.previous.ndjson')))?.meta?.revision, 2);
    assert.deepEqual(readdirSync(folder).sort(), [
      ...['data.mdb', 'lock.mdb', 'snapshot.ndjson', 'snapshot.previous.ndjson'],
    ]);
    const before = readFileSync(join(folder, 'snapshot.ndjson'));
    await (await openIn(folder)).close();
    assert.deepEqual(readFileSync(join(folder, 'snapshot.ndjson')), before, 'nothing changed, nothing is written');
  });

  it('follows changes while the store runs, one consistent state at a time', async () => {
    const folder = newFolder();
    const store = await openIn(folder, { snapshots: AT_ONCE });
    const path = join(folder, 'snapshot.ndjson');
    const revisions = new Set<number>();
    let isDone = false;
    const writing = (async () => {
      // Each commit keeps the two alike: a snapshot that took a record of before and one of after would show it.
      for (let i = 0; revisions.size < 3 && i < 5000; i++) {
        const pad = Array.from({ length: 20 }, (_, n) => ({ key: `pad/${i % 50}/${n}`, value: i }));
        await store.commit([{ key: 'a', value: i }, ...pad, { key: 'z', value: i }]);
      }
      isDone = true;
    })();
    await until('several snapshots', async () => {
      const snapshot = await readSnapshot(path);
      if (snapshot === undefined) return isDone;
      assert.equal(snapshot.isWhole, true);
      const of = (key: string) => snapshot.records.find((record) => record.key === key)?.json;
      assert.equal(of('a'), of('z'));
      revisions.add(snapshot.meta!.revision);
      return isDone;
    });
    await writing;
    assert.ok(revisions.size >= 3, `${revisions.size} snapshots seen`);
    await store.close();
  });

  it('is made up for after a kill, which leaves an older one behind', async () => {
    const folder = newFolder();
    let store = await openIn(folder);
    await store.commit([{ key: 'k', value: 1 }]);
    await store.close();
    const old = readFileSync(join(folder, 'snapshot.ndjson'));
    store = await openIn(folder);
    await store.commit([{ key: 'k', value: 2 }]);
    await store.close();
    writeFileSync(join(folder, 'snapshot.ndjson'), old);
    store = await openIn(folder, { snapshots: AT_ONCE });
    await until(
      'a new snapshot',
      async () => (await readSnapshot(join(folder, 'snapshot.ndjson')))?.meta?.revision === 2,
    );
    await store.close();
  });

  it('leaves the last in place when it cannot be written', async () => {
    const folder = newFolder();
    await (await openIn(folder)).close();
    const meta = { schema: 1, revision: 1, records: 0, digest: 0 };
    await writeSnapshot(folder, meta, none());
    const broken = async function* (): AsyncGenerator<never> {
      yield* none();
      throw new Error('the disk fails');
    };
    await assert.rejects(writeSnapshot(folder, { ...meta, revision: 2 }, broken()), { message: 'the disk fails' });
    assert.equal((await readSnapshot(join(folder, 'snapshot.ndjson')))?.meta?.revision, 1);
    assert.equal(existsSync(join(folder, 'snapshot.ndjson.draft')), false);
  });

  it('tells which of its lines are damaged, and that it was cut', async () => {
    const folder = newFolder();
    const store = await openIn(folder);
    for (let i = 0; i < 5; i++) await store.commit([{ key: `k${i}`, value: 'v' }]);
    await store.close();
    const path = join(folder, 'snapshot.ndjson');
    const lines = readFileSync(path, 'utf8').split('\n');
    const damages: [string, string[], number[], number][] = [
      ['a value', lines.with(2, lines[2]!.replace('"v"', '"w"')), [3], 4],
      ['a key', lines.with(3, lines[3]!.replace('k2', 'k9')), [4], 4],
      ['a revision', lines.with(1, lines[1]!.replace('"revision":1', '"revision":2')), [2], 4],
      ['the header', lines.with(0, '{}'), [1], 5],
      ['a cut', lines.slice(0, 4), [], 3],
      ['a line twice', lines.toSpliced(1, 0, lines[1]!), [], 6],
    ];
    for (const [what, text, badLines, count] of damages) {
      writeFileSync(path, text.join('\n'));
      const snapshot = await readSnapshot(path);
      assert.deepEqual(
        [snapshot?.badLines, snapshot?.records.length, snapshot?.isWhole],
        [badLines, count, false],
        what,
      );
    }
  });
});

async function* none(): AsyncGenerator<never> {}

/** A made-up history: version 1 wrote addresses as text, 2 as lists, 3 put each in a record of its own. */
const HISTORY: Schema = {
  version: 3,
  migrations: {
    1: (records) => records.map((record) => ({ ...record, value: [record.value] })),
    2: (records) =>
      records.flatMap(({ key, value, revision }) =>
        (value as unknown[]).map((each, i) => ({ key: `${key}/${i}`, value: { address: each }, revision })),
      ),
  },
};

describe('a store of an older layout', () => {
  it('is brought to this one at the start, and a copy of it stays', async () => {
    const folder = newFolder();
    let store = await openIn(folder);
    await store.commit([{ key: 'a', value: '10.0.0.1' }]);
    await store.commit([{ key: 'b', value: '10.0.0.2' }]);
    await store.close();
    const expected = { 'a/0': [1, { address: '10.0.0.1' }], 'b/0': [2, { address: '10.0.0.2' }] };
    for (let round = 0; round < 2; round++) {
      store = await openIn(folder, { schema: HISTORY });
      assert.deepEqual(await contents(store), expected);
      assert.equal((await store.load()).revision, 2);
      await store.close();
    }
    await assert.rejects(openIn(folder), { code: 'store_schema', message: /schema 3, this program knows up to 1/ });
    assert.equal((await readSnapshot(join(folder, 'snapshot.ndjson')))?.meta?.schema, 3);

    const before = newFolder();
    await (await openIn(before)).close();
    writeFileSync(join(before, 'data.mdb'), readFileSync(join(folder, 'data.mdb.schema-1')));
    store = await openIn(before);
    assert.deepEqual(await contents(store), { a: [1, '10.0.0.1'], b: [2, '10.0.0.2'] });
    await store.close();
  });

  it('stays as it is when a migration fails', async () => {
    const folder = newFolder();
    let store = await openIn(folder);
    await store.commit([{ key: 'a', value: 1 }]);
    await store.close();
    const failing: Schema = { version: 2, migrations: { 1: () => [{ key: '', value: 1, revision: 1 }] } };
    await assert.rejects(openIn(folder, { schema: failing }), { code: 'invalid_key' });
    await assert.rejects(
      openIn(folder, { schema: { version: 2, migrations: {} } }),
      /there is a migration from version 1/,
    );
    store = await openIn(folder);
    assert.deepEqual(await contents(store), { a: [1, 1] });
    await store.close();
  });
});
