// lmdb-file.ts -- one lmdb environment that was verified: reads it, writes a group of batches in one durable step
//
// Writes go through `batch`: lmdb-js carries them out on a thread of its own as one transaction, so a slow disk does
// not stop the event loop. With `overlappingSync` off, the promise comes after fdatasync of the pages and a write
// of the meta page through O_DSYNC (seen with strace). Asynchronous `transaction` of lmdb-js 3.5 hung when tried, so
// preconditions are checked by the one writer, lmdb.ts, and not in a callback here.

import { Buffer } from 'node:buffer';
import { type Database, open, type RootDatabase } from 'lmdb';
import { assert, CodedError, errorMessage } from '../base/errors.ts';
import { decodeMeta, decodeRecord, encodeMeta, META_KEY, type StoredMeta, type StoreMeta } from './lmdb-record.ts';
import type { SnapshotRecord } from './snapshot-file.ts';
import { corrupt } from './store-audit.ts';

/** MDB_INVALID, MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_VERSION_MISMATCH, MDB_INCOMPATIBLE (lmdb.h). */
const DAMAGE_CODES: readonly unknown[] = [-30793, -30796, -30797, -30794, -30784];

/** How an environment is opened. */
export interface LmdbFileOptions {
  readonly readOnly?: boolean;
  /** The version of the layout that is written; default 1. */
  readonly schema?: number;
}

/** An open environment. After a failed `write` only `close` may be called: lmdb may be in a state it cannot leave. */
export class LmdbFile {
  readonly #folder: string;
  readonly #schema: number;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #records: Database<Buffer, Buffer>;
  readonly #meta: Database<Buffer, Buffer>;

  /**
   * Open or create the environment in `folder`, which exists. lmdb trusts its file: one that was not verified may end
   * the process. Throws `store_corrupt` or `store_unavailable`.
   */
  constructor(folder: string, { readOnly = false, schema = 1 }: LmdbFileOptions = {}) {
    this.#folder = folder;
    this.#schema = schema;
    const encoding = { encoding: 'binary', keyEncoding: 'binary' } as const;
    try {
      this.#root = open({ path: folder, noSubdir: false, overlappingSync: false, maxDbs: 4, readOnly, ...encoding });
      this.#records = this.#root.openDB({ name: 'records', ...encoding });
      this.#meta = this.#root.openDB({ name: 'meta', ...encoding });
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** True while any process, in whatever container, has read from this environment. Ask before the first read. */
  hasReaders(): boolean {
    return !this.#root.readerList().includes('no active readers');
  }

  /** The state of the store as a whole. Throws `store_corrupt`. */
  readMeta(): StoredMeta {
    return this.#decodeMeta(this.#guard(() => this.#meta.get(META_KEY)));
  }

  /** Every record in order of key. Throws `store_corrupt`. */
  readRecords(): SnapshotRecord[] {
    return this.#guard(() => Array.from(this.#records.getRange({}), (entry) => this.#decode(entry)));
  }

  /**
   * Read the store as it is now, whatever is written meanwhile: `read` is given its meta and its records, in order of
   * key. They are good until its promise is settled. Rejects as `read` does.
   */
  async readConsistently<T>(read: (meta: StoredMeta, records: Iterator<SnapshotRecord>) => Promise<T>): Promise<T> {
    const transaction = this.#root.useReadTransaction();
    try {
      const meta = this.#decodeMeta(this.#guard(() => this.#meta.get(META_KEY, { transaction })));
      const entries = this.#records.getRange({ transaction });
      const records = entries.map((entry) => this.#decode(entry))[Symbol.iterator]();
      try {
        return await read(meta, records);
      } finally {
        records.return?.();
      }
    } finally {
      transaction.done();
    }
  }

  /**
   * Write everything or nothing, and resolve when it is on disk: `changes` maps a key to its bytes, undefined deletes.
   * Rejects with `store_unavailable`.
   */
  async write(changes: ReadonlyMap<string, Buffer | undefined>, meta: StoreMeta): Promise<void> {
    const bytes = encodeMeta(meta, this.#schema);
    try {
      const applied = await this.#root.batch(() => {
        for (const [key, value] of changes) {
          const keyBytes = Buffer.from(key, 'utf8');
          quiet(value === undefined ? this.#records.remove(keyBytes) : this.#records.put(keyBytes, value));
        }
        quiet(this.#meta.put(META_KEY, bytes));
      });
      assert(applied, 'a batch without conditions is applied');
    } catch (error) {
      throw new CodedError(
        'store_unavailable',
        `cannot write to store folder ${this.#folder}: ${await causeOf(error)}`,
      );
    }
  }

  /** Wait for what is being written and release the environment. */
  async close(): Promise<void> {
    await this.#root.close();
  }

  #decodeMeta(bytes: Buffer | undefined): StoredMeta {
    if (bytes === undefined) return { schema: this.#schema, revision: 0, records: 0, digest: 0 };
    const meta = decodeMeta(bytes);
    if (meta === undefined) throw corrupt(this.#folder, 'the record "meta" fails its checksum');
    return meta;
  }

  #decode({ key, value }: { key: Buffer; value: Buffer }): SnapshotRecord {
    const decoded = decodeRecord(key, value);
    const name = key.toString('utf8');
    if (decoded === undefined) throw corrupt(this.#folder, `the record ${JSON.stringify(name)} fails its checksum`);
    return { key: name, ...decoded };
  }

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): CodedError {
    if (error instanceof CodedError) return error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (DAMAGE_CODES.includes(code)) return corrupt(this.#folder, errorMessage(error));
    return new CodedError('store_unavailable', `cannot open store folder ${this.#folder}: ${errorMessage(error)}`);
  }
}

/** Each write inside a batch has a promise of its own that fails with the batch; the batch's is the one awaited. */
function quiet(promise: Promise<boolean>): void {
  promise.catch(() => {});
}

/** lmdb-js rejects with a general error whose `commitError` is a promise that rejects with the cause. */
async function causeOf(error: unknown): Promise<string> {
  if (!(error instanceof Error) || !('commitError' in error)) return errorMessage(error);
  try {
    await error.commitError;
    return error.message;
  } catch (cause) {
    return errorMessage(cause);
  }
}
