// schema-upgrade.ts -- brings the records of an older version of the layout into this one, in one durable step

import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { assert } from '../base/errors.ts';
import { prepareBatch } from './batch.ts';
import { copyFileDurably } from './durable-copy.ts';
import { FreeSpace } from './free-space.ts';
import type { LmdbFile } from './lmdb-file.ts';
import { encodeRecord, type StoredMeta } from './lmdb-record.ts';
import { migrate, type Schema } from './schema.ts';
import { DATA_FILE } from './store-audit.ts';
import type { CheckedStore } from './store-check.ts';

/**
 * Migrate a verified store that is open in `file`. A copy of the data file as it was stays beside it, for a way back to
 * the older program. Rejects with `store_unavailable`, nothing changed.
 */
export async function migrateStore(
  folder: string,
  file: LmdbFile,
  checked: CheckedStore,
  schema: Schema,
): Promise<CheckedStore> {
  const from = checked.meta?.schema ?? schema.version;
  const migrated = migrate(checked.records, from, schema);
  const { mutations } = prepareBatch(
    migrated.map(({ key, value }) => ({ key, value })),
    [],
  );
  assert(mutations.length === migrated.length, 'a migration makes one record of each key');
  const changes = new Map<string, Buffer | undefined>(checked.records.map(({ key }) => [key, undefined]));
  const records = mutations.map(({ key, value }, i) => ({ key, value, revision: migrated[i]?.revision ?? 0 }));
  const checksums: number[] = [];
  let digest = 0;
  for (const { key, revision, value } of records) {
    const { bytes, checksum } = encodeRecord(Buffer.from(key, 'utf8'), revision, JSON.stringify(value));
    changes.set(key, bytes);
    checksums.push(checksum);
    digest = (digest + checksum) >>> 0;
  }
  await new FreeSpace(folder).require(changes);
  const path = join(folder, DATA_FILE);
  await copyFileDurably(path, `${path}.schema-${from}`);
  const revision = checked.meta?.revision ?? 0;
  const meta: StoredMeta = { schema: schema.version, revision, records: records.length, digest };
  await file.write(changes, meta);
  return { meta, records, checksums };
}
