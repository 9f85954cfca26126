// member.ts -- the part of services and instances that answers are made of

import type { ServiceState } from './change.ts';
import type { Instance, InstanceState, Readings } from './instance.ts';

/** What an answer can hold of an instance. */
export type AnsweringInstance = Pick<
  Instance,
  'id' | 'service' | 'address' | 'port' | 'ports' | 'tags' | 'meta' | 'weight' | 'ttlSeconds' | 'zone'
>;

/** An instance and what it counts as. */
export interface Member
  extends Pick<InstanceState, 'status'>,
    Partial<Pick<InstanceState, 'lastAnswerableMs' | 'isFailing'>>,
    Readings {
  readonly instance: AnsweringInstance;
}

/** A service as answers see it; every ServiceState is one. */
export interface AnsweringService extends Pick<ServiceState, 'name' | 'policy' | 'rollout'> {
  readonly instances: ReadonlyMap<string, Member>;
}
