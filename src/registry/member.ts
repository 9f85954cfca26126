// member.ts -- the part of services and instances that answers are made of

import type { ServiceState } from './change.ts';
import type { Instance, InstanceState } from './instance.ts';

/** What an answer can hold of an instance. */
export type AnsweringInstance = Pick<
  Instance,
  'id' | 'service' | 'address' | 'port' | 'ports' | 'tags' | 'meta' | 'weight' | 'ttlSeconds'
>;

/** An instance and what it counts as. */
export interface Member
  extends Pick<InstanceState, 'status'>,
    Partial<Pick<InstanceState, 'lastAnswerableMs' | 'isFailing'>> {
  readonly instance: AnsweringInstance;
}

/** A service as answers see it; every ServiceState is one. */
export interface AnsweringService extends Pick<ServiceState, 'name' | 'policy'> {
  readonly instances: ReadonlyMap<string, Member>;
}
