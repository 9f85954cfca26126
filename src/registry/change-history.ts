// change-history.ts -- the last changes of each service: when, what, by whom, why

import type { Author } from './author.ts';
import type { Change, ChangeKind } from './change.ts';
import type { Status } from './instance.ts';
import type { Policy } from './policy.ts';
import type { Rollout } from './rollout.ts';

/** One change, in plain data, as it is kept. */
export interface PastChange {
  readonly atMs: number;
  readonly kind: ChangeKind;
  readonly service: string;
  readonly by: Author | null;
  /** Id and status of the instance that changed; absent for a policy. */
  readonly instance?: string;
  readonly status?: Status;
  /** Why the status or the rollout is what it is; the output of the check that changed it. */
  readonly reason?: string;
  readonly output?: string;
  /** The policy after it was changed; null: deleted. */
  readonly policy?: Policy | null;
  /** Not the policy changed, but how far its steps have come; `reason` says why. */
  readonly rollout?: Pick<Rollout, 'state' | 'step' | 'percent'>;
}

/** The most changes that are kept of one service. */
export const MAX_PER_SERVICE = 100;
/** The most that are kept in all. */
const MAX_CHANGES = 20_000;
const MAX_OUTPUT_CHARACTERS = 256;

/** Bounded: of each service the last ones, and of those that changed longest ago nothing when there are too many. */
export class ChangeHistory {
  /** In the order of their last change, each list oldest first. */
  readonly #services = new Map<string, PastChange[]>();
  readonly #maxChanges: number;
  #count = 0;

  constructor(maxChanges: number = MAX_CHANGES) {
    this.#maxChanges = maxChanges;
  }

  /** How many are kept. */
  get count(): number {
    return this.#count;
  }

  /** The last `limit` changes of a service, newest first; undefined when none are known. */
  of(service: string, limit: number): readonly PastChange[] | undefined {
    return this.#services.get(service)?.slice(-limit).reverse();
  }

  add(change: PastChange): void {
    const { service } = change;
    const list = this.#services.get(service) ?? [];
    this.#services.delete(service);
    this.#services.set(service, list);
    list.push(change);
    this.#count++;
    if (list.length > MAX_PER_SERVICE) {
      list.shift();
      this.#count--;
    }
    for (const [oldest, { length }] of this.#services) {
      if (this.#count <= this.#maxChanges || oldest === service) break;
      this.#services.delete(oldest);
      this.#count -= length;
    }
  }
}

/** What is kept of a change; `policy` is the service's afterwards. */
export function pastChange(change: Change, policy: Policy | undefined): PastChange {
  const { kind, service, instance, rollout, atMs, by = null } = change;
  const about = { atMs, kind, service, by };
  if (rollout !== undefined) {
    const { state, step, percent, reason } = rollout;
    return { ...about, rollout: { state, step, percent }, reason };
  }
  if (instance === undefined) return { ...about, policy: policy ?? null };
  const { status, reason, checks } = instance;
  const id = by?.kind === 'check' ? (by.id ?? '') : '';
  const output = Object.hasOwn(checks, id) ? checks[id]!.output : '';
  return {
    ...about,
    instance: instance.instance.id,
    status,
    reason,
    ...(output === '' ? {} : { output: output.slice(0, MAX_OUTPUT_CHARACTERS) }),
  };
}
