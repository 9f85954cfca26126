// free-space.ts -- asks for room on the disk before something is written to it
//
// lmdb-js 3.5 writes its error message past the end of a 100-octet buffer when a page cannot be written
// (mdb_page_flush), which ends the process: a full disk has to be noticed before.

import type { Buffer } from 'node:buffer';
import { statfs } from 'node:fs/promises';
import { CodedError, errorMessage } from '../base/errors.ts';

/** Space that must stay free on the disk; other programs may fill it between the question and the write. */
const RESERVE_OCTETS = 16 * 2 ** 20;
/** Pages that one changed record may cost: the path from the root to its leaf is copied, and pages may split. */
const OCTETS_PER_CHANGE = 8 * 4096;

/** Throws `store_unavailable` when the disk of `folder` may not have room for `changes` and the reserve. */
export async function requireFreeSpace(
  folder: string,
  changes: ReadonlyMap<string, Buffer | undefined> = new Map(),
): Promise<void> {
  let needed = 0;
  for (const octets of changes.values()) needed += OCTETS_PER_CHANGE + (octets?.length ?? 0);
  await requireFreeOctets(folder, needed);
}

/** Throws `store_unavailable` when the disk of `folder` may not have room for so many octets and the reserve. */
export async function requireFreeOctets(folder: string, octets: number): Promise<void> {
  const needed = octets + RESERVE_OCTETS;
  let free: number;
  try {
    const { bavail, bsize } = await statfs(folder);
    free = bavail * bsize;
  } catch (error) {
    throw new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${errorMessage(error)}`);
  }
  if (free >= needed) return;
  const numbers = `${free} bytes are free on its disk, ${needed} are needed`;
  throw new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${numbers}`);
}
