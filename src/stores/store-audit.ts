// store-audit.ts -- a data file read whole and verified without lmdb: header pages, trees, checksums, count and digest
//
// What passes here may be opened by lmdb: no page of it leads outside of the file, into another or round in a circle,
// and it is the last state that was written, not an earlier one.

import type { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { CodedError, type ErrorDetail, errorMessage } from '../base/errors.ts';
import { checksumOfRecord, decodeMeta, META_KEY, type StoredMeta } from './lmdb-record.ts';
import {
  type MetaPage,
  NO_PAGE,
  PageError,
  type PageFault,
  PageFile,
  readNumber,
  readTree,
  type TreeInfo,
} from './page-file.ts';
import { unusedPages, walkFreePages, walkTree } from './tree-walk.ts';

/** The data file of a store folder. */
export const DATA_FILE = 'data.mdb';

const MAX_REPORTED = 20;

/** A record whose checksum holds; `key` and `value` are good until the next one. */
export interface AuditedRecord {
  readonly key: Buffer;
  /** As it lies in the file: checksum, revision, JSON text. */
  readonly value: Buffer;
  readonly checksum: number;
}

/**
 * Read and verify everything in the data file of `folder`, telling each record. Returns what the file says of itself,
 * undefined for a store that was made and never written. Throws CodedError `store_corrupt` that says where.
 */
export function auditStore(
  folder: string,
  onRecord: (record: AuditedRecord) => void,
  { afterFailure = false }: AuditOptions = {},
): StoredMeta | undefined {
  const path = join(folder, DATA_FILE);
  let file: PageFile | undefined;
  try {
    file = new PageFile(path);
    return new StoreAudit(folder, file, onRecord).run(lastMeta(file, afterFailure));
  } catch (error) {
    if (error instanceof PageError) {
      const place = file === undefined ? '' : `, at octet ${error.page * file.pageSize} of ${DATA_FILE},`;
      throw corrupt(folder, `page ${error.page}${place} ${error.message}`);
    }
    throw error;
  } finally {
    file?.close();
  }
}

/** How strict an audit is. */
export interface AuditOptions {
  /**
   * A write of a header page failed, and lmdb has undone half of it: the page then tells an older transaction than its
   * roots are of. Only for who knows what the last state must be: a flipped bit could look the same.
   */
  readonly afterFailure?: boolean;
}

/** The error of a damaged store; tells the way out. */
export function corrupt(folder: string, message: string, details: readonly ErrorDetail[] = []): CodedError {
  const advice = '`rollcall serve --repair` rebuilds it from its snapshot and from what is readable';
  return new CodedError('store_corrupt', `store folder ${folder} is damaged: ${message}; ${advice}`, details);
}

/** The trees of one state of a store, by name. */
export interface StoreTrees {
  readonly records: TreeInfo | undefined;
  readonly meta: TreeInfo | undefined;
}

class StoreAudit {
  readonly #folder: string;
  readonly #file: PageFile;
  readonly #onRecord: (record: AuditedRecord) => void;
  readonly #bad: ErrorDetail[] = [];
  #count = 0;
  #digest = 0;

  constructor(folder: string, file: PageFile, onRecord: (record: AuditedRecord) => void) {
    this.#folder = folder;
    this.#file = file;
    this.#onRecord = onRecord;
  }

  run(last: MetaPage): StoredMeta | undefined {
    const file = this.#file;
    if (last.lastPage >= file.pages) {
      const cut = `it ends after ${file.octets} octets, before page ${file.pages} of ${last.lastPage + 1}`;
      // Pages that are free need not be there; the walks refuse those that are missed.
      if (last.main.root === NO_PAGE) throw corrupt(this.#folder, cut);
    }
    const onFault = (fault: PageFault): never => this.#refuse(fault);
    const { transaction, lastPage } = last;
    const walk = { file, transaction, lastPage, used: unusedPages(lastPage, file.pages), onFault };
    const trees: { -readonly [Name in keyof StoreTrees]: StoreTrees[Name] } = { records: undefined, meta: undefined };
    const named = walkTree(last.main, {
      ...walk,
      onNode: (key, value, place) => {
        if (!noteTree(trees, key, value, place.isSubtree))
          throw new PageError(place.page, 'names a tree that is not known');
      },
    });
    this.#requireCount('trees', named, last.main);
    let meta: StoredMeta | undefined;
    if (trees.meta !== undefined) {
      this.#requireCount(
        'meta',
        walkTree(trees.meta, {
          ...walk,
          onNode: (key, value) => {
            meta = key.equals(META_KEY) ? decodeMeta(value) : undefined;
            if (meta === undefined) throw corrupt(this.#folder, 'the record "meta" fails its checksum');
          },
        }),
        trees.meta,
      );
    }
    if (trees.records !== undefined) {
      const onNode = (key: Buffer, value: Buffer) => this.#take(key, value);
      this.#requireCount('records', walkTree(trees.records, { ...walk, onNode }), trees.records);
    }
    walkFreePages(last.free, walk);
    this.#requireWhole(meta);
    return meta;
  }

  #take(key: Buffer, value: Buffer): void {
    const checksum = checksumOfRecord(key, value);
    this.#count += 1;
    if (checksum === undefined) {
      this.#bad.push({ path: key.toString('utf8'), message: 'fails its checksum' });
      return;
    }
    this.#digest = (this.#digest + checksum) >>> 0;
    this.#onRecord({ key, value, checksum });
  }

  #requireWhole(meta: StoredMeta | undefined): void {
    const [first] = this.#bad;
    if (first !== undefined) {
      const more = this.#bad.length === 1 ? '' : ` (and ${this.#bad.length - 1} more)`;
      const message = `the record ${JSON.stringify(first.path)} fails its checksum${more}`;
      throw corrupt(this.#folder, message, this.#bad.slice(0, MAX_REPORTED));
    }
    const { records, digest } = meta ?? { records: 0, digest: 0 };
    if (this.#count === records && this.#digest === digest) return;
    throw corrupt(this.#folder, `${this.#count} records were found that are not the ${records} last written`);
  }

  #requireCount(name: string, found: number, { entries, root }: TreeInfo): void {
    if (found === entries) return;
    throw new PageError(root, `is the root of ${name}: ${found} nodes were found where it tells of ${entries}`);
  }

  #refuse({ page, offset, message }: PageFault): never {
    throw corrupt(this.#folder, `page ${page}, at octet ${offset} of ${DATA_FILE}, ${message}`);
  }
}

/**
 * The header page of the last transaction. The two take turns, so each tells whether the other can be true: a flipped
 * bit in the later one would otherwise bring an older state back. Throws PageError.
 */
function lastMeta(file: PageFile, afterFailure: boolean): MetaPage {
  const even = file.meta(0);
  const odd = file.meta(1);
  if (even.transaction === 0 && odd.transaction === 0 && even.main.root === NO_PAGE && odd.main.root === NO_PAGE) {
    return even;
  }
  if (even.transaction % 2 !== 0 || odd.transaction % 2 !== 1)
    throw new PageError(0, 'tells a transaction not its own');
  if (Math.abs(even.transaction - odd.transaction) !== 1) {
    throw new PageError(0, `and page 1 tell transactions ${even.transaction} and ${odd.transaction}`);
  }
  const last = even.transaction > odd.transaction ? even : odd;
  // Every transaction writes the root of the main tree anew.
  for (const [slot, meta] of [even, odd].entries()) {
    const { transaction, main } = meta;
    if (main.root === NO_PAGE || (afterFailure && meta !== last)) continue;
    const written = readNumber(file.read(main.root), 8);
    if (written !== transaction) throw new PageError(slot, `tells transaction ${transaction}, its root ${written}`);
  }
  return last;
}

/** Take note of a named tree (lmdb-js ends the names with a zero octet). False for one that no store has. */
export function noteTree(
  trees: { -readonly [Name in keyof StoreTrees]: StoreTrees[Name] },
  key: Buffer,
  value: Buffer,
  isSubtree: boolean,
): boolean {
  const name = key.toString('latin1').replace(/\0$/, '');
  if ((name !== 'records' && name !== 'meta') || !isSubtree || value.length !== 48) return false;
  const tree = readTree(value, 0);
  if (tree.flags !== 0) return false;
  trees[name] = tree;
  return true;
}

/** The reason of anything thrown in an audit, as a CodedError. */
export function auditError(folder: string, thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  return new CodedError('store_unavailable', `cannot read store folder ${folder}: ${errorMessage(thrown)}`);
}
