// lease-saver.ts -- stores once a second how far leases have come, in one batch
//
// Heartbeats do not wait for a disk. What is stored is when leases end, and how far their time has come. That time is
// stored ahead of itself: up to where the next batch will find it. So what a server that is killed again and again was
// up for is never forgotten, and a lease whose instance is silent ends however often it is.

import type { Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { LeaseClock } from './lease-clock.ts';
import { PAGES, packLeases, pageOf, type SavedLease } from './lease-pages.ts';
import type { Mutation, Store } from './store.ts';
import { type StoredLeaseClock, type StoredLeases, storedKey } from './stored.ts';

/** The longest time between two batches. */
export const SAVE_EVERY_MS = 1000;
/** The first batches come sooner, so that a server that ends soon is not charged for a second that it was not up. */
const FIRST_SAVE_MS = 50;

export interface LeaseSaverOptions {
  readonly store: Store;
  readonly time: LeaseClock;
  readonly log: Logger;
}

/** Keeps `leases/<page>` and `lease-clock/up` up to date. */
export class LeaseSaver {
  readonly #store: Store;
  readonly #time: LeaseClock;
  readonly #log: Logger;
  readonly #pages: readonly Map<string, SavedLease>[] = Array.from({ length: PAGES }, () => new Map());
  #dirty = new Set<number>();
  #count = 0;
  #openedAtMs = 0;
  /** Something of ours is in the store, or may be. */
  #hasStored = false;
  #timer: Timer | undefined;
  #saving: Promise<void> | undefined;
  #isFailing = false;
  #state: 'restoring' | 'open' | 'stopped' = 'restoring';

  constructor({ store, time, log }: LeaseSaverOptions) {
    this.#store = store;
    this.#time = time;
    this.#log = log;
  }

  /** The lease was renewed. */
  keep(id: string, lease: SavedLease): void {
    const page = pageOf(id);
    this.#dirty.add(page);
    this.#put(page, id, lease);
  }

  /** The lease is as the store has it. */
  keepAsStored(id: string, lease: SavedLease): void {
    this.#put(pageOf(id), id, lease);
  }

  /** The lease is no more, or never was. */
  forget(id: string): void {
    const page = pageOf(id);
    if (!this.#pages[page]!.delete(id)) return;
    this.#dirty.add(page);
    if (--this.#count === 0) this.#time.unwatch();
    this.#arm();
  }

  /** Something was found in the store that is of no use: write the page anew. */
  discard(page: number): void {
    this.#dirty.add(page);
  }

  /** The store holds something of an earlier start. */
  noteStored(): void {
    this.#hasStored = true;
  }

  /** All that was stored has been seen: store what this start makes of it, before its time begins to run. */
  async begin(): Promise<void> {
    if (this.#count > 0 || this.#hasStored) await this.#save(FIRST_SAVE_MS);
  }

  /** The time of the leases runs from now on. */
  open(): void {
    this.#state = 'open';
    this.#openedAtMs = this.#time.monotonicMs();
    this.#arm();
  }

  /** Store the last state, and nothing after that. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#time.unwatch();
    while (this.#saving !== undefined) await this.#saving;
    if (wasOpen && (this.#count > 0 || this.#hasStored || this.#dirty.size > 0)) await this.#save(0);
  }

  #put(page: number, id: string, lease: SavedLease): void {
    const leases = this.#pages[page]!;
    if (!leases.has(id) && this.#count++ === 0) this.#time.watch();
    leases.set(id, lease);
    if (this.#timer === undefined) this.#arm();
  }

  /** Twice as long as the server has been up, at most: what is charged in advance is never more than what was used. */
  #stepMs(): number {
    const upMs = this.#time.monotonicMs() - this.#openedAtMs;
    return Math.min(SAVE_EVERY_MS, Math.max(FIRST_SAVE_MS, upMs));
  }

  #arm(): void {
    if (this.#state !== 'open' || this.#timer !== undefined) return;
    if (this.#count === 0 && this.#dirty.size === 0) return;
    this.#timer = this.#time.after(this.#stepMs(), () => {
      this.#timer = undefined;
      // A disk that is slower than that gets its next batch when it is done with this one.
      if (this.#saving === undefined) void this.#save(this.#stepMs());
      this.#arm();
    });
  }

  /** Store what changed. `aheadMs`: until when the next batch may take. Never rejects: no lease may depend on a disk. */
  #save(aheadMs: number): Promise<void> {
    this.#saving = this.#saveOnce(aheadMs).finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #saveOnce(aheadMs: number): Promise<void> {
    const pages = this.#dirty;
    this.#dirty = new Set();
    const isIdle = this.#count === 0;
    const upMs = Math.ceil(this.#time.monotonicMs() + aheadMs);
    const clock: StoredLeaseClock | undefined = isIdle ? undefined : { upMs };
    const mutations: Mutation[] = [{ key: storedKey('lease-clock', 'up'), value: clock }];
    for (const page of pages) mutations.push(this.#pageMutation(page));
    try {
      this.#hasStored = true;
      await this.#store.commit(mutations);
      this.#hasStored = !isIdle || this.#count > 0;
      if (this.#isFailing) this.#log.info('leases are stored again');
      this.#isFailing = false;
    } catch (error) {
      for (const page of pages) this.#dirty.add(page);
      if (!this.#isFailing) this.#log.warn({ reason: errorMessage(error) }, 'leases run on, but cannot be stored');
      this.#isFailing = true;
    }
  }

  #pageMutation(page: number): Mutation {
    const leases = this.#pages[page]!;
    const value: StoredLeases | undefined = leases.size === 0 ? undefined : { leases: packLeases(leases) };
    return { key: storedKey('leases', String(page)), value };
  }
}
