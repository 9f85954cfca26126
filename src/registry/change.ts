// change.ts -- what the registry tells its listeners

import type { Author } from './author.ts';
import type { InstanceState } from './instance.ts';
import type { Policy } from './policy.ts';
import type { Rollout } from './rollout.ts';

/** What happened, in the words of the watch API. */
export type ChangeKind = 'register' | 'update' | 'deregister' | 'health' | 'policy';

/** One change, applied already when listeners hear of it. */
export interface Change {
  /** Counts up by one with every change at this node. */
  readonly sequence: number;
  readonly kind: ChangeKind;
  readonly service: string;
  /** The instance afterwards, or as it last was (`deregister`); undefined for `policy`. */
  readonly instance: InstanceState | undefined;
  /** The instance as it was until then, if it was there; not for `deregister`. */
  readonly before?: InstanceState | undefined;
  /** Of kind `policy`: not the policy changed, but this, how far its steps have come. */
  readonly rollout?: Rollout | undefined;
  readonly atMs: number;
  /** Undefined when it is not known, as for what another node did. */
  readonly by?: Author | undefined;
}

/** A service as the rest of the program sees it. Known while it has an instance or a policy. */
export interface ServiceState {
  readonly name: string;
  /** By id, in order of registration. */
  readonly instances: ReadonlyMap<string, InstanceState>;
  readonly policy: Policy | undefined;
  /** Store revision of the policy; 0 without one. */
  readonly policyRevision: number;
  /** How far the policy's steps have come, as last stored; it may belong to other steps (routing/rollout.ts). */
  readonly rollout?: Rollout | undefined;
  /** Sequence of the last change that concerned the service. */
  readonly index: number;
  /** Reason of the maintenance the whole service is in. */
  readonly maintenance: string | undefined;
}
