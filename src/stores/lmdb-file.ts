// lmdb-file.ts -- one lmdb environment: reads it whole and verified, writes a group of batches in one durable step
//
// Writes go through `batch`: lmdb-js carries them out on a thread of its own as one transaction, so a slow disk does
// not stop the event loop. With `overlappingSync` off, the promise comes after fdatasync of the pages and a write
// of the meta page through O_DSYNC (seen with strace). Asynchronous `transaction` of lmdb-js 3.5 hung when tried, so
// preconditions are checked by the one writer, lmdb.ts, and not in a callback here. A failed write of a data page makes
// lmdb-js write its error message past the end of a 100-byte buffer (mdb_page_flush, seen to abort the process): that is
// why free space is asked for before each write.

import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { assert, CodedError, type ErrorDetail, errorMessage } from '../base/errors.ts';
import { decodeRecord, encodeRecord } from './lmdb-record.ts';

/** Raised when the layout on disk changes; a store written by a newer Rollcall is refused. */
const SCHEMA_VERSION = 1;

const META_KEY = Buffer.from('meta');
const MAX_REPORTED = 20;

/** Space that must stay free on the disk; other programs may fill it between the question and the write. */
const RESERVE_BYTES = 16 * 2 ** 20;
/** Pages that one changed record may cost: the path from the root to its leaf is copied, and pages may split. */
const BYTES_PER_CHANGE = 8 * 4096;

/** Where the first page of a data file has the magic number of lmdb. */
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;

/** MDB_INVALID, MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_VERSION_MISMATCH, MDB_INCOMPATIBLE (lmdb.h). */
const DAMAGE_CODES: readonly unknown[] = [-30793, -30796, -30797, -30794, -30784];

/** What must be true of all records together; written in the same transaction as they are. */
export interface StoreMeta {
  readonly revision: number;
  /** How many records there are. */
  readonly records: number;
  /** Sum of the records' checksums modulo 2^32: a page that lmdb lost takes whole records with it. */
  readonly digest: number;
}

/** One verified record. */
export interface FileRecord {
  readonly key: string;
  readonly revision: number;
  readonly json: string;
  readonly checksum: number;
}

/** An open environment. After a failed `write` only `close` may be called: lmdb may be in a state it cannot leave. */
export class LmdbFile {
  readonly #folder: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #records: Database<Buffer, Buffer>;
  readonly #meta: Database<Buffer, Buffer>;

  /** Open or create the environment in `folder`, which exists. Throws `store_corrupt` or `store_unavailable`. */
  constructor(folder: string) {
    this.#folder = folder;
    if (!this.#guard(() => looksLikeLmdb(join(folder, 'data.mdb'))))
      throw this.#corrupt('data.mdb is not a file of lmdb');
    const encoding = { encoding: 'binary', keyEncoding: 'binary' } as const;
    try {
      this.#root = open({ path: folder, noSubdir: false, overlappingSync: false, maxDbs: 4, ...encoding });
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

  /** The state of the store as a whole. Throws `store_schema` or `store_corrupt`. */
  readMeta(): StoreMeta {
    const bytes = this.#guard(() => this.#meta.get(META_KEY));
    if (bytes === undefined) return { revision: 0, records: 0, digest: 0 };
    const decoded = decodeRecord(META_KEY, bytes);
    if (decoded === undefined) throw this.#corrupt('the record "meta" fails its checksum');
    const meta = JSON.parse(decoded.json) as StoreMeta & { schema: number };
    if (meta.schema > SCHEMA_VERSION) {
      const versions = `schema ${meta.schema}, this program knows up to ${SCHEMA_VERSION}`;
      throw new CodedError('store_schema', `store folder ${this.#folder} was written by a newer version: ${versions}`);
    }
    return { revision: meta.revision, records: meta.records, digest: meta.digest };
  }

  /** Every record in order of key. Throws `store_corrupt` that names the bad keys, or tells that records are missing. */
  readRecords(meta: StoreMeta): FileRecord[] {
    const good: FileRecord[] = [];
    const bad: ErrorDetail[] = [];
    let digest = 0;
    this.#guard(() => {
      for (const { key, value } of this.#records.getRange({})) {
        const decoded = decodeRecord(key, value);
        const name = key.toString('utf8');
        if (decoded === undefined) bad.push({ path: name, message: 'fails its checksum' });
        else good.push({ key: name, ...decoded });
        digest = (digest + (decoded?.checksum ?? 0)) >>> 0;
      }
    });
    if (bad[0] !== undefined) {
      const first = JSON.stringify(bad[0].path);
      const count = bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`;
      throw this.#corrupt(`the record ${first} fails its checksum${count}`, bad.slice(0, MAX_REPORTED));
    }
    if (good.length !== meta.records || digest !== meta.digest) {
      throw this.#corrupt(`${good.length} records were found that are not the ${meta.records} last written`);
    }
    return good;
  }

  /**
   * Write everything or nothing, and resolve when it is on disk: `changes` maps a key to its bytes, undefined deletes.
   * Rejects with `store_unavailable`.
   */
  async write(changes: ReadonlyMap<string, Buffer | undefined>, meta: StoreMeta): Promise<void> {
    const { bytes } = encodeRecord(META_KEY, meta.revision, JSON.stringify({ schema: SCHEMA_VERSION, ...meta }));
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

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): CodedError {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (DAMAGE_CODES.includes(code)) return this.#corrupt(errorMessage(error));
    return new CodedError('store_unavailable', `cannot open store folder ${this.#folder}: ${errorMessage(error)}`);
  }

  #corrupt(message: string, details: readonly ErrorDetail[] = []): CodedError {
    return new CodedError('store_corrupt', `store folder ${this.#folder} is damaged: ${message}`, details);
  }
}

/** Throws `store_unavailable` when the disk of `folder` may not have room for `changes` and the reserve. */
export async function requireFreeSpace(
  folder: string,
  changes: ReadonlyMap<string, Buffer | undefined> = new Map(),
): Promise<void> {
  let needed = RESERVE_BYTES;
  for (const bytes of changes.values()) needed += BYTES_PER_CHANGE + (bytes?.length ?? 0);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  const numbers = `${bavail * bsize} bytes are free on its disk, ${needed} are needed`;
  throw new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${numbers}`);
}

/** lmdb crashes the process on a file that is something else; an absent or empty one is a new store. */
function looksLikeLmdb(path: string): boolean {
  const header = Buffer.alloc(MAGIC_OFFSET + 4);
  let length = 0;
  try {
    const descriptor = openSync(path, 'r');
    length = readSync(descriptor, header);
    closeSync(descriptor);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  if (length === 0) return true;
  return (
    length === header.length && [header.readUInt32LE(MAGIC_OFFSET), header.readUInt32BE(MAGIC_OFFSET)].includes(MAGIC)
  );
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
