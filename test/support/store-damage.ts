// store-damage.ts -- a store, its data file damaged in some way, and what may come of it

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Store } from '../../src/registry/store.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { LmdbFile } from '../../src/stores/lmdb-file.ts';
import { repairStore } from '../../src/stores/repair.ts';
import { auditStore } from '../../src/stores/store-audit.ts';

/** Key -> revision and value, as text. */
type Contents = ReadonlyMap<string, string>;

/** A store that went on for a while after its last snapshot. */
export interface DamageFixture {
  readonly data: Buffer;
  readonly snapshot: Buffer;
  /** What was in it at the snapshot, and in the end. */
  readonly then: Contents;
  readonly now: Contents;
}

/** A source of numbers from 0 to 1 that repeats itself. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Make the store in `folder`: `records` of them, a snapshot, and then changes of every kind. */
export async function makeDamageFixture(folder: string, records: number): Promise<DamageFixture> {
  const random = seeded(7);
  const value = (n: number) => ({ n, text: 'x'.repeat(Math.floor(random() * (n % 50 === 0 ? 9000 : 200))) });
  let store = await openLmdbStore({ path: folder, log: silentLogger });
  for (let from = 0; from < records; from += 100) {
    await store.commit(Array.from({ length: 100 }, (_, i) => ({ key: `record/${from + i}`, value: value(from + i) })));
  }
  const then = await contentsOf(store);
  await store.close();
  const snapshot = readFileSync(join(folder, 'snapshot.ndjson'));
  store = await openLmdbStore({ path: folder, log: silentLogger });
  for (let i = 0; i < records / 10; i++) {
    const n = Math.floor(random() * records * 1.2);
    await store.commit([{ key: `record/${n}`, value: i % 3 === 0 ? undefined : value(n) }]);
  }
  const now = await contentsOf(store);
  await store.close();
  return { data: readFileSync(join(folder, 'data.mdb')), snapshot, then, now };
}

/** Put a damaged data file into an empty folder, with the snapshot. */
export function layOut(folder: string, data: Buffer, { snapshot }: DamageFixture): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'data.mdb'), data);
  writeFileSync(join(folder, 'snapshot.ndjson'), snapshot);
}

/**
 * Is the store in `folder` refused? The alternative is that it holds all that there was last, and lmdb finds the same;
 * anything else is an AssertionError.
 */
export async function isRefused(folder: string, { now }: DamageFixture, what: string): Promise<boolean> {
  try {
    auditStore(folder, () => {});
  } catch (error) {
    assert.ok(error instanceof CodedError && error.code === 'store_corrupt', `${what}: ${error}`);
    assert.match(error.message, /is damaged: (page \d+|the record "|data\.mdb is|it ends|\d+ records)/, what);
    return true;
  }
  // What was verified may be opened here: it cannot end this process.
  const file = new LmdbFile(folder);
  const found = file.readRecords();
  await file.close();
  assert.equal(found.length, now.size, what);
  for (const { key, revision, json } of found) assert.equal(`${revision} ${json}`, now.get(key), what);
  return false;
}

/** Repair the store in `folder`: all that was there at the snapshot comes back, and nothing that never was. */
export async function checkRepair(folder: string, { then, now }: DamageFixture, what: string): Promise<void> {
  const report = await repairStore(folder, new Date(0));
  assert.equal(report.wasDamaged, true, what);
  const store = await openLmdbStore({ path: folder, log: silentLogger });
  const found = await contentsOf(store);
  const { revision } = await store.load();
  await store.close();
  assert.equal(report.records, found.size, what);
  for (const [key, text] of found) {
    assert.ok(text === then.get(key) || text === now.get(key), `${what}: ${key} is another: ${text.slice(0, 80)}`);
    assert.ok(Number(text.split(' ')[0]) <= revision, `${what}: ${key} is of a revision to come`);
  }
  for (const key of then.keys()) assert.ok(found.has(key) || !now.has(key), `${what}: ${key} did not come back`);
}

async function contentsOf(store: Store): Promise<Contents> {
  const { records } = await store.load();
  return new Map(records.map(({ key, revision, value }) => [key, `${revision} ${JSON.stringify(value)}`]));
}
