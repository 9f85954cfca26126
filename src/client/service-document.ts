// service-document.ts -- what the HTTP API says of services and instances, as it says it (docs/api.md)

import type { Outcome } from '../health/check-spec.ts';
import type { Load, Status } from '../registry/instance.ts';
import type { Policy, Route } from '../registry/policy.ts';
import type { RolloutState } from '../registry/rollout.ts';

/** A port beside the main one: a number stands for TCP. */
export type PortDocument = number | { readonly port: number; readonly proto?: 'tcp' | 'udp' };

/** A check as it is registered: docs/health-checks.md has the fields of each type. Durations are text: `"2s"`. */
export interface CheckDocument {
  readonly id?: string;
  readonly type: 'http' | 'tcp' | 'grpc' | 'exec' | 'dns' | 'heartbeat';
  readonly [field: string]: unknown;
}

/** A check, and where it stands. */
export interface CheckStateDocument extends CheckDocument {
  readonly id: string;
  readonly outcome: Outcome | null;
  readonly output: string;
  readonly latencyMs: number | null;
  readonly since: string | null;
}

/** What of an instance may change without registering it anew. Durations are text: `"5s"`. */
export interface ChangeableFields {
  readonly ports?: Readonly<Record<string, PortDocument>>;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  /** 0..65535, default 1. */
  readonly weight?: number;
  readonly zone?: string;
  readonly ttl?: string;
  readonly warmup?: string;
}

/** An instance and all that is known of it. */
export interface InstanceDocument extends ChangeableFields {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly leaseTtl?: string;
  readonly checks: readonly CheckStateDocument[];
  readonly status: Status;
  /** Why it has this status, in one line. */
  readonly reason: string;
  readonly revision: number;
  readonly registeredAt: string;
  readonly static: boolean;
  readonly lease: { readonly expiresAt: string } | null;
  readonly load: Load | null;
  readonly balancedBy?: { readonly connections: number | null; readonly latencyMs: number | null };
  readonly warmth?: number;
  /** When it was last answerable, of one that is not any more. */
  readonly lastAnswerable?: string;
}

/** A policy; durations are text. */
export interface PolicyDocument extends Omit<Policy, 'ttlSeconds' | 'slowStartMs' | 'steps' | 'routes'> {
  readonly ttl?: string;
  readonly slowStart?: string;
  readonly routes?: readonly Route[];
  readonly steps?: readonly Readonly<Record<string, unknown>>[];
}

/** One service with its instances. */
export interface ServiceDocument {
  readonly service: string;
  readonly index: number;
  readonly policy: PolicyDocument | null;
  /** Of each route of the policy, what its steps give it now; only where there are steps. */
  readonly percents?: readonly number[];
  readonly instances: readonly InstanceDocument[];
}

export type ChangeKind = 'register' | 'update' | 'deregister' | 'health' | 'policy';

/** One change of a service. */
export interface ServiceChange {
  readonly kind: ChangeKind;
  readonly service: string;
  /** Counts changes; what a blocking read would wait with. */
  readonly index: number;
  /** When; undefined for what was found by reading anew. */
  readonly at: string | undefined;
  /** Who; null or undefined: it is not known. */
  readonly by: Readonly<Record<string, unknown>> | null | undefined;
  /** As it is afterwards, or as it last was; undefined for a change of the policy. */
  readonly instance: InstanceDocument | undefined;
  /** Of a change of the policy: the new one, null when there is none any more. */
  readonly policy: PolicyDocument | null | undefined;
  /** Where the steps of the policy went, when it was these and not the policy that changed. */
  readonly rollout: { readonly state: RolloutState; readonly step: number; readonly percent: number } | undefined;
  readonly percents: readonly number[] | undefined;
  /** It was not told when it happened, but found by reading anew after the connection had been cut for too long. */
  readonly isCaughtUp: boolean;
}
