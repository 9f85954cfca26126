// policies.ts -- writes the policies of services, and how far their steps have come

import { CodedError } from '../base/errors.ts';
import type { Author } from './author.ts';
import type { ServiceState } from './change.ts';
import type { Policy } from './policy.ts';
import type { Rollout } from './rollout.ts';
import type { Roster } from './roster.ts';
import { storedKey } from './stored.ts';
import type { Writes } from './writes.ts';

/** Policy and rollout of one service are written in turn, so that each begins from what the one before it left. */
export class Policies {
  readonly #roster: Roster;
  readonly #writes: Writes;

  constructor(roster: Roster, writes: Writes) {
    this.#roster = roster;
    this.#writes = writes;
  }

  /**
   * Set or delete (undefined) a service's policy; with `ifRevision`, only while that is its revision (0: none).
   * Throws CodedError: `precondition_failed`, `store_unavailable`.
   */
  async set(name: string, policy: Policy | undefined, ifRevision?: number, by?: Author): Promise<void> {
    const key = storedKey('policy', name);
    const preconditions = ifRevision === undefined ? [] : [{ key, revision: ifRevision }];
    const write = async (): Promise<void> => {
      // Without steps nothing is left to come far with.
      const isOver = policy?.steps === undefined && this.#roster.service(name)?.rollout !== undefined;
      const rest = isOver ? [{ key: storedKey('rollout', name), value: undefined }] : [];
      await this.#writes.commit([{ key, value: policy }, ...rest], preconditions, by);
    };
    try {
      await this.#writes.turns.take(key, write);
    } catch (error) {
      if (!(error instanceof CodedError && error.code === 'conflict')) throw error;
      const found = ifRevision === 0 ? 'is there already' : `is not at revision ${ifRevision}`;
      throw new CodedError('precondition_failed', `the policy of '${name}' ${found}`);
    }
  }

  /**
   * Change how far the steps have come, from what the service is when it is this one's turn; `change` returns undefined
   * where there is nothing to change, and may be called again when another node was faster. Throws CodedError
   * `unknown_rollout` when the policy has no steps, `store_unavailable`, and what `change` throws.
   */
  async moveRollout(name: string, change: (service: ServiceState) => Rollout | undefined, by?: Author): Promise<void> {
    const policyKey = storedKey('policy', name);
    const key = storedKey('rollout', name);
    await this.#writes.inTurn([policyKey], async () => {
      const service = this.#roster.service(name);
      if (service?.policy?.steps === undefined) {
        throw new CodedError('unknown_rollout', `the policy of service '${name}' has no steps`);
      }
      const value = change(service);
      if (value === undefined) return;
      // Not without its policy: what is left behind would meet the next one.
      const precondition = { key: policyKey, revision: service.policyRevision };
      await this.#writes.commit([{ key, value }], [precondition], by);
    });
  }
}
