// static-instances.ts -- the instances that come from the configuration: in the roster, not in the store

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { CONFIG } from './author.ts';
import type { Instance } from './instance.ts';
import type { Roster } from './roster.ts';
import { storedKey } from './stored.ts';
import type { Writes } from './writes.ts';

export interface StaticInstancesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly roster: Roster;
  readonly writes: Writes;
}

export class StaticInstances {
  readonly #options: StaticInstancesOptions;
  #ids = new Set<string>();

  constructor(options: StaticInstancesOptions) {
    this.#options = options;
  }

  /** Replace them all. Throws CodedError `id_taken`, changing nothing. */
  set(instances: readonly Instance[]): void {
    const { clock, roster } = this.#options;
    this.check(instances);
    const ids = new Set(instances.map((instance) => instance.id));
    for (const id of this.#ids) if (!ids.has(id)) this.#remove(id);
    this.#ids = ids;
    for (const instance of instances) {
      const current = roster.instance(instance.id);
      if (current !== undefined && isDeepStrictEqual(current.instance, instance)) continue;
      const registeredAtMs = current?.registeredAtMs ?? clock.wallMs();
      roster.put(instance, { revision: 0, registeredAtMs, isStatic: true });
    }
  }

  /** Could these be set? Throws CodedError `id_taken` when an id is registered through the API. */
  check(instances: readonly Instance[]): void {
    for (const { id } of instances) {
      const current = this.#options.roster.instance(id);
      if (current === undefined || current.isStatic) continue;
      throw new CodedError('id_taken', `static instance '${id}': the id is registered through the API already`);
    }
  }

  #remove(id: string): void {
    const { roster, writes, log } = this.#options;
    const isHeld = roster.isHeld(id);
    roster.remove(id);
    if (!isHeld) return;
    writes.commit([{ key: storedKey('hold', id), value: undefined }], [], CONFIG).catch((error: unknown) => {
      log.warn({ instance: id, reason: errorMessage(error) }, 'what was held of a static instance stays stored');
    });
  }
}
