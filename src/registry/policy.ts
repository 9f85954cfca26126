// policy.ts -- how a service's instances are chosen and ordered, as plain data

/** The strategies that are built; the contract's others are refused as not supported yet. */
export type StrategyName = 'round-robin' | 'random' | 'weighted';

export const STRATEGY_NAMES: readonly StrategyName[] = ['round-robin', 'random', 'weighted'];

/** A service's policy. What is left out falls back to the domain's or the server's setting. */
export interface Policy {
  readonly strategy?: StrategyName;
  /** Addresses for A/AAAA, records for SRV. */
  readonly maxAnswers?: number;
  /** TTL of the service's records, in seconds. */
  readonly ttlSeconds?: number;
}
