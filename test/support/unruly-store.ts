// unruly-store.ts -- a store whose commits a test can hold back or make fail

import { CodedError } from '../../src/base/errors.ts';
import type { CommittedBatch, Mutation, Precondition, Store, StoreSnapshot } from '../../src/registry/store.ts';

/** Passes everything on to another store, unless told otherwise. */
export class UnrulyStore implements Store {
  readonly kind = 'unruly';
  readonly #inner: Store;
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  /** Commits fail with `store_unavailable`. */
  failing = false;
  /** Keys of each batch asked for, in order. */
  readonly asked: string[][] = [];

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Hold back commits asked for from now on; call the result to let them go on. */
  hold(): () => void {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = { opened, open };
    return () => {
      this.#gate = undefined;
      open();
    };
  }

  load(): Promise<StoreSnapshot> {
    return this.#inner.load();
  }

  async commit(mutations: readonly Mutation[], preconditions?: readonly Precondition[]): Promise<number> {
    this.asked.push(mutations.map(({ key }) => key));
    await this.#gate?.opened;
    if (this.failing) throw new CodedError('store_unavailable', 'the test wants it so');
    return this.#inner.commit(mutations, preconditions);
  }

  watch(listener: (batch: CommittedBatch) => void): () => void {
    return this.#inner.watch(listener);
  }

  isUp(): boolean {
    return !this.failing;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
