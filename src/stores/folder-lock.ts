// folder-lock.ts -- one process at a time in a folder
//
// The lock is a file that names its owner. It is stale when that process is gone, which a pid alone does not tell: pids
// are used again (in a container it is pid 1 every time), so the start time of the process and of the machine count too.

import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../base/errors.ts';

const LOCK_FILE = 'owner.lock';
const MAX_TRIES = 20;

/** Who holds a lock. Fields other than `pid` are empty where /proc does not exist. */
interface Owner {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process. */
  readonly started: string;
  readonly boot: string;
  readonly pidNamespace: string;
}

/**
 * Make this process the only owner of `folder`. Returns the way to give it back. Throws CodedError `store_locked` while
 * a live process, this one included, owns it; a lock left behind by a killed process is taken over.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, LOCK_FILE);
  const mine = JSON.stringify(self());
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, mine, { mode: 0o600, flag: 'wx' });
  try {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (claim(draft, path)) return () => release(path, mine);
      const found = readIfThere(path);
      if (found === undefined) continue; // given back meanwhile
      const owner = parseOwner(found);
      if (owner !== undefined && isAlive(owner)) throw lockedBy(folder, owner);
      removeStale(path, found);
    }
  } finally {
    unlinkSync(draft);
  }
  throw new CodedError('store_locked', `store folder ${folder}: other processes keep taking ${LOCK_FILE}`);
}

/** A link to a complete file either appears or does not: nobody can read half a lock. */
function claim(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Unlinking by name could hit a lock that was renewed since it was read; renaming first shows what was taken away. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return; // another process was quicker
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== stale) claim(aside, path); // not stale after all: put it back
  unlinkSync(aside);
}

function release(path: string, mine: string): void {
  if (readIfThere(path) === mine) unlinkSync(path);
}

function self(): Owner {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    pidNamespace: pidNamespace(),
  };
}

function isAlive(owner: Owner): boolean {
  const here = self();
  if (owner.boot !== here.boot) return false;
  // A pid of another container means nothing here. The reader table of lmdb tells about that one (see lmdb.ts).
  if (owner.pidNamespace !== here.pidNamespace) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
  return owner.started === '' || startOf(owner.pid) === owner.started;
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined when there is none or the process is dead but not yet reaped. */
function startOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // Field 2 is a name in parentheses that may itself hold spaces and parentheses: count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields?.[0];
  return state === 'Z' || state === 'X' ? undefined : fields?.[19];
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** undefined for what is not a lock, as after a power cut: nobody can be using it. */
function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, started, boot, pidNamespace } = JSON.parse(text) as Partial<Owner>;
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return undefined;
    return { pid, started: started ?? '', boot: boot ?? '', pidNamespace: pidNamespace ?? '' };
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

function lockedBy(folder: string, owner: Owner): CodedError {
  const who = owner.pid === process.pid ? 'this process' : `process ${owner.pid}`;
  return new CodedError('store_locked', `store folder ${folder} is in use by ${who}; two servers cannot share it`);
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
