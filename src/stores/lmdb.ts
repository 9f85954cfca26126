// lmdb.ts -- the embedded durable store: one folder, one process, every acknowledged commit survives kill -9
//
// Commits that arrive while another is on its way to the disk are written together: one sync for all of them. Within
// such a group each is judged in the order it arrived, against the state the ones before it leave behind. The folder
// belongs to this process alone and one group is written at a time, so the index in memory is the state on disk.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CommittedBatch, Mutation, Precondition, Store, StoreRecord, StoreSnapshot } from '../registry/store.ts';
import { deepFreeze, type PreparedBatch, prepareBatch } from './batch.ts';
import { type IndexEntry, type StagedGroup, stageGroup } from './commit-group.ts';
import { FreeSpace } from './free-space.ts';
import { LmdbFile } from './lmdb-file.ts';
import type { StoreMeta } from './lmdb-record.ts';
import { SCHEMA, type Schema } from './schema.ts';
import { migrateStore } from './schema-upgrade.ts';
import { snapshotRevision } from './snapshot-file.ts';
import { SNAPSHOT_TIMES, type SnapshotTimes, SnapshotWriter } from './snapshot-writer.ts';
import { corrupt } from './store-audit.ts';
import { type CheckedStore, checkStore } from './store-check.ts';
import { claimStore, type StoreClaim } from './store-claim.ts';
import { Watchers } from './watchers.ts';

/** Bounds the memory of one transaction; more wait for the next. */
const MAX_GROUP = 1000;

/** How often a store that cannot write tries by itself. */
const RETRY_MS = 2_000;

/** Where the store lives. */
export interface LmdbStoreOptions {
  /** A folder of its own; created with mode 0700 when missing. */
  readonly path: string;
  readonly log: Logger;
  /** The folder claimed already; it passes to the store, whatever comes of it. */
  readonly claim?: StoreClaim | undefined;
  readonly schema?: Schema;
  readonly snapshots?: SnapshotTimes;
}

