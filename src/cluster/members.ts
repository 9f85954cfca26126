// members.ts -- which nodes are there: each says so itself, by a key that goes when it is not renewed

import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { SharedStore, Store } from '../registry/store.ts';
import { type StoredMember, storedKey } from '../registry/stored.ts';

/** A node that is silent for so long is not there any more. */
export const MEMBER_TTL_MS = 5_000;
export const RENEW_MS = 1_000;

export interface MembersOptions {
  readonly store: Store;
  readonly shared: SharedStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Another set of nodes is there. */
  readonly onChange: () => void;
}

/** All that are there; this one too, once it has said so and the store has told it. */
export class Members {
  readonly #options: MembersOptions;
  readonly #key: string;
  readonly #members = new Map<string, StoredMember>();
  #self: StoredMember | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#key = storedKey('member', options.shared.node);
  }

  /** By node id, in no order. */
  get all(): ReadonlyMap<string, StoredMember> {
    return this.#members;
  }

  /** What the store tells of a node. */
  take(node: string, member: StoredMember | undefined): void {
    const before = this.#members.has(node);
    if (member === undefined) this.#members.delete(node);
    else this.#members.set(node, member);
    if (before !== (member !== undefined)) this.#options.onChange();
    // We were frozen, or etcd was: we are here.
    if (member === undefined && node === this.#options.shared.node) void this.#announce();
  }

  /** Be there from now on. Resolves when that is known, or cannot be said at the moment. */
  async start(self: StoredMember): Promise<void> {
    this.#self = self;
    this.#renewLater();
    await this.#announce();
  }

  /** Be there no more, at once. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    const wasThere = this.#self !== undefined;
    this.#self = undefined;
    await this.#writing;
    if (!wasThere) return;
    await this.#options.store.commit([{ key: this.#key, value: undefined }]).catch(() => {}); // it goes by itself
  }

  #renewLater(): void {
    this.#timer = this.#options.clock.after(RENEW_MS, () => {
      const { shared } = this.#options;
      if (this.#members.get(shared.node)?.run === this.#self?.run) shared.renew(this.#key);
      else void this.#announce();
      this.#renewLater();
    });
  }

  #announce(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { store, log } = this.#options;
    if (this.#self === undefined) return;
    try {
      await store.commit([{ key: this.#key, value: this.#self, ttlMs: MEMBER_TTL_MS }]);
    } catch (error) {
      log.debug({ reason: errorMessage(error) }, 'the cluster could not be told that this node is here');
    }
  }
}
