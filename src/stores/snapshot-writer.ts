// snapshot-writer.ts -- keeps the snapshot of a store recent: in the background after changes, and at the end

import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { requireFreeOctets } from './free-space.ts';
import type { LmdbFile } from './lmdb-file.ts';
import { type SnapshotRecord, writeSnapshot } from './snapshot-file.ts';

/** How often snapshots are written. */
export interface SnapshotTimes {
  /** From a change to the snapshot that holds it, when there was none for long: more changes may come along. */
  readonly settleMs: number;
  /** From one snapshot to the next. A store so large that a snapshot takes long waits for 20 times as long. */
  readonly intervalMs: number;
}

export const SNAPSHOT_TIMES: SnapshotTimes = { settleMs: 5_000, intervalMs: 60_000 };

const SHARE = 20;
/** Records read in one turn of the event loop: 2 ms or so. */
const CHUNK = 500;

export interface SnapshotWriterOptions {
  readonly folder: string;
  readonly log: Logger;
  readonly times: SnapshotTimes;
  /** The open store; undefined while it is not to be trusted. */
  readonly file: () => LmdbFile | undefined;
}

export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Raised to end the snapshot that is being written. */
  #abort = false;
  #isDue = false;
  #notBeforeMs = 0;
  #octets = 0;

  constructor(options: SnapshotWriterOptions) {
    this.#options = options;
  }

  /** Something changed. */
  note(): void {
    this.#isDue = true;
    if (this.#timer !== undefined || this.#running !== undefined) return;
    const { settleMs } = this.#options.times;
    const delayMs = Math.max(settleMs, this.#notBeforeMs - performance.now());
    // A server that stops writes a snapshot anyway; the timer need not keep it alive.
    this.#timer = setTimeout(() => this.#start(), delayMs).unref();
  }

  /** Write what is not in a snapshot yet; resolves when it is, or cannot be. Nothing is written after it. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    clearTimeout(this.#timer);
    if (this.#isDue) await this.#write();
  }

  /** End the snapshot that is being written, without it: the file it reads from is about to be closed. */
  async giveUp(): Promise<void> {
    this.#abort = true;
    await this.#running;
    this.#abort = false;
  }

  #start(): void {
    this.#timer = undefined;
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
      if (this.#isDue) this.note();
    });
  }

  async #write(): Promise<void> {
    const { folder, log, times, file: current } = this.#options;
    const file = current();
    if (file === undefined) return;
    const startedMs = performance.now();
    this.#isDue = false;
    try {
      // Twice the last one's size: the disk must not be filled by what is to save it.
      await requireFreeOctets(folder, 2 * this.#octets);
      if (current() !== file || this.#abort) throw new Error('the store was closed meanwhile');
      const { octets, revision } = await file.readConsistently(async (meta, records) => {
        const written = await writeSnapshot(folder, meta, this.#chunks(records));
        return { ...written, revision: meta.revision };
      });
      this.#octets = octets;
      log.debug({ revision, octets, ms: Math.round(performance.now() - startedMs) }, 'snapshot written');
    } catch (error) {
      this.#isDue = true;
      log.warn({ reason: errorMessage(error) }, 'no snapshot of the store was written; the one before stays');
    }
    const tookMs = performance.now() - startedMs;
    this.#notBeforeMs = performance.now() + Math.max(times.intervalMs, SHARE * tookMs);
  }

  async *#chunks(records: Iterator<SnapshotRecord>): AsyncGenerator<readonly SnapshotRecord[]> {
    for (;;) {
      const chunk: SnapshotRecord[] = [];
      while (chunk.length < CHUNK) {
        const { done, value } = records.next();
        if (done) break;
        chunk.push(value);
      }
      if (chunk.length === 0) return;
      yield chunk;
      await nextTurn();
      if (this.#abort) throw new Error('the store was closed meanwhile');
    }
  }
}
