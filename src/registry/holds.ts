// holds.ts -- drain and maintenance: taken out of the answers by people or schedules, whatever the checks say

import { isDeepStrictEqual } from 'node:util';
import type { Author } from './author.ts';
import type { InstanceState } from './instance.ts';
import { unchanged } from './refusals.ts';
import type { Roster } from './roster.ts';
import { type StoredHold, storedKey } from './stored.ts';
import type { Writes } from './writes.ts';

export class Holds {
  readonly #roster: Roster;
  readonly #writes: Writes;

  constructor(roster: Roster, writes: Writes) {
    this.#roster = roster;
    this.#writes = writes;
  }

  /** Change what is held of one instance. Throws CodedError `unknown_instance`, `store_unavailable`. */
  async set(id: string, change: Partial<StoredHold>, by: Author | undefined): Promise<InstanceState> {
    return await this.#writes.inTurn([id], async () => {
      const current = this.#roster.existing(id);
      const { hold: before, revision } = this.#roster.holdOf(id);
      const hold: StoredHold = { ...before, ...change };
      if (isDeepStrictEqual(hold, before)) return current;
      const isIdle = !hold.draining && hold.maintenance === null;
      const key = storedKey('hold', id);
      // Not without its instance: a hold left behind would meet the next one of that id.
      const preconditions = [unchanged(id, current), { key, revision }];
      await this.#writes.commit([{ key, value: isIdle ? undefined : hold }], preconditions, by);
      return this.#roster.existing(id);
    });
  }

  /** Put a whole service into maintenance with the reason, or end it (undefined). Throws CodedError `store_unavailable`. */
  async setService(name: string, reason: string | undefined, by: Author | undefined): Promise<void> {
    const value: StoredHold | undefined = reason === undefined ? undefined : { draining: false, maintenance: reason };
    const key = storedKey('hold-service', name);
    await this.#writes.inTurn([key], () => this.#writes.commit([{ key, value }], [], by));
  }
}
