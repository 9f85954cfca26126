// schema.ts -- versions of what the store keeps, and the way from each to the next
//
// A change of the shape of stored values raises `version` by one and adds a row: `migrations[n]` makes values of
// version n + 1 of those of version n. Rows stay for ever, so that any older store can be opened.

import { assert } from '../base/errors.ts';
import type { StoreRecord } from '../registry/store.ts';

/** Makes the records of the next version: the same, others, more, or fewer. What it returns is JSON. */
export type Migration = (records: readonly StoreRecord[]) => readonly StoreRecord[];

export interface Schema {
  /** The version that this program reads and writes. */
  readonly version: number;
  readonly migrations: Readonly<Record<number, Migration>>;
}

export const SCHEMA: Schema = { version: 1, migrations: {} };

/** The records of version `from` in the version of `schema`. */
export function migrate(records: readonly StoreRecord[], from: number, schema: Schema): readonly StoreRecord[] {
  let migrated = records;
  for (let version = from; version < schema.version; version++) {
    const migration = schema.migrations[version];
    assert(migration !== undefined, `there is a migration from version ${version}`);
    migrated = migration(migrated);
  }
  return migrated;
}
