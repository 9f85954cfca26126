// store-copy.ts -- a copy of a remote store's records in a local one, written behind

import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Mutation, Store, StoreRecord } from '../registry/store.ts';

const PREFIX = 'copy/';
/** Who is there now is no news of yesterday. */
const FLEETING = ['member/', 'election/'];
const MAX_BATCH = 1_000;
const RETRY_MS = 1_000;

/** What a local record is a copy of; undefined: of nothing. */
export function copied({ key, value }: StoreRecord): StoreRecord | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const { revision, value: original } = value as { revision: number; value: unknown };
  return Object.freeze({ key: key.slice(PREFIX.length), value: original, revision });
}

export class StoreCopy {
  readonly #local: Store;
  readonly #log: Logger;
  #waiting = new Map<string, StoreRecord | undefined>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #isFailing = false;

  constructor(local: Store, log: Logger) {
    this.#local = local;
    this.#log = log;
  }

  /** The key is to be this; undefined: not there. */
  note(key: string, record: StoreRecord | undefined): void {
    if (FLEETING.some((prefix) => key.startsWith(prefix))) return;
    this.#waiting.set(key, record);
    this.#start();
  }

  /** Write what is waiting, and nothing after that. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#start();
    this.#stopped = true;
    await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined || this.#timer !== undefined || this.#stopped) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    // Those of one turn go together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, MAX_BATCH);
      const mutations = batch.map(([key, record]): Mutation => {
        const value = record === undefined ? undefined : { revision: record.revision, value: record.value };
        return { key: PREFIX + key, value };
      });
      try {
        await this.#local.commit(mutations);
      } catch (error) {
        if (!this.#isFailing)
          this.#log.warn({ reason: errorMessage(error) }, 'the copy of the store cannot be written');
        this.#isFailing = true;
        if (this.#stopped) return;
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#start();
        }, RETRY_MS).unref();
        return;
      }
      this.#isFailing = false;
      for (const [key, record] of batch) if (this.#waiting.get(key) === record) this.#waiting.delete(key);
    }
  }
}
