// lmdb.ts -- the embedded durable store: one folder, one process, every acknowledged commit survives kill -9
//
// Commits that arrive while another is on its way to the disk are written together: one sync for all of them. Within
// such a group each is judged in the order it arrived, against the state the ones before it leave behind. The folder
// belongs to this process alone and one group is written at a time, so the index in memory is the state on disk.

import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CommittedBatch, Mutation, Precondition, Store, StoreSnapshot } from '../registry/store.ts';
import { deepFreeze, type PreparedBatch, prepareBatch } from './batch.ts';
import { type IndexEntry, type StagedGroup, stageGroup } from './commit-group.ts';
import { lockFolder } from './folder-lock.ts';
import { LmdbFile, requireFreeSpace, type StoreMeta } from './lmdb-file.ts';
import { Watchers } from './watchers.ts';

/** Bounds the memory of one transaction; more wait for the next. */
const MAX_GROUP = 1000;

/** Where the store lives. */
export interface LmdbStoreOptions {
  /** A folder of its own; created with mode 0700 when missing. */
  readonly path: string;
  readonly log: Logger;
}

/**
 * Open the store in a folder and verify every record. Rejects with CodedError `store_path` (not a folder we may write),
 * `store_locked` (another process has it), `store_schema` (written by a newer version), `store_corrupt` (a record fails
 * its checksum or is missing) or `store_unavailable` (the disk fails).
 */
export async function openLmdbStore({ path, log }: LmdbStoreOptions): Promise<Store> {
  const folder = resolvePath(path);
  const unlock = ownFolder(folder);
  let file: LmdbFile | undefined;
  try {
    if (!existsSync(join(folder, 'data.mdb'))) await requireFreeSpace(folder); // a full disk stops no restart
    file = new LmdbFile(folder);
    // The lock file cannot judge an owner in another container; lmdb's table of readers sees it.
    if (file.hasReaders()) throw new CodedError('store_locked', `store folder ${folder} is in use by another process`);
    return new LmdbStore(folder, file, unlock, log);
  } catch (error) {
    await file?.close();
    unlock();
    throw error;
  }
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

class LmdbStore implements Store {
  readonly kind = 'lmdb';
  readonly #folder: string;
  readonly #unlock: () => void;
  readonly #log: Logger;
  readonly #watchers: Watchers;
  readonly #index = new Map<string, IndexEntry>();
  #meta: StoreMeta;
  #queue: (WaitingCommit | WaitingLoad)[] = [];
  #working: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #up = true;
  /** undefined from a failed write until it is opened again. */
  #file: LmdbFile | undefined;
  /** A group whose write failed; it may have reached the disk all the same. */
  #doubtful: StagedGroup | undefined;

  constructor(folder: string, file: LmdbFile, unlock: () => void, log: Logger) {
    this.#folder = folder;
    this.#file = file;
    this.#unlock = unlock;
    this.#log = log;
    this.#watchers = new Watchers(log);
    this.#meta = file.readMeta();
    for (const { key, revision, checksum } of file.readRecords(this.#meta)) {
      this.#index.set(key, { revision, checksum });
    }
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
    await this.#working;
    this.#watchers.clear();
    try {
      await this.#file?.close();
    } finally {
      this.#unlock();
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
    while (this.#queue.length > 0) {
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
      const file = await this.#openFile();
      const records = file.readRecords(this.#meta).map(({ key, revision, json }) => {
        return Object.freeze({ key, revision, value: deepFreeze(JSON.parse(json)) });
      });
      resolve({ revision: this.#meta.revision, records });
    } catch (error) {
      reject(error);
    }
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
      await requireFreeSpace(this.#folder, staged.changes);
      writing = staged;
      await file.write(staged.changes, staged.meta);
    } catch (error) {
      if (this.#up) this.#log.error({ reason: errorMessage(error) }, 'the store cannot write');
      this.#up = false;
      if (writing !== undefined) await this.#abandonFile(writing);
      throw unavailable(this.#folder, error);
    }
    if (!this.#up) this.#log.info({ revision: staged.meta.revision }, 'the store can write again');
    this.#up = true;
    this.#takeOver(staged);
    return staged;
  }

  /** What is durable becomes the state, and watchers hear of it. */
  #takeOver(staged: StagedGroup): void {
    for (const [key, entry] of staged.entries) {
      if (entry === undefined) this.#index.delete(key);
      else this.#index.set(key, entry);
    }
    this.#meta = staged.meta;
    for (const batch of staged.batches) this.#watchers.deliver(batch);
  }

  /** After a failed write nothing that lmdb still holds in memory is trusted: the next use opens the folder anew. */
  async #abandonFile(writing: StagedGroup): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#doubtful = writing;
    try {
      await file?.close();
    } catch (error) {
      this.#log.warn({ reason: errorMessage(error) }, 'the store did not close after its failure');
    }
  }

  async #openFile(): Promise<LmdbFile> {
    if (this.#file !== undefined) return this.#file;
    const file = new LmdbFile(this.#folder);
    try {
      this.#settleDoubt(file.readMeta());
      file.readRecords(this.#meta);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    return file;
  }

  /** A failed write that is found on disk after all has happened, whatever its callers were told. */
  #settleDoubt(found: StoreMeta): void {
    const doubtful = this.#doubtful;
    this.#doubtful = undefined;
    if (sameMeta(found, this.#meta)) return;
    if (doubtful === undefined || !sameMeta(found, doubtful.meta)) {
      const revisions = `revision ${found.revision} was found where ${this.#meta.revision} was written`;
      throw new CodedError('store_corrupt', `store folder ${this.#folder} is damaged: ${revisions}`);
    }
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

/** Make the folder when missing, and lock it. Throws `store_path` or `store_locked`. */
function ownFolder(folder: string): () => void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return lockFolder(folder);
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError('store_path', `cannot use ${folder} as store folder: ${errorMessage(error)}`);
  }
}

/** Make a folder and those above it. Node's own `recursive` never returns where a folder takes none, as /proc. */
function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
