// repair.ts -- rebuilds the data file of a store from its snapshot and from what is readable of the damaged one
//
// Order of trust for each key: the record in the tree of the damaged file, when its checksum holds; where pages are
// lost, the newest that lies about in the file from after the snapshot; else the snapshot's. A key of the snapshot that
// the file does not have was deleted since, unless the file may have lost it.

import { Buffer } from 'node:buffer';
import { existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import { CodedError, errorMessage } from '../base/errors.ts';
import { syncFile } from './durable-copy.ts';
import { requireFreeOctets } from './free-space.ts';
import { LmdbFile } from './lmdb-file.ts';
import { encodeRecord, type StoredMeta } from './lmdb-record.ts';
import { type Salvage, salvage } from './salvage.ts';
import { migrate, SCHEMA } from './schema.ts';
import {
  PREVIOUS_SNAPSHOT_FILE,
  type ReadSnapshot,
  readSnapshot,
  SNAPSHOT_FILE,
  type SnapshotRecord,
  syncFolder,
} from './snapshot-file.ts';
import { DATA_FILE } from './store-audit.ts';
import { checkStore } from './store-check.ts';
import { ownFolder } from './store-claim.ts';

const WORK_FOLDER = 'repair';
/** Revisions that may have been given out and are seen nowhere, when the file's own word on them is lost. */
const REVISION_GAP = 1000;
const MAX_CHANGES = 5000;

/** What a repair did. */
export interface RepairReport {
  /** False: the store is in order and was left alone. */
  readonly wasDamaged: boolean;
  /** What was wrong, with places. */
  readonly faults: readonly string[];
  /** How many records there are now, and at what revision the store is. */
  readonly records: number;
  readonly revision: number;
  /** Keys whose record came from the snapshot: changes made after it are lost. */
  readonly fromSnapshot: readonly string[];
  /** Keys whose record was found lying about: it may have been replaced or deleted since. */
  readonly fromStray: readonly string[];
  /** The snapshot that was used, and its revision; undefined when there was none. */
  readonly snapshot: { readonly file: string; readonly revision: number; readonly isWhole: boolean } | undefined;
  /** Name of the damaged file as it is kept. */
  readonly keptAs: string | undefined;
}

/**
 * Rebuild the store in the folder `path`, unless it is in order. The damaged file is kept beside the new one. Rejects
 * with CodedError `store_locked`, `store_path`, `store_unavailable`; `store_corrupt` when nothing at all can be read.
 */
export async function repairStore(path: string, now: Date): Promise<RepairReport> {
  const folder = resolvePath(path);
  const unlock = ownFolder(folder);
  try {
    const snapshot = await bestSnapshot(folder);
    if (snapshot === undefined && !existsSync(join(folder, DATA_FILE))) return NOTHING_DONE; // a store to be
    const reason = await findDamage(folder);
    if (reason === undefined) return { ...NOTHING_DONE, ...(await countOf(folder)) };
    const found = salvage(folder);
    if (snapshot === undefined && found.records.size === 0 && found.stray.size === 0 && found.meta === undefined) {
      throw new CodedError('store_corrupt', `nothing can be read in store folder ${folder}, and there is no snapshot`);
    }
    const { meta, records, fromSnapshot, fromStray } = combine(found, snapshot);
    await build(folder, meta, records);
    const keptAs = await putInPlace(folder, now);
    return {
      ...{ wasDamaged: true, faults: [reason, ...found.faults], fromSnapshot, fromStray, keptAs },
      ...{ records: meta.records, revision: meta.revision },
      snapshot: snapshot && { file: snapshot.name, revision: snapshot.revision, isWhole: snapshot.isWhole },
    };
  } finally {
    rmSync(join(folder, WORK_FOLDER), { recursive: true, force: true });
    unlock();
  }
}

const NOTHING_DONE = {
  ...{ wasDamaged: false, faults: [], fromSnapshot: [], fromStray: [], snapshot: undefined, keptAs: undefined },
  ...{ records: 0, revision: 0 },
} as const;

/** Why the store cannot be opened; undefined when it can. */
async function findDamage(folder: string): Promise<string | undefined> {
  if (!existsSync(join(folder, DATA_FILE))) return `${DATA_FILE} is missing`;
  try {
    await checkStore(folder, 'check');
    return undefined;
  } catch (error) {
    if (error instanceof CodedError && error.code === 'store_corrupt') return error.message.split('; `rollcall')[0];
    throw error;
  }
}

async function countOf(folder: string): Promise<{ records: number; revision: number }> {
  const { meta } = await checkStore(folder, 'check');
  return { records: meta?.records ?? 0, revision: meta?.revision ?? 0 };
}

interface NamedSnapshot extends ReadSnapshot {
  readonly name: string;
  readonly revision: number;
}

/** The newest snapshot that is whole; else the one of which most can be read. */
async function bestSnapshot(folder: string): Promise<NamedSnapshot | undefined> {
  const found: NamedSnapshot[] = [];
  for (const name of [SNAPSHOT_FILE, PREVIOUS_SNAPSHOT_FILE]) {
    const snapshot = await readSnapshot(join(folder, name));
    if (snapshot === undefined) continue;
    const revision = snapshot.meta?.revision ?? snapshot.records.reduce((top, each) => Math.max(top, each.revision), 0);
    found.push({ ...snapshot, name, revision });
  }
  found.sort((a, b) => Number(b.isWhole) - Number(a.isWhole) || b.revision - a.revision);
  return found[0];
}

interface Combined {
  readonly meta: StoredMeta;
  readonly records: ReadonlyMap<string, SnapshotRecord>;
  readonly fromSnapshot: readonly string[];
  readonly fromStray: readonly string[];
}

function combine(found: Salvage, snapshot: NamedSnapshot | undefined): Combined {
  const schema = found.meta?.schema ?? snapshot?.meta?.schema ?? SCHEMA.version;
  const records = new Map(found.records);
  const fromSnapshot: string[] = [];
  const fromStray: string[] = [];
  // A file that is older than the snapshot cannot tell what was deleted.
  const isOlder = snapshot !== undefined && (found.meta?.revision ?? 0) < snapshot.revision;
  for (const record of inSchema(snapshot, schema)) {
    const known = records.get(record.key);
    const isMissing = known === undefined && (isOlder || found.mayHaveHad(record.key));
    if (!isMissing && (known === undefined || known.revision >= record.revision)) continue;
    records.set(record.key, record);
    fromSnapshot.push(record.key);
  }
  for (const [key, record] of found.stray) {
    // What is not newer than a whole snapshot and not in it was deleted before it.
    if (snapshot?.isWhole && record.revision <= snapshot.revision) continue;
    if ((records.get(key)?.revision ?? 0) >= record.revision) continue;
    records.set(key, record);
    fromStray.push(key);
  }
  const strays = new Set(fromStray);
  let digest = 0;
  for (const { checksum } of records.values()) digest = (digest + checksum) >>> 0;
  const seen = Math.max(found.revision, snapshot?.revision ?? 0);
  const revision = seen + (found.meta === undefined ? REVISION_GAP : 0);
  const meta = { schema, revision, records: records.size, digest };
  return { meta, records, fromSnapshot: fromSnapshot.filter((key) => !strays.has(key)), fromStray };
}

/** The records of a snapshot, brought to a later schema where the damaged file has one. */
function inSchema(snapshot: NamedSnapshot | undefined, schema: number): readonly SnapshotRecord[] {
  const from = snapshot?.meta?.schema ?? schema;
  if (snapshot === undefined || from >= schema) return snapshot?.records ?? [];
  const parsed = snapshot.records.map(({ key, revision, json }) => ({ key, revision, value: JSON.parse(json) }));
  return migrate(parsed, from, { ...SCHEMA, version: schema }).map(({ key, revision, value }) => {
    const json = JSON.stringify(value);
    return { key, revision, json, checksum: encodeRecord(Buffer.from(key, 'utf8'), revision, json).checksum };
  });
}

/** Write a new data file into a folder of its own, and verify it. */
async function build(folder: string, meta: StoredMeta, records: ReadonlyMap<string, SnapshotRecord>): Promise<void> {
  const work = join(folder, WORK_FOLDER);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { mode: 0o700 });
  let octets = 0;
  for (const { json } of records.values()) octets += 2 * json.length + 1024;
  await requireFreeOctets(folder, octets);
  const file = new LmdbFile(work, { schema: meta.schema });
  try {
    let changes = new Map<string, Buffer>();
    for (const { key, revision, json } of records.values()) {
      changes.set(key, encodeRecord(Buffer.from(key, 'utf8'), revision, json).bytes);
      if (changes.size < MAX_CHANGES) continue;
      await file.write(changes, meta);
      changes = new Map();
    }
    await file.write(changes, meta);
  } finally {
    await file.close();
  }
  await checkStore(work, 'check');
  await syncFile(join(work, DATA_FILE));
}

/** Exchange the data files. At no moment is there none: a server that found none would begin anew. */
async function putInPlace(folder: string, now: Date): Promise<string | undefined> {
  const path = join(folder, DATA_FILE);
  const name = `${DATA_FILE}.damaged-${now.toISOString().replaceAll(':', '-')}`;
  const hadFile = existsSync(path);
  try {
    if (hadFile) linkSync(path, join(folder, name));
    renameSync(join(folder, WORK_FOLDER, DATA_FILE), path);
    await syncFolder(folder);
  } catch (error) {
    throw new CodedError('store_unavailable', `cannot replace ${path}: ${errorMessage(error)}`);
  }
  return hadFile ? name : undefined;
}
