// election.ts -- one node at a time does what only one may do, and what it writes says by which right
//
// The elected node holds a key that goes when it is not renewed. Its writes are conditioned on that key as it was written:
// a node that was frozen, and replaced, may still think that it is elected, but cannot write.

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Precondition, SharedStore, Store } from '../registry/store.ts';
import { type StoredElection, storedKey } from '../registry/stored.ts';
import { MEMBER_TTL_MS, RENEW_MS } from './members.ts';

const KEY = storedKey('election', 'duties');
/** Belief ends before the key may. */
const BELIEF_MS = MEMBER_TTL_MS - RENEW_MS;

export interface ElectionOptions {
  readonly store: Store;
  readonly shared: SharedStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells this run of the node from others. */
  readonly run: string;
  /** This node was elected, or deposed, or another was. */
  readonly onChange: () => void;
}

export class Election {
  readonly #options: ElectionOptions;
  #holder: StoredElection | undefined;
  #revision = 0;
  #lookedAtMs = 0;
  /** We were held up for so long that our key may have gone and nothing of it have been told yet. */
  #isInDoubt = false;
  #wasElected = false;
  #isRunning = false;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Node id of whoever was elected last, as far as told here. */
  get elected(): string | undefined {
    return this.#holder?.node;
  }

  /** Is it this node, and could it have heard if it were not? */
  get isElected(): boolean {
    const { clock, shared } = this.#options;
    if (!this.#isOurs || this.#isInDoubt || !this.#isRunning) return false;
    return shared.silentMs() < BELIEF_MS && clock.monotonicMs() - this.#lookedAtMs < BELIEF_MS;
  }

  /** What to condition a write on. Throws CodedError `not_elected`. */
  fence(): Precondition {
    if (!this.isElected) throw new CodedError('not_elected', 'another node of the cluster does this');
    return { key: KEY, revision: this.#revision };
  }

  /** What the store tells. */
  take(holder: StoredElection | undefined, revision: number): void {
    const before = this.#holder;
    this.#isInDoubt = false;
    this.#holder = holder;
    this.#revision = holder === undefined ? 0 : revision;
    this.#tell(before?.node !== holder?.node);
    if (holder === undefined) this.#run();
  }

  /** Stand for election from now on. */
  start(): void {
    this.#isRunning = true;
    this.#look();
  }

  /** Resign, so that another node is elected at once. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    // It may be elected just now.
    await this.#writing;
    if (!this.#isOurs) return;
    const unchanged = { key: KEY, revision: this.#revision };
    await this.#options.store.commit([{ key: KEY, value: undefined }], [unchanged]).catch(() => {});
  }

  get #isOurs(): boolean {
    const { shared, run } = this.#options;
    return this.#holder?.node === shared.node && this.#holder.run === run;
  }

  #look(): void {
    const { clock, shared } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAtMs >= BELIEF_MS) this.#isInDoubt = true;
    this.#lookedAtMs = nowMs;
    if (this.#isOurs && !this.#isInDoubt) shared.renew(KEY);
    else this.#run();
    this.#tell(false);
    this.#timer = clock.after(RENEW_MS, () => this.#look());
  }

  /** Nobody is elected, or an earlier run of this node is, or it is to be seen whether this one still is. */
  #run(): void {
    const { shared } = this.#options;
    const isOther = this.#holder !== undefined && this.#holder.node !== shared.node;
    const isFree = !isOther && (!this.#isOurs || this.#isInDoubt);
    if (!isFree || !this.#isRunning || this.#writing !== undefined) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    const { store, shared, clock, run, log } = this.#options;
    const value: StoredElection = { node: shared.node, run, sinceMs: clock.wallMs() };
    try {
      await store.commit([{ key: KEY, value, ttlMs: MEMBER_TTL_MS }], [{ key: KEY, revision: this.#revision }]);
    } catch (error) {
      // Another was faster, or the store is away: it is looked at again.
      log.debug({ reason: errorMessage(error) }, 'this node was not elected');
    }
  }

  #tell(isOther: boolean): void {
    const { isElected } = this;
    if (isElected === this.#wasElected && !isOther) return;
    if (isElected !== this.#wasElected) this.#options.log.info({ isElected }, 'election');
    this.#wasElected = isElected;
    this.#options.onChange();
  }
}
