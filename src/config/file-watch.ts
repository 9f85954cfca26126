// file-watch.ts -- tells when one of a set of files changed
//
// Folders are watched, not files: editors and deployment tools replace a file by renaming another over it, and a watch
// on the old one would never fire again.

import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** A burst of writes counts as one change. */
const SETTLE_MS = 200;
/** Kubernetes puts another link in its place, and all files of a volume are others. */
const VOLUME_LINK = '..data';

export interface FileWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: () => void;
}

interface WatchedFolder {
  readonly watcher: FSWatcher;
  /** Another one may have its name by now. */
  readonly inode: number;
  concerns: (name: string) => boolean;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #folders = new Map<string, WatchedFolder>();
  #settling: Timer | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /**
   * Watch these files, and every `*.zone` in these folders, instead of what was watched before. Folders that were watched
   * before go on being so: no change is missed in between.
   */
  follow(files: readonly string[], folders: readonly string[]): void {
    const names = new Map<string, Set<string>>();
    for (const file of files) {
      const folder = dirname(file);
      names.set(folder, (names.get(folder) ?? new Set()).add(basename(file)));
    }
    const wanted = new Set([...names.keys(), ...folders]);
    for (const folder of this.#folders.keys()) if (!wanted.has(folder)) this.#leave(folder);
    for (const folder of wanted) {
      const isZoneFolder = folders.includes(folder);
      const concerns = (name: string): boolean =>
        names.get(folder)?.has(name) || name === VOLUME_LINK || (isZoneFolder && name.endsWith('.zone')) || false;
      this.#watchFolder(folder, concerns);
    }
  }

  stop(): void {
    this.#settling?.cancel();
    for (const folder of this.#folders.keys()) this.#leave(folder);
  }

  #leave(folder: string): void {
    this.#folders.get(folder)?.watcher.close();
    this.#folders.delete(folder);
  }

  #watchFolder(folder: string, concerns: (name: string) => boolean): void {
    try {
      const inode = statSync(folder).ino;
      const known = this.#folders.get(folder);
      if (known?.inode === inode) {
        known.concerns = concerns;
        return;
      }
      this.#leave(folder);
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || this.#folders.get(folder)?.concerns(name)) this.#changed();
      });
      watcher.on('error', (error) => {
        this.#options.log.warn({ err: error, folder }, 'folder can no longer be watched');
        watcher.close();
        if (this.#folders.get(folder)?.watcher === watcher) this.#folders.delete(folder);
      });
      this.#folders.set(folder, { watcher, inode, concerns });
    } catch (error) {
      this.#options.log.debug({ err: error, folder }, 'folder cannot be watched');
    }
  }

  #changed(): void {
    this.#settling?.cancel();
    this.#settling = this.#options.clock.after(SETTLE_MS, this.#options.onChange);
  }
}
