// api-parts.ts -- what the routes work with: the registry and the callbacks into the rest of the server

import type { Registry as MetricsRegistry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import type { Problem } from '../base/errors.ts';
import type { Outcome } from '../health/check-spec.ts';
import type { Client } from '../nameserver/client.ts';
import type { ExplainedQuestion } from '../nameserver/explain.ts';
import type { Explanation } from '../nameserver/explanation.ts';
import type { Simulation, SimulationResult } from '../nameserver/simulate.ts';
import type { Trace } from '../nameserver/trace-name.ts';
import type { Author } from '../registry/author.ts';
import type { Instance } from '../registry/instance.ts';
import type { Policy } from '../registry/policy.ts';
import type { Registry } from '../registry/registry.ts';
import type { InstanceRules } from '../registry/validate-instance.ts';
import type { RolloutAction, RolloutView } from '../routing/rollout.ts';
import type { Caller } from './access.ts';
import type { BlockingReads } from './blocking-reads.ts';
import type { ClusterReport } from './cluster-report.ts';
import type { Vantage } from './present-vantages.ts';
import type { Watchers } from './watchers.ts';

/** What a service says of itself along with a heartbeat. */
export interface HeartbeatReport {
  readonly status?: Outcome;
  readonly output?: string;
}

/** The progressive canaries, as the API needs them. */
export interface RolloutControls {
  /** Undefined when the policy has no steps. */
  show(service: string): RolloutView | undefined;
  /**
   * `toStep`: index of the step that `restart` begins with. Throws CodedError `unknown_rollout`, `rollout_over`,
   * `invalid`, `store_unavailable`.
   */
  act(service: string, action: RolloutAction, by: Author, toStep?: number): Promise<void>;
}

/** A simulation, but for the parts that the server adds. */
export type SimulationWish = Omit<Simulation, 'domain'>;

export interface SimulationOutcome {
  readonly now: SimulationResult;
  /** Undefined where no policy was given. */
  readonly then: SimulationResult | undefined;
}

/** Looks into the answers, and at what they would be, in small pieces of time; what is presented is made likewise. */
export interface Foresight {
  /**
   * `begun` is told where the name leads, and may throw. Throws CodedError `rate_limited` while very many explanations
   * are under way, `stopping` when `signal` says so.
   */
  explain<T>(
    question: ExplainedQuestion,
    reader: { begun(trace: Trace): void; present(explanation: Explanation): Generator<void, T> },
    signal: AbortSignal,
  ): Promise<T>;
  /**
   * Simulate a service under its own policy and, where one is given, under that. Throws CodedError `rate_limited` while
   * another simulation is under way, `stopping` when `signal` says so.
   */
  simulate<T>(
    wish: SimulationWish,
    policy: Policy | undefined,
    present: (outcome: SimulationOutcome) => Generator<void, T>,
    signal: AbortSignal,
  ): Promise<T>;
}

/** The rest of the server, as the API needs it. */
export interface ApiBackend {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  /** The rules for registrations in force now. */
  readonly rules: () => InstanceRules;
  /** Feed an instance's heartbeat checks; synchronous, so that the outcome is in force when it returns. */
  readonly heartbeat: (instanceId: string, report: HeartbeatReport) => void;
  /** Answer a DNS query that came by HTTP; undefined: there is to be no reply. The query must not change any more. */
  readonly answerDns: (query: Uint8Array, client: Client) => Promise<Uint8Array | undefined>;
  readonly rollouts: RolloutControls;
  readonly foresight: Foresight;
  /** The largest TTL of any record of the service that resolvers may still hold. */
  readonly ttlInForceSeconds: (instance: Instance) => number;
  /** Read configuration and zones anew. Problems of severity `error`: the old ones stay in force. */
  readonly reload: () => Promise<{ readonly problems: readonly Problem[] }>;
  /** The nodes that share the store, and how the store is. Never rejects. */
  readonly cluster: () => Promise<ClusterReport>;
  /** What the checks of an instance come to at each node that runs them; empty where there is one node. */
  readonly vantages: (instanceId: string) => readonly Vantage[];
  /** What else `/v1/status` shows. */
  readonly status: () => object;
  /** Ready: loaded and not stopping. Stale: the store has not been heard of for too long. */
  readonly readiness: () => { readonly ready: boolean; readonly stale: boolean };
}

export interface ApiParts extends ApiBackend {
  readonly blockingReads: BlockingReads;
  readonly watchers: Watchers;
  /** Is somebody who was let in still let in? */
  readonly isCurrent: (caller: Caller) => boolean;
}
