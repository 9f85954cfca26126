// vantage-saver.ts -- tells the other nodes what checks come to here: behind, many at a time, and only what is another

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Mutation, Precondition, Store } from '../registry/store.ts';
import { type StoredVantage, storedKey } from '../registry/stored.ts';

/** Bounds what one conflict makes of others' writes, and how long one commit holds up etcd. */
const MAX_BATCH = 1_000;
const RETRY_MS = 1_000;
/** Until what another node wrote has been told here too; trying sooner would only burden etcd. */
const CONFLICT_RETRY_MS = 100;

export interface VantageSaverOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: string;
  readonly instance: (id: string) => InstanceState | undefined;
  /** What to store of an instance; undefined: nothing is to be there. */
  readonly vantage: (instanceId: string) => StoredVantage | undefined;
}

/** Keeps `vantage/<id>/<node>` as `vantage` says. */
export class VantageSaver {
  readonly #options: VantageSaverOptions;
  #dirty = new Set<string>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(options: VantageSaverOptions) {
    this.#options = options;
  }

  /** This node's opinion of the instance is another. */
  mark(instanceId: string): void {
    this.#dirty.add(instanceId);
    this.#start();
  }

  /** Nothing is stored any more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#running;
  }

  #start(): void {
    if (this.#stopped || this.#running !== undefined || this.#retry !== undefined) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      if (this.#dirty.size > 0) this.#start();
    });
  }

  async #drain(): Promise<void> {
    // Those of one turn go together.
    await Promise.resolve();
    while (this.#dirty.size > 0 && !this.#stopped) {
      const ids = [...this.#dirty].slice(0, MAX_BATCH);
      for (const id of ids) this.#dirty.delete(id);
      try {
        await this.#save(ids);
      } catch (error) {
        for (const id of ids) this.#dirty.add(id);
        const isConflict = error instanceof CodedError && error.code === 'conflict';
        const { clock, log } = this.#options;
        if (!isConflict) log.debug({ reason: errorMessage(error) }, 'other nodes could not be told of health yet');
        this.#retry = clock.after(isConflict ? CONFLICT_RETRY_MS : RETRY_MS, () => {
          this.#retry = undefined;
          this.#start();
        });
        return;
      }
    }
  }

  async #save(ids: readonly string[]): Promise<void> {
    const { store, node, instance, vantage } = this.#options;
    const mutations: Mutation[] = [];
    const preconditions: Precondition[] = [];
    for (const id of ids) {
      const state = instance(id);
      if (state === undefined || state.isStatic) continue;
      // Not when it went or changed meanwhile: the opinion is of it as it is known here.
      preconditions.push({ key: storedKey('instance', id), revision: state.revision });
      mutations.push({ key: storedKey('vantage', `${id}/${node}`), value: vantage(id) });
    }
    if (mutations.length > 0) await store.commit(mutations, preconditions);
  }
}
