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
/** Where so much is free, that is believed for a while: nobody fills it so fast, and asking costs as much as a small write. */
const PLENTY_OCTETS = 2 ** 30;
const BELIEVED_MS = 250;

/** Asks about the disk of one folder, before each write. */
export class FreeSpace {
  readonly #folder: string;
  #plentyUntilMs = Number.NEGATIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Throws `store_unavailable` when the disk may not have room for `changes` and the reserve. */
  async require(changes: ReadonlyMap<string, Buffer | undefined> = new Map()): Promise<void> {
    const nowMs = performance.now();
    if (nowMs < this.#plentyUntilMs) return;
    let needed = 0;
    for (const octets of changes.values()) needed += OCTETS_PER_CHANGE + (octets?.length ?? 0);
    const free = await requireFreeOctets(this.#folder, needed);
    if (free >= PLENTY_OCTETS) this.#plentyUntilMs = nowMs + BELIEVED_MS;
  }
}

/**
 * How many octets are free on the disk of `folder`. Throws `store_unavailable` when it may not have room for so many
 * octets and the reserve.
 */
export async function requireFreeOctets(folder: string, octets: number): Promise<number> {
  const needed = octets + RESERVE_OCTETS;
  let free: number;
  try {
    const { bavail, bsize } = await statfs(folder);
    free = bavail * bsize;
  } catch (error) {
    throw new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${errorMessage(error)}`);
  }
  if (free >= needed) return free;
  const numbers = `${free} bytes are free on its disk, ${needed} are needed`;
  throw new CodedError('store_unavailable', `cannot write to store folder ${folder}: ${numbers}`);
}
