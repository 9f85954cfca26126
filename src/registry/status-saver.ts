// status-saver.ts -- writes check outcomes behind the answers' back: many changes, one commit at a time
//
// Health must not wait for a disk, and a disk that fails must not stop health. So outcomes take effect in memory first
// and are stored after; what could not be stored is tried again.

import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Roster } from './roster.ts';
import type { Mutation, Store } from './store.ts';
import { type StoredStatus, storedKey } from './stored.ts';

const RETRY_MS = 1000;

/** Keeps `status/<id>` up to date with the roster. */
export class StatusSaver {
  readonly #store: Store;
  readonly #roster: Roster;
  readonly #clock: Clock;
  readonly #log: Logger;
  #dirty = new Set<string>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;

  constructor(store: Store, roster: Roster, clock: Clock, log: Logger) {
    this.#store = store;
    this.#roster = roster;
    this.#clock = clock;
    this.#log = log;
  }

  /** The outcome of a check of this instance changed. */
  mark(id: string): void {
    this.#dirty.add(id);
    if (this.#running === undefined && this.#retry === undefined) this.#start();
  }

  /** Resolves when everything marked so far is stored, or storing it has failed. */
  async flush(): Promise<void> {
    if (this.#dirty.size > 0 && this.#running === undefined) this.#start();
    while (this.#running !== undefined) await this.#running;
  }

  stop(): void {
    this.#retry?.cancel();
  }

  #start(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#dirty.size > 0) {
      const ids = this.#dirty;
      this.#dirty = new Set();
      try {
        const mutations = [...ids].map((id) => this.#mutation(id)).filter((each) => each !== undefined);
        if (mutations.length > 0) await this.#store.commit(mutations);
      } catch (error) {
        this.#log.warn({ err: error, instances: ids.size }, 'health outcomes could not be stored; will try again');
        for (const id of ids) this.#dirty.add(id);
        this.#retry = this.#clock.after(RETRY_MS, () => this.#start());
        return;
      }
    }
  }

  #mutation(id: string): Mutation | undefined {
    const state = this.#roster.instance(id);
    if (state === undefined || state.isStatic) return undefined;
    const checks: StoredStatus['checks'] = Object.fromEntries(
      Object.entries(state.checks).flatMap(([checkId, { outcome, output, sinceMs }]) =>
        outcome === undefined ? [] : [[checkId, { outcome, output, sinceMs }]],
      ),
    );
    return { key: storedKey('status', id), value: { checks } satisfies StoredStatus };
  }
}