/**
 * Open the store in a folder and verify every record. Rejects with CodedError `store_path` (not a folder we may write),
 * `store_locked` (another process has it), `store_schema` (written by a newer version), `store_corrupt` (damaged, and
 * where) or `store_unavailable` (the disk fails).
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const claim = options.claim ?? claimStore(options.path);
  const { folder } = claim;
  const schema = options.schema ?? SCHEMA;
  let file: LmdbFile | undefined;
  try {
    let checked = await claim.checked;
    if (claim.isNew) await new FreeSpace(folder).require(); // a full disk stops no restart
    if (checked.meta !== undefined) checkSchema(folder, checked.meta.schema, schema);
    file = new LmdbFile(folder, { schema: schema.version });
    // The lock file cannot judge an owner in another container; lmdb's table of readers sees it.
    if (file.hasReaders()) throw new CodedError('store_locked', `store folder ${folder} is in use by another process`);
    const found = file.readMeta();
    if (!sameMeta(found, checked.meta ?? NOTHING)) throw corrupt(folder, 'it changed while it was verified');
    if (found.schema < schema.version) checked = await migrateStore(folder, file, checked, schema);
    const store = new LmdbStore({ ...options, schema, claim, file, checked });
    const isMigrated = found.schema !== schema.version;
    if (isMigrated || (await snapshotRevision(folder)) !== found.revision) store.noteUnsaved();
    return store;
  } catch (error) {
    await file?.close();
    await claim.release();
    throw error;
  }
}

const NOTHING: StoreMeta = { revision: 0, records: 0, digest: 0 };

function checkSchema(folder: string, found: number, { version }: Schema): void {
  if (found <= version) return;
  const versions = `schema ${found}, this program knows up to ${version}`;
  throw new CodedError('store_schema', `store folder ${folder} was written by a newer version: ${versions}`);
}

interface WaitingCommit {
  readonly batch: PreparedBatch;
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingLoad {
  readonly batch?: never;
  readonly resolve: (snapshot: StoreSnapshot) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenedStore {
  readonly claim: StoreClaim;
  readonly schema: Schema;
  readonly file: LmdbFile;
  readonly checked: CheckedStore;
  readonly log: Logger;
  readonly snapshots?: SnapshotTimes;
}

class LmdbStore implements Store {
  readonly kind = 'lmdb';
  readonly #folder: string;
  readonly #freeSpace: FreeSpace;
  readonly #claim: StoreClaim;
  readonly #schema: Schema;
  readonly #log: Logger;
  readonly #watchers: Watchers;
  readonly #snapshots: SnapshotWriter;
  readonly #index = new Map<string, IndexEntry>();
  #meta: StoreMeta;
  /** What was read at the start, for the first load. */
  #initial: readonly StoreRecord[] | undefined;
  #queue: (WaitingCommit | WaitingLoad)[] = [];
  #working: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #up = true;
  /** Runs while writes fail. */
  #retry: NodeJS.Timeout | undefined;
  #isProbing = false;
  /** undefined from a failed write until it is opened again. */
  #file: LmdbFile | undefined;
  /** A group whose write failed; it may have reached the disk all the same. */
  #doubtful: StagedGroup | undefined;

  constructor({ claim, schema, file, checked, log, snapshots = SNAPSHOT_TIMES }: OpenedStore) {
    this.#folder = claim.folder;
    this.#freeSpace = new FreeSpace(claim.folder);
    this.#claim = claim;
    this.#schema = schema;
    this.#file = file;
    this.#log = log;
    this.#watchers = new Watchers(log);
    this.#snapshots = new SnapshotWriter({ folder: claim.folder, log, times: snapshots, file: () => this.#file });
    const { revision, records, digest } = checked.meta ?? NOTHING;
    this.#meta = { revision, records, digest };
    this.#initial = checked.records;
    for (const [i, { key, revision: written }] of checked.records.entries()) {
      this.#index.set(key, { revision: written, checksum: checked.checksums[i] ?? 0 });
    }
  }

  /** There are records that no snapshot holds. */
  noteUnsaved(): void {
    this.#snapshots.note();
  }

  load(): Promise<StoreSnapshot> {
    return new Promise((resolve, reject) => this.#enqueue({ resolve, reject }));
  }

  async commit(mutations: readonly Mutation[], preconditions: readonly Precondition[] = []): Promise<number> {
    const batch = prepareBatch(mutations, preconditions);
    return new Promise((resolve, reject) => this.#enqueue({ batch, resolve, reject }));
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#watchers.add(listener);
  }

  isUp(): boolean {
    return this.#up;
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    clearInterval(this.#retry);
    await this.#working;
    this.#watchers.clear();
    // A header page that a failed write left half undone would be refused at the next start: write it again.
    await this.#probe();
    try {
      await this.#snapshots.finish();
      await this.#file?.close();
    } finally {
      await this.#claim.release();
    }
  }

  #enqueue(waiting: WaitingCommit | WaitingLoad): void {
    if (this.#closing !== undefined) {
      waiting.reject(new CodedError('store_closed', 'the store is closed'));
      return;
    }
    this.#queue.push(waiting);
    this.#working ??= this.#work();
  }

  /** Serve the queue until it is empty. A load has its turn between groups, so it shows what watchers were told. */
  async #work(): Promise<void> {
    while (this.#queue.length > 0 || this.#isProbing) {
      if (this.#isProbing) await this.#probe();
      await nextTurn(); // those who were just answered may ask again and share the next sync
      const queue = this.#queue;
      this.#queue = [];
      let group: WaitingCommit[] = [];
      for (const waiting of queue) {
        if (waiting.batch !== undefined) group.push(waiting);
        if (waiting.batch !== undefined && group.length < MAX_GROUP) continue;
        await this.#commitGroup(group);
        group = [];
        if (waiting.batch === undefined) await this.#serveLoad(waiting);
      }
      await this.#commitGroup(group);
    }
    this.#working = undefined;
  }

  async #serveLoad({ resolve, reject }: WaitingLoad): Promise<void> {
    try {
      const records = this.#initial ?? (await this.#readAll());
      this.#initial = undefined;
      resolve({ revision: this.#meta.revision, records });
    } catch (error) {
      reject(error);
    }
  }

  async #readAll(): Promise<readonly StoreRecord[]> {
    const file = await this.#openFile();
    return file.readRecords().map(({ key, revision, json }) => {
      return Object.freeze({ key, revision, value: deepFreeze(JSON.parse(json)) });
    });
  }

  async #commitGroup(group: readonly WaitingCommit[]): Promise<void> {
    if (group.length === 0) return;
    let staged: StagedGroup;
    try {
      staged = await this.#makeDurable(group.map(({ batch }) => batch));
    } catch (error) {
      // Refused ones too: what they were judged by did not come to be.
      for (const { reject } of group) reject(error);
      return;
    }
    for (const [i, result] of staged.results.entries()) {
      if (typeof result === 'number') group[i]?.resolve(result);
      else group[i]?.reject(result);
    }
  }

  async #makeDurable(batches: readonly PreparedBatch[]): Promise<StagedGroup> {
    let writing: StagedGroup | undefined;
    let staged: StagedGroup;
    try {
      const file = await this.#openFile();
      staged = stageGroup(batches, this.#index, this.#meta);
      if (staged.batches.length === 0) return staged; // nothing to write: all refused or empty
      await this.#freeSpace.require(staged.changes);
      writing = staged;
      await file.write(staged.changes, staged.meta);
    } catch (error) {
      this.#goDown(error);
      if (writing !== undefined) await this.#abandonFile(writing);
      throw unavailable(this.#folder, error);
    }
    this.#comeUp();
    this.#takeOver(staged);
    return staged;
  }

  /** What is durable becomes the state, and watchers hear of it. */
  #takeOver(staged: StagedGroup): void {
    this.#initial = undefined;
    for (const [key, entry] of staged.entries) {
      if (entry === undefined) this.#index.delete(key);
      else this.#index.set(key, entry);
    }
    this.#meta = staged.meta;
    this.#snapshots.note();
    for (const batch of staged.batches) this.#watchers.deliver(batch);
  }

  #goDown(error: unknown): void {
    if (this.#up) this.#log.error({ reason: errorMessage(error) }, 'the store cannot write');
    this.#up = false;
    // Somebody has to notice when it can again, even when nobody writes.
    this.#retry ??= setInterval(() => {
      this.#isProbing = true;
      this.#working ??= this.#work();
    }, RETRY_MS).unref();
  }

  #comeUp(): void {
    if (this.#up) return;
    this.#log.info({ revision: this.#meta.revision }, 'the store can write again');
    this.#up = true;
    clearInterval(this.#retry);
    this.#retry = undefined;
  }

  /** Write nothing new, to see whether writing works. */
  async #probe(): Promise<void> {
    this.#isProbing = false;
    if (this.#up) return;
    let isWriting = false;
    try {
      const file = await this.#openFile();
      await new FreeSpace(this.#folder).require();
      isWriting = true;
      await file.write(new Map(), this.#meta);
      this.#comeUp();
    } catch (error) {
      this.#log.debug({ reason: errorMessage(error) }, 'the store still cannot write');
      if (isWriting) await this.#abandonFile(undefined);
    }
  }

  /** After a failed write nothing that lmdb still holds in memory is trusted: the next use opens the folder anew. */
  async #abandonFile(writing: StagedGroup | undefined): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#doubtful = writing;
    await this.#snapshots.giveUp();
    try {
      await file?.close();
    } catch (error) {
      this.#log.warn({ reason: errorMessage(error) }, 'the store did not close after its failure');
    }
  }

  /** The open file. One that had to be abandoned is verified as at the start before it is trusted again. */
  async #openFile(): Promise<LmdbFile> {
    if (this.#file !== undefined) return this.#file;
    await checkStore(this.#folder, 'recheck');
    const file = new LmdbFile(this.#folder, { schema: this.#schema.version });
    try {
      await this.#settleDoubt(file);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    return file;
  }

  /**
   * Compare what the reopened file holds with what was acknowledged. A failed write that is found there after all
   * becomes part of the state, whatever its callers were told, once a write that succeeds stands behind it: the disk may
   * not have it yet.
   */
  async #settleDoubt(file: LmdbFile): Promise<void> {
    const found = file.readMeta();
    const doubtful = this.#doubtful;
    if (sameMeta(found, this.#meta)) {
      this.#doubtful = undefined;
      return;
    }
    if (doubtful === undefined || !sameMeta(found, doubtful.meta)) {
      throw corrupt(this.#folder, `revision ${found.revision} was found where ${this.#meta.revision} was written`);
    }
    await file.write(new Map(), doubtful.meta);
    this.#doubtful = undefined;
    this.#log.warn({ revision: found.revision }, 'a write that was reported as failed is on disk');
    this.#takeOver(doubtful);
  }
}

/** What a caller of `commit` is told, whatever failed below. */
function unavailable(folder: string, error: unknown): CodedError {
  if (error instanceof CodedError && error.code === 'store_unavailable') return error;
  return new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${errorMessage(error)}`);
}

function sameMeta(a: StoreMeta, b: StoreMeta): boolean {
  return a.revision === b.revision && a.records === b.records && a.digest === b.digest;
}
