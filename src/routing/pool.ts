// pool.ts -- which instances of a service stand behind a name, and how they are ordered

import type { Candidate, Plan } from '../balance/plan.ts';
import { STRATEGIES } from '../balance/strategies.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { answerableOf } from './answerable.ts';

/** The instances behind one name of a service. */
export interface Pool {
  /** In any status: while there is one, the name is known. */
  readonly registered: readonly Member[];
  /** Those that answers are made of. */
  readonly answerable: readonly Member[];
}

/** The pool of a service, or of those of its instances that have all of `tags` (lower case). */
export function poolOf(service: AnsweringService, tags: readonly string[]): Pool {
  const registered = [...service.instances.values()].filter(({ instance }) =>
    tags.every((tag) => instance.tags.includes(tag)),
  );
  return { registered, answerable: answerableOf(registered, service.policy) };
}

/** Is the pool about to change: does a member fail just now, or leave? */
export function isVolatile({ registered }: Pool): boolean {
  return registered.some(({ status, isFailing }) => isFailing === true || status === 'draining');
}

/** The order of candidates under a policy. */
export function planFor(policy: Policy | undefined, candidates: readonly Candidate[]): Plan {
  return STRATEGIES[policy?.strategy ?? 'round-robin'](candidates);
}
