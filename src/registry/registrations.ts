// registrations.ts -- writes registrations: one or many, changes of one, and their end

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Author } from './author.ts';
import type { Beats } from './beats.ts';
import type { Instance, InstanceState } from './instance.ts';
import { checkReplaceable, checkRevision, readOnly, unchanged } from './refusals.ts';
import type { Roster } from './roster.ts';
import type { Mutation } from './store.ts';
import { removal, SHARED_GRACE_MS, storedKey } from './stored.ts';
import type { Writes } from './writes.ts';

/** What a registration came to. */
export interface Registered {
  readonly state: InstanceState;
  readonly isNew: boolean;
}

export interface RegistrationsOptions {
  readonly roster: Roster;
  readonly writes: Writes;
  readonly clock: Clock;
  /** Where several nodes share the store. */
  readonly beats: Beats | undefined;
}

export class Registrations {
  readonly #options: RegistrationsOptions;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
  }

  /** What to commit for an instance to be there as given. */
  mutations(instance: Instance, current: InstanceState | undefined): Mutation[] {
    const { clock, beats } = this.#options;
    const value = { instance, registeredAtMs: current?.registeredAtMs ?? clock.wallMs() };
    const key = storedKey('instance', instance.id);
    if (beats === undefined) return [{ key, value }];
    const { leaseTtlMs } = instance;
    // In a store that is shared a registration with a lease goes by itself.
    const ttl = leaseTtlMs === undefined ? {} : { ttlMs: leaseTtlMs + SHARED_GRACE_MS };
    // One that went by itself may have left its hold behind.
    const leftovers = current === undefined ? [{ key: storedKey('hold', instance.id), value: undefined }] : [];
    return [...leftovers, { key, value, ...ttl }, ...beats.setUp(instance, current?.instance)];
  }

  /** What to commit for an instance to be gone. */
  removal({ instance }: InstanceState): Mutation[] {
    return [...removal(instance.id), ...(this.#options.beats?.takeDown(instance) ?? [])];
  }

  /** In its turn. Tells whether it is new. Throws CodedError as `Registry.register` does. */
  async put(instance: Instance, onlyNew: boolean, ifRevision?: number, by?: Author): Promise<boolean> {
    const current = this.#options.roster.instance(instance.id);
    checkRevision(instance.id, current?.revision ?? 0, ifRevision);
    if (current !== undefined) checkReplaceable(current, instance, onlyNew);
    await this.#commit(instance, current, by);
    return current === undefined;
  }

  /** In its turn. Throws CodedError as `Registry.update` does. */
  async change(id: string, change: (instance: Instance) => Instance, ifRevision?: number, by?: Author): Promise<void> {
    const current = this.#options.roster.existing(id);
    if (current.isStatic) throw readOnly(id);
    checkRevision(id, current.revision, ifRevision);
    await this.#commit(change(current.instance), current, by);
  }

  /** In its turn. Throws CodedError as `Registry.deregister` does. */
  async remove(id: string, by?: Author, ifRevision?: number): Promise<void> {
    const state = this.#options.roster.existing(id);
    if (state.isStatic) throw readOnly(id);
    checkRevision(id, state.revision, ifRevision);
    // A removal that is late, by a node that died meanwhile, must not take what was registered since.
    await this.#options.writes.commit(this.removal(state), [unchanged(id, state)], by);
  }

  /** One that is here, but went by itself in the store. Rejects with CodedError `conflict` when it is there. */
  async putAgain(id: string): Promise<void> {
    const state = this.#options.roster.existing(id);
    const absent = { key: storedKey('instance', id), revision: 0 };
    await this.#options.writes.commit(this.mutations(state.instance, state), [absent], undefined);
  }

  async #commit(instance: Instance, current: InstanceState | undefined, by: Author | undefined): Promise<void> {
    if (current !== undefined && isDeepStrictEqual(current.instance, instance)) return;
    await this.#options.writes.commit(this.mutations(instance, current), [unchanged(instance.id, current)], by);
  }
}
