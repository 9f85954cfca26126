// writes.ts -- how every command writes: in its turn, again when another node was faster, and with its author noted
//
// The store delivers a batch without saying who asked for it. Of each key at most one write of this node is under way
// at a time, so that its author can be found by the key.

import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '../base/errors.ts';
import type { Author } from './author.ts';
import type { Mutation, Precondition, Store } from './store.ts';
import { Turns } from './turns.ts';

/** A write that lost against another node's tries again with what the other wrote. */
const MAX_ATTEMPTS = 8;

export class Writes {
  readonly turns = new Turns();
  readonly #store: Store;
  readonly #fence: (() => Precondition) | undefined;
  readonly #onConflict: (keys: readonly string[]) => void;
  readonly #authors = new Map<string, { readonly by: Author; readonly value: unknown }>();
  #stopped = false;

  /**
   * `fence`: what writes are conditioned on that only one node may make. `onConflict` hears of which keys an attempt was
   * that is made again.
   */
  constructor(store: Store, fence?: () => Precondition, onConflict: (keys: readonly string[]) => void = () => {}) {
    this.#store = store;
    this.#fence = fence;
    this.#onConflict = onConflict;
  }

  /** Who writes this to the key at the moment; undefined: nobody here. */
  authorOf(key: string, value: unknown): Author | undefined {
    const written = this.#authors.get(key);
    return written !== undefined && isDeepStrictEqual(written.value, value) ? written.by : undefined;
  }

  /**
   * Commit in a turn that was taken; resolves with the revision. Throws CodedError `stopping`, `not_elected` or as the
   * store does.
   */
  async commit(
    mutations: readonly Mutation[],
    preconditions: readonly Precondition[],
    by: Author | undefined,
  ): Promise<number> {
    if (this.#stopped) throw new CodedError('stopping', 'the server is stopping');
    const isFenced = this.#fence !== undefined && (by?.kind === 'steps' || by?.kind === 'schedule');
    const conditions = isFenced ? [...preconditions, this.#fence()] : preconditions;
    if (by !== undefined) for (const { key, value } of mutations) this.#authors.set(key, { by, value });
    try {
      return await this.#store.commit(mutations, conditions);
    } finally {
      if (by !== undefined) for (const { key } of mutations) this.#authors.delete(key);
    }
  }

  /** Run an attempt in the turn of all these keys, again when another node was faster. */
  async inTurn<T>(keys: readonly string[], attempt: () => Promise<T>): Promise<T> {
    return await this.turns.takeAll(keys, async () => {
      for (let tries = 1; ; tries++) {
        try {
          return await attempt();
        } catch (error) {
          if (!(error instanceof CodedError && error.code === 'conflict') || tries >= MAX_ATTEMPTS) throw error;
          this.#onConflict(keys);
        }
      }
    });
  }

  /** Refuse commits from now on. */
  stop(): void {
    this.#stopped = true;
  }
}
