// file-watch.ts -- tells when one of a set of files changed
//
// Folders are watched, not files: editors and deployment tools replace a file by renaming another over it, and a watch
// on the old one would never fire again.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** A burst of writes counts as one change. */
const SETTLE_MS = 200;

export interface FileWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: () => void;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  #watchers: FSWatcher[] = [];
  #settling: Timer | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** Watch these files, and every `*.zone` in these folders, instead of what was watched before. */
  follow(files: readonly string[], folders: readonly string[]): void {
    this.stop();
    const names = new Map<string, Set<string>>();
    for (const file of files) {
      const folder = dirname(file);
      names.set(folder, (names.get(folder) ?? new Set()).add(basename(file)));
    }
    for (const folder of new Set([...names.keys(), ...folders])) {
      const isZoneFolder = folders.includes(folder);
      this.#watchFolder(
        folder,
        (name) => names.get(folder)?.has(name) || (isZoneFolder && name.endsWith('.zone')) || false,
      );
    }
  }

  stop(): void {
    this.#settling?.cancel();
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watchFolder(folder: string, concerns: (name: string) => boolean): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || concerns(name)) this.#changed();
      });
      watcher.on('error', (error) => this.#options.log.warn({ err: error, folder }, 'folder can no longer be watched'));
      this.#watchers.push(watcher);
    } catch (error) {
      this.#options.log.debug({ err: error, folder }, 'folder cannot be watched');
    }
  }

  #changed(): void {
    this.#settling?.cancel();
    this.#settling = this.#options.clock.after(SETTLE_MS, this.#options.onChange);
  }
}
