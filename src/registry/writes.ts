// writes.ts -- how every command writes: in its turn, again when another node was faster, and with its author noted
//
// The store delivers a batch without saying who asked for it. Of each key at most one write of this node is under way
// at a time, so that its author can be found by the key.

import { CodedError } from '../base/errors.ts';
import type { Author } from './author.ts';
import type { Mutation, Precondition, Store } from './store.ts';
import { Turns } from './turns.ts';

/** A write that lost against another node's tries again with what the other wrote. */
const MAX_ATTEMPTS = 8;

export class Writes {
  readonly turns = new Turns();
  readonly #store: Store;
  readonly #authors = new Map<string, Author>();
  #stopped = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Who writes this key at the moment; undefined: nobody here. */
  authorOf(key: string): Author | undefined {
    return this.#authors.get(key);
  }

  /** Commit in a turn that was taken; resolves with the revision. Throws CodedError `stopping` or as the store does. */
  async commit(
    mutations: readonly Mutation[],
    preconditions: readonly Precondition[],
    by: Author | undefined,
  ): Promise<number> {
    if (this.#stopped) throw new CodedError('stopping', 'the server is stopping');
    if (by !== undefined) for (const { key } of mutations) this.#authors.set(key, by);
    try {
      return await this.#store.commit(mutations, preconditions);
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
        }
      }
    });
  }

  /** Refuse commits from now on. */
  stop(): void {
    this.#stopped = true;
  }
}
