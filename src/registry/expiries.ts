// expiries.ts -- what went by itself in a store of several nodes is believed a moment later, or put there again
//
// A store may let keys go too early: a leader of etcd that was held up takes leases back that were renewed at its
// successor (etcd before 3.5.13), and nothing could be renewed while all of etcd stood still. Whichever node heard of the
// owner within its time puts the key there again; the others wait for that, so that nobody goes who is there.

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CommittedBatch } from './store.ts';
import { readStored, storedKey } from './stored.ts';

/** With the second that keys live longer, and etcd's own half, within the 5 s in which a lease is promised to be gone. */
const HOLD_MS = 1_500;

/** Of one kind of keys. */
interface Owners {
  /** Was the owner of this heard of here within its time? */
  isHeard(id: string): boolean;
}

export interface ExpiriesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly owners: { readonly instance: Owners; readonly beat: (Owners & { putAgain(id: string): void }) | undefined };
  /** Put an instance there again that is not. Rejects as a store's `commit` does. */
  readonly putAgain: (id: string) => Promise<void>;
  /** The rest of the registry takes over what the store tells. */
  readonly apply: (batch: CommittedBatch) => void;
}

interface Held {
  readonly kind: 'instance' | 'beat';
  readonly id: string;
  readonly batch: CommittedBatch;
  timer: Timer;
  isBeingPut: boolean;
  /** The store was away when it was to be put there again. */
  isOwed: boolean;
}

export class Expiries {
  readonly #options: ExpiriesOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: ExpiriesOptions) {
    this.#options = options;
  }

  /** What the store tells, in its order but for keys that are waited for. */
  take(batch: CommittedBatch): void {
    if (batch.isExpiry !== true) {
      // Written since: what ran out is the past.
      if (this.#held.size > 0) for (const { key } of batch.mutations) this.#forget(key);
      this.#options.apply(batch);
      return;
    }
    const others = batch.mutations.filter(({ key }) => !this.#hold(key, batch.revision));
    if (others.length > 0) this.#options.apply({ ...batch, mutations: others });
  }

  /** Its owner was heard of just now. */
  heard(key: string): void {
    if (this.#held.size === 0) return;
    const held = this.#held.get(key);
    if (held !== undefined) void this.#putAgain(held);
  }

  /** Wait no longer for these instances: they are gone. */
  settle(ids: readonly string[]): void {
    if (this.#held.size === 0) return;
    for (const id of ids) {
      const key = storedKey('instance', id);
      const held = this.#held.get(key);
      this.#forget(key);
      if (held !== undefined) this.#options.apply(held.batch);
    }
  }

  stop(): void {
    for (const key of this.#held.keys()) this.#forget(key);
  }

  #hold(key: string, revision: number): boolean {
    const { kind, id } = readStored(key, undefined) ?? {};
    if (id === undefined || (kind !== 'instance' && kind !== 'beat')) return false;
    this.#forget(key);
    const batch = { revision, mutations: [{ key, value: undefined }], isExpiry: true };
    const held = {
      kind,
      id,
      batch,
      timer: this.#options.clock.after(HOLD_MS, () => this.#end(key)),
      isBeingPut: false,
      isOwed: false,
    };
    this.#held.set(key, held);
    if (this.#isHeard(held)) void this.#putAgain(held);
    return true;
  }

  #isHeard({ kind, id }: Held): boolean {
    return this.#options.owners[kind]?.isHeard(id) === true;
  }

  async #putAgain(held: Held): Promise<void> {
    if (held.isBeingPut) return;
    held.isBeingPut = true;
    const { log, owners, putAgain } = this.#options;
    const { kind, id } = held;
    try {
      if (kind === 'instance') await putAgain(id);
      else owners.beat?.putAgain(id);
      held.isOwed = false;
    } catch (error) {
      // Or somebody else was faster: what the store tells then holds.
      held.isOwed = error instanceof CodedError && error.code === 'store_unavailable';
      log.debug({ kind, id, reason: errorMessage(error) }, 'what ran out too early could not be put there again');
    } finally {
      held.isBeingPut = false;
    }
  }

  #end(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    if ((held.isBeingPut || held.isOwed) && this.#isHeard(held)) {
      held.timer = this.#options.clock.after(HOLD_MS, () => this.#end(key));
      void this.#putAgain(held);
      return;
    }
    this.#forget(key);
    this.#options.apply(held.batch);
  }

  #forget(key: string): void {
    this.#held.get(key)?.timer.cancel();
    this.#held.delete(key);
  }
}
