// status-saver.ts -- writes check outcomes behind the answers' back: many changes, one commit at a time
//
// Health must not wait for a disk, and a disk that fails must not stop health. So outcomes take effect in memory first
// and are stored after; what could not be stored is tried again.

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { InstanceState } from './instance.ts';
import type { Roster } from './roster.ts';
import type { Mutation, Store } from './store.ts';
import { type StoredStatus, storedKey } from './stored.ts';

const RETRY_MS = 1000;
/** What a store in etcd may take at once is bounded, and a conflict concerns fewer. */
const MAX_BATCH = 1_000;
/** Registrations may change while their outcomes are on the way to the store, but not for ever. */
const MAX_CONFLICTS = 8;

/** Keeps `status/<id>` up to date with the roster. */
export class StatusSaver {
  readonly #store: Store;
  readonly #roster: Roster;
  readonly #clock: Clock;
  readonly #log: Logger;
  #dirty = new Set<string>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #conflicts = 0;
  #stopped = false;

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

  /** Store nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  #start(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#stopped) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      // Marked after the last look and before now.
      if (this.#dirty.size > 0 && this.#retry === undefined) this.#start();
    });
  }

  async #drain(): Promise<void> {
    while (this.#dirty.size > 0) {
      const ids = new Set([...this.#dirty].slice(0, MAX_BATCH));
      for (const id of ids) this.#dirty.delete(id);
      try {
        await this.#save(ids);
        this.#conflicts = 0;
      } catch (error) {
        for (const id of ids) this.#dirty.add(id);
        const isConflict = error instanceof CodedError && error.code === 'conflict';
        if (isConflict && ++this.#conflicts < MAX_CONFLICTS) continue;
        this.#conflicts = 0;
        this.#log.warn({ err: error, instances: ids.size }, 'health outcomes could not be stored; will try again');
        this.#retry = this.#clock.after(RETRY_MS, () => this.#start());
        return;
      }
    }
  }

  async #save(ids: ReadonlySet<string>): Promise<void> {
    const states = [...ids]
      .map((id) => this.#roster.instance(id))
      .filter((state) => state !== undefined)
      .filter((state) => !state.isStatic);
    if (states.length === 0) return;
    // Not when the instance went or changed meanwhile: nobody would remove an outcome that outlives its instance.
    const preconditions = states.map(({ instance, revision }) => ({
      key: storedKey('instance', instance.id),
      revision,
    }));
    await this.#store.commit(states.map(statusMutation), preconditions);
  }
}

function statusMutation({ instance, checks: states, lastAnswerableMs }: InstanceState): Mutation {
  const checks: StoredStatus['checks'] = Object.fromEntries(
    Object.entries(states).flatMap(([checkId, { outcome, output, sinceMs, neutral, latencyMs, isRestored }]) => {
      // Neither is an `initial` that nothing has confirmed: it comes from the registration again.
      const isKnown = neutral || isRestored || (outcome !== undefined && latencyMs !== undefined);
      return isKnown ? [[checkId, { outcome: outcome ?? null, output, sinceMs }]] : [];
    }),
  );
  const value: StoredStatus = lastAnswerableMs === undefined ? { checks } : { checks, lastAnswerableMs };
  return { key: storedKey('status', instance.id), value };
}
