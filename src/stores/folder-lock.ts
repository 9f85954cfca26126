// folder-lock.ts -- one process at a time in a folder
//
// The lock is a symbolic link whose target names its owner and leads nowhere. It appears whole or not at all, and needs
// no block of its own on a full disk: file systems keep short targets in the inode (ext4 up to 59 octets).
// It is stale when its owner is gone, which a pid alone does not tell: pids are used again (in a container it is pid 1
// every time), so the start time of the process and of the machine count too.

import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
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
 * a live process, this one included, owns it; a lock left behind by a killed process is taken over. Throws errors of the
 * file system as they are.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, LOCK_FILE);
  const mine = formatOwner(self());
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    if (claim(mine, path)) return () => release(path, mine);
    const found = readLock(path);
    if (found === undefined) continue; // given back meanwhile
    const owner = parseOwner(found);
    if (owner !== undefined && isAlive(owner)) throw lockedBy(folder, owner);
    removeStale(path, found);
  }
  throw new CodedError('store_locked', `store folder ${folder}: other processes keep taking ${LOCK_FILE}`);
}

function claim(owner: string, path: string): boolean {
  try {
    symlinkSync(owner, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removing by name could hit a lock that was renewed since it was read; renaming first shows what was taken away. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return; // another process was quicker
    throw error;
  }
  const taken = readLock(aside) ?? '';
  if (taken !== stale && taken !== '') claim(taken, path); // not stale after all: put it back
  rmSync(aside, { force: true });
}

function release(path: string, mine: string): void {
  if (readLock(path) === mine) rmSync(path, { force: true });
}

/** Whose lock it is; undefined where there is none, empty for what is not a link: nobody's. */
function readLock(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (errorCode(error) === 'EINVAL') return '';
    throw error;
  }
}

function self(): Owner {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: bootId(),
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

/** 22 characters for the 128 bits of the kernel's own. */
function bootId(): string {
  const hex = readIfThere('/proc/sys/kernel/random/boot_id')?.replace(/[^0-9a-f]/g, '') ?? '';
  return Buffer.from(hex, 'hex').toString('base64url');
}

/** The number in `pid:[4026531836]`. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return '';
  }
}

function formatOwner({ pid, started, boot, pidNamespace }: Owner): string {
  return [pid, started, boot, pidNamespace].join('.');
}

const OWNER = /^([1-9]\d{0,9})\.(\d*)\.([\w-]*)\.(\d*)$/;

/** undefined for what is not a lock: nobody can be using it. */
function parseOwner(text: string): Owner | undefined {
  const [, pid, started = '', boot = '', pidNamespace = ''] = OWNER.exec(text) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), started, boot, pidNamespace };
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
