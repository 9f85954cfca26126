// explanation.ts -- what an explanation says of an answer

import type { ServiceState } from '../registry/change.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { BranchSource } from '../routing/branches.ts';
import type { RouteOutcome } from '../routing/route.ts';
import type { TierState } from '../routing/tiers.ts';
import type { SrvNumbers } from './drawn-shares.ts';
import type { Trace } from './trace-name.ts';

/** Why an instance is in the answers, or is not. */
export type InstanceReason =
  /** In, as the strategy draws it. */
  | 'answered'
  /** In, of weight 0: behind all others. */
  | 'standby'
  /** In although it is not well: `whenAllUnhealthy`. */
  | 'all-unhealthy'
  /** In: the name is an alias of the host name that it has for an address. */
  | 'alias'
  | 'status'
  /** It has not all tags of the name. */
  | 'tags'
  /** A route that this client does not take has it, or one that it does take has it not. */
  | 'route'
  /** Affinity: it is not near this client. */
  | 'affinity'
  /** Too few are well: `minHealthyFraction`. */
  | 'suppressed'
  | 'tier'
  /** It has no address of the family, no such port, or no metadata. */
  | 'type'
  /** There is never room for it within `maxAnswers`, or too seldom for any draw to show it. */
  | 'limit';

export interface InstanceExplanation {
  readonly member: InstanceState;
  readonly reason: InstanceReason;
  readonly text: string;
  /**
   * Counts from 1: by the best place that it can have in an answer, then by share, then by the part of the answers that
   * it may be in. Undefined: it is out.
   */
  readonly rank: number | undefined;
  /** Part of the answers to this client of which it is the first, 0..1; instances of one address have it together. */
  readonly share: number;
  /** Part of the answers that hold it, 0..1. */
  readonly inclusion: number;
  /** What it weighs among the others; undefined: it is out. */
  readonly weight: number | undefined;
  readonly tier: number | undefined;
  /** What its SRV record says (RFC 2782). Undefined: it is out, or the question is for another type. */
  readonly srv: SrvNumbers | undefined;
}

/** One way that answers to the client go: a route or the general pool. */
export interface WayExplanation {
  /** Index in the policy; undefined: the general pool. */
  readonly route: number | undefined;
  /** Part of the answers to this client, 0..1. */
  readonly part: number;
  readonly source: BranchSource;
  /** The client's zone or subnet, where instances are near it. */
  readonly home: string | undefined;
  readonly tiers: readonly TierState[];
  /** How many records there are to draw from, and how many an answer holds at most. */
  readonly records: number;
  readonly limit: number;
  readonly ttlSeconds: number;
  readonly ttlReason: string;
}

export interface Explanation {
  readonly trace: Trace;
  readonly service: ExplainedService | undefined;
  readonly routes: readonly RouteOutcome[];
  readonly ways: readonly WayExplanation[];
  readonly instances: readonly InstanceExplanation[];
  /** Would another client perhaps get another answer? */
  readonly dependsOnClient: boolean;
}

/** What counts of a service. */
export type ExplainedService = Pick<ServiceState, 'name' | 'policy'>;

/** A reason and what it says for people. */
export interface Why {
  readonly reason: InstanceReason;
  readonly text: string;
}
