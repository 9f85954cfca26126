// salvage.ts -- what can still be read of a damaged data file, and which keys may be missing from it

import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { errorMessage } from '../base/errors.ts';
import { decodeMeta, decodeRecord, META_KEY, type StoredMeta } from './lmdb-record.ts';
import { type MetaPage, NO_PAGE, PageError, PageFile, readNumber } from './page-file.ts';
import type { SnapshotRecord } from './snapshot-file.ts';
import { DATA_FILE, noteTree, type StoreTrees } from './store-audit.ts';
import { scanLeaves, unusedPages, type WalkOptions, walkTree } from './tree-walk.ts';

/** Keys from `low` on, before `high`; undefined: no bound. */
interface KeyRange {
  readonly low: Buffer | undefined;
  readonly high: Buffer | undefined;
}

/** What a damaged file gives. */
export interface Salvage {
  /** Undefined when it cannot be read. */
  readonly meta: StoredMeta | undefined;
  /** The records that are in the file's tree. */
  readonly records: ReadonlyMap<string, SnapshotRecord>;
  /** Of keys that may be missing there: the newest that lies anywhere in the file, which may have been deleted since. */
  readonly stray: ReadonlyMap<string, SnapshotRecord>;
  /** What is wrong, with places. */
  readonly faults: readonly string[];
  /** The highest revision seen anywhere. */
  readonly revision: number;
  /** May the file have had this key, although it is not among `records`? */
  mayHaveHad(key: string): boolean;
}

const EVERYTHING: KeyRange = { low: undefined, high: undefined };

/** Read what can be read of the data file of `folder`. Rejects nothing: what cannot be read is a fault. */
export function salvage(folder: string): Salvage {
  const rescue = new Rescue();
  let file: PageFile | undefined;
  try {
    file = new PageFile(join(folder, DATA_FILE));
    rescue.readTrees(file);
    rescue.readStray(file);
  } catch (error) {
    rescue.lose(error instanceof PageError ? `page ${error.page} ${error.message}` : errorMessage(error), EVERYTHING);
  } finally {
    file?.close();
  }
  return rescue;
}

class Rescue implements Salvage {
  readonly records = new Map<string, SnapshotRecord>();
  readonly stray = new Map<string, SnapshotRecord>();
  readonly faults: string[] = [];
  readonly #lost: KeyRange[] = [];
  meta: StoredMeta | undefined;
  revision = 0;

  mayHaveHad(key: string): boolean {
    const bytes = Buffer.from(key, 'utf8');
    return this.#lost.some(
      ({ low, high }) =>
        (low === undefined || Buffer.compare(bytes, low) >= 0) &&
        (high === undefined || Buffer.compare(bytes, high) < 0),
    );
  }

  lose(fault: string, range: KeyRange): void {
    this.faults.push(fault);
    this.#lost.push(range);
  }

  /** Follow the trees from the last header page that can be followed. */
  readTrees(file: PageFile): void {
    const start = this.#startOf(file);
    const { transaction, lastPage, main } = start;
    const walk: Omit<WalkOptions, 'onNode'> = {
      ...{ file, transaction, lastPage, used: unusedPages(lastPage, file.pages) },
      onFault: ({ page, offset, message, low, high }) => {
        this.lose(`page ${page}, at octet ${offset}, ${message}`, { low, high });
      },
    };
    const trees: { -readonly [Name in keyof StoreTrees]: StoreTrees[Name] } = { records: undefined, meta: undefined };
    walkTree(main, { ...walk, onNode: (key, value, place) => void noteTree(trees, key, value, place.isSubtree) });
    if (trees.meta !== undefined) {
      walkTree(trees.meta, { ...walk, onNode: (key, value) => this.#takeMeta(key, value) });
    }
    if (trees.records === undefined) this.lose('the tree of records is not to be found', EVERYTHING);
    else {
      walkTree(trees.records, {
        ...walk,
        onNode: (key, value, { page, low, high }) => {
          const record = toRecord(key, value);
          if (record !== undefined) this.#take(record, this.records);
          else
            this.lose(`page ${page}: the record ${JSON.stringify(key.toString('utf8'))} fails its checksum`, {
              low,
              high,
            });
        },
      });
    }
    this.#compareWithMeta();
  }

  /** Look through all leaf pages, those too that nothing leads to, for keys that may be missing. */
  readStray(file: PageFile): void {
    scanLeaves(file, (key, value) => {
      const record = toRecord(key, value);
      if (record === undefined) return;
      this.revision = Math.max(this.revision, record.revision);
      // The record of the other tree has the looks of ours.
      if (key.equals(META_KEY)) return;
      const known = this.records.get(record.key) ?? this.stray.get(record.key);
      if ((known === undefined || known.revision < record.revision) && this.mayHaveHad(record.key)) {
        this.stray.set(record.key, record);
      }
    });
  }

  /** The header page to start from: the later one whose root is of its transaction, as the roots of sound ones are. */
  #startOf(file: PageFile): MetaPage {
    const found: { meta: MetaPage; isSound: boolean }[] = [];
    for (const slot of [0, 1] as const) {
      try {
        const meta = file.meta(slot);
        const isSound = meta.main.root !== NO_PAGE && readNumber(file.read(meta.main.root), 8) === meta.transaction;
        found.push({ meta, isSound });
        if (!isSound) this.lose(`page ${slot} does not lead to the state that it tells`, EVERYTHING);
      } catch (error) {
        this.lose(`page ${slot} ${errorMessage(error)}`, EVERYTHING);
      }
    }
    found.sort((a, b) => Number(b.isSound) - Number(a.isSound) || b.meta.transaction - a.meta.transaction);
    const [best] = found;
    if (best === undefined) throw new PageError(0, 'and page 1 are both damaged');
    return best.meta;
  }

  #takeMeta(key: Buffer, value: Buffer): void {
    const meta = key.equals(META_KEY) ? decodeMeta(value) : undefined;
    if (meta === undefined) return;
    this.meta = meta;
    this.revision = Math.max(this.revision, meta.revision);
  }

  #take(record: SnapshotRecord, into: Map<string, SnapshotRecord>): void {
    this.revision = Math.max(this.revision, record.revision);
    into.set(record.key, record);
  }

  /** Faults that no page shows: the records are not those that were written last. */
  #compareWithMeta(): void {
    if (this.meta === undefined) {
      this.lose('what the store says of itself cannot be read', EVERYTHING);
      return;
    }
    let digest = 0;
    for (const { checksum } of this.records.values()) digest = (digest + checksum) >>> 0;
    if (this.records.size === this.meta.records && digest === this.meta.digest) return;
    if (this.faults.length === 0) this.lose('the records are not the ones last written', EVERYTHING);
  }
}

function toRecord(key: Buffer, value: Buffer): SnapshotRecord | undefined {
  const decoded = decodeRecord(key, value);
  return decoded === undefined ? undefined : { key: key.toString('utf8'), ...decoded };
}
