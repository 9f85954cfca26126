// durable-copy.ts -- files put beside others so that they are there after a power cut

import { copyFile, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './snapshot-file.ts';

/** Copy a file; the copy appears under its name when all of it is on disk. Replaces what has that name. */
export async function copyFileDurably(from: string, to: string): Promise<void> {
  const draft = `${to}.draft`;
  await copyFile(from, draft);
  await syncFile(draft);
  await rename(draft, to);
  await syncFolder(dirname(to));
}

/** Bring the contents of a file to the disk. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
