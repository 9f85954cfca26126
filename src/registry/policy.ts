// policy.ts -- how a service's instances are chosen and ordered, as plain data

import type { RolloutGuard, RolloutStep } from './rollout.ts';

/** By what instances are ordered (balance/strategies.ts). */
export type StrategyName =
  | 'round-robin'
  | 'random'
  | 'weighted'
  | 'least-connections'
  | 'latency'
  | 'hash'
  | 'subset'
  | 'failover';

export const STRATEGY_NAMES: readonly StrategyName[] = [
  'round-robin',
  'random',
  'weighted',
  'least-connections',
  'latency',
  'hash',
  'subset',
  'failover',
];

/** What is answered when no instance is well, or too few are (routing/answerable.ts). */
export type WhenAllUnhealthy = 'empty' | 'all' | 'last-known';

export const WHEN_ALL_UNHEALTHY: readonly WhenAllUnhealthy[] = ['empty', 'all', 'last-known'];

/** Chooses instances by their registration: those that have all of the tags and all of the metadata. */
export interface InstanceMatch {
  /** Lower case. */
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
}

/** A canary: some answers come from the matching instances only, all others from those that no route matches. */
export interface Route {
  readonly match: InstanceMatch;
  /** Networks of the clients that the route concerns, as text; undefined: all. */
  readonly client?: readonly string[];
  /** Of the answers to them, 0..100 in steps of 0.01; undefined: 100. */
  readonly percent?: number;
  /** It is clients that are shared out, not answers. Default false. */
  readonly sticky?: boolean;
}

/** Instances that others stand in for. */
export interface Tier {
  readonly match: InstanceMatch;
  /** The share of well instances, 0..1, below which it is the next tier's turn; undefined: while any is well. */
  readonly spillBelow?: number;
}

export type AffinityBy = 'zone' | 'subnet';
export const AFFINITY_BY: readonly AffinityBy[] = ['zone', 'subnet'];
export type AffinityMode = 'prefer' | 'pin';
export const AFFINITY_MODES: readonly AffinityMode[] = ['prefer', 'pin'];

/** Instances near the client come first, or are all that it gets. */
export interface Affinity {
  readonly by: AffinityBy;
  /** Default `prefer`. */
  readonly mode?: AffinityMode;
}

/** A service's policy. What is left out falls back to the domain's or the server's setting. */
export interface Policy {
  readonly strategy?: StrategyName;
  /** Addresses for A/AAAA, records for SRV. */
  readonly maxAnswers?: number;
  /** TTL of the service's records, in seconds. */
  readonly ttlSeconds?: number;
  /** Default `empty`. */
  readonly whenAllUnhealthy?: WhenAllUnhealthy;
  /** Share of well instances below which `whenAllUnhealthy` applies; 0..1, default 0. */
  readonly minHealthyFraction?: number;
  /** Factor on the weight of instances that warn; 0..1, default 1. */
  readonly warningWeight?: number;
  /** Factor on the weights of SRV records, for clients that read them on a scale of their own; default 1. */
  readonly srvWeightScale?: number;
  /** An answer of A or AAAA holds addresses of one subnet only, /24 or /64; default false. */
  readonly oneSubnetPerAnswer?: boolean;
  readonly routes?: readonly Route[];
  /** The first comes first; instances that none matches are the last tier. */
  readonly tiers?: readonly Tier[];
  readonly affinity?: Affinity;
  /** How long instances that say nothing themselves take to get their whole weight (routing/slow-start.ts). */
  readonly slowStartMs?: number;
  /** A progressive canary: they move the percent of their routes (routing/rollout.ts). */
  readonly steps?: readonly RolloutStep[];
  readonly guard?: RolloutGuard;
}
