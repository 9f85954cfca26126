// policy.ts -- how a service's instances are chosen and ordered, as plain data

/** The strategies that are built; the contract's others are refused as not supported yet. */
export type StrategyName = 'round-robin' | 'random' | 'weighted';

export const STRATEGY_NAMES: readonly StrategyName[] = ['round-robin', 'random', 'weighted'];

/** What is answered when no instance is well, or too few are (routing/answerable.ts). */
export type WhenAllUnhealthy = 'empty' | 'all' | 'last-known';

export const WHEN_ALL_UNHEALTHY: readonly WhenAllUnhealthy[] = ['empty', 'all', 'last-known'];

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
}
