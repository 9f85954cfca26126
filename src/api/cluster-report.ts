// cluster-report.ts -- what GET /v1/cluster tells of the nodes that share a store

export interface ClusterReport {
  /** This node. */
  readonly node: string;
  /** The node that does what only one may do; null: nobody at the moment. */
  readonly elected: string | null;
  /** For how long the others have not been heard of; null: not at all since the start. */
  readonly silentMs: number | null;
  readonly stale: boolean;
  readonly members: readonly {
    readonly node: string;
    readonly name: string;
    readonly version: string;
    readonly http: readonly string[];
    readonly startedAt: string;
    readonly isSelf: boolean;
    readonly isElected: boolean;
  }[];
  /** Instances whose checks run on this node. */
  readonly checks: number;
  readonly store: {
    readonly kind: string;
    /** Up to where the store has been told here. */
    readonly revision: number;
    readonly endpoints: readonly {
      readonly url: string;
      readonly up: boolean;
      readonly reason?: string;
      readonly version?: string;
      readonly leader?: boolean;
      readonly revision?: number;
      readonly lag?: number;
      readonly sizeBytes?: number;
    }[];
  };
}
