// store-claim.ts -- a store folder that is ours, and its verification under way
//
// A server that starts claims its store before it loads its modules: the child reads the data file in the meantime.

import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { CodedError, errorMessage } from '../base/errors.ts';
import { lockFolder } from './folder-lock.ts';
import { PREVIOUS_SNAPSHOT_FILE, SNAPSHOT_FILE } from './snapshot-file.ts';
import { corrupt, DATA_FILE } from './store-audit.ts';
import { type CheckedStore, checkStore } from './store-check.ts';

/** A claimed folder. */
export interface StoreClaim {
  readonly folder: string;
  /** Nothing was ever written there. */
  readonly isNew: boolean;
  /** What the data file holds, once it is verified. Rejects with CodedError `store_...`. */
  readonly checked: Promise<CheckedStore>;
  /** Give the folder back; ends the verification. Does nothing the second time. */
  release(): Promise<void>;
}

/**
 * Lock the folder of a store, making it when it is missing, and begin to verify its data file. Throws CodedError
 * `store_path` (not a folder we may write), `store_unavailable` (the disk fails) or `store_locked` (another process has it).
 */
export function claimStore(path: string): StoreClaim {
  const folder = resolvePath(path);
  const unlock = ownFolder(folder);
  const abort = new AbortController();
  const isNew = !hasData(folder);
  const checked = isNew ? checkNew(folder) : checkStore(folder, 'records', abort.signal);
  // Whoever opens the store hears of it; until then it must not count as unhandled.
  const settled = checked.then(
    () => {},
    () => {},
  );
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    abort.abort();
    await settled;
    unlock();
  };
  return {
    folder,
    isNew,
    checked,
    release: () => {
      released ??= release();
      return released;
    },
  };
}

/** Make the folder when missing, and lock it. Throws `store_path`, `store_unavailable` or `store_locked`. */
export function ownFolder(folder: string): () => void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return lockFolder(folder);
  } catch (error) {
    if (error instanceof CodedError) throw error;
    const code = isFailureOfDisk(error) ? 'store_unavailable' : 'store_path';
    throw new CodedError(code, `cannot use ${folder} as store folder: ${errorMessage(error)}`);
  }
}

const DISK_FAILURES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EIO'];

function isFailureOfDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DISK_FAILURES.includes(error.code);
}

function hasData(folder: string): boolean {
  return (statSync(join(folder, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** A store without data is new, unless a snapshot tells that there were some. */
async function checkNew(folder: string): Promise<CheckedStore> {
  for (const name of [SNAPSHOT_FILE, PREVIOUS_SNAPSHOT_FILE]) {
    if (!existsSync(join(folder, name))) continue;
    throw corrupt(folder, `${DATA_FILE} is missing or empty, while ${name} is there`);
  }
  return { meta: undefined, records: [], checksums: [] };
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
