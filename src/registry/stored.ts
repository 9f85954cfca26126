// stored.ts -- what the registry keeps in its store: keys, and the shapes of their values
//
//   instance/<id>          the registration          hold/<id>              draining, maintenance
//   status/<id>            outcomes of its checks    hold-service/<name>    maintenance of a whole service
//   policy/<service>       its policy              leases/<page>          when leases end, many to a record
//   rollout/<service>      how far its steps are   lease-clock/up         how far the time of the leases has come
//   history/<slot>         one of the last changes, for the history
//   sequence/reserved      how far the numbers of changes may have come
//
// Where several nodes share a store:
//   member/<node>          a node that is up; goes by itself when it is not
//   election/<duty>        the node that does what only one may do; goes by itself
//   vantage/<id>/<node>    what the checks of an instance come to at one of the nodes that run them
//   beat/<id>/<check>      what the last heartbeat said to a heartbeat check; goes by itself when none comes
// Kinds in `LOCAL_KINDS` are each node's own, whatever else is shared.
//
// Leases are stored behind, in one batch a second (lease-saver.ts). Their time is that in which heartbeats could come,
// over all starts (lease-clock.ts): a lease that nobody renews is not written again, only the time moves on.

import type { Outcome } from '../health/check-spec.ts';
import type { PastChange } from './change-history.ts';
import type { Instance } from './instance.ts';
import type { Policy } from './policy.ts';
import type { Rollout } from './rollout.ts';
import type { Mutation, StoreRecord } from './store.ts';

export interface StoredInstance {
  readonly instance: Instance;
  readonly registeredAtMs: number;
}

/** Outcomes by check id, so that a restart begins where it stopped; null: neutral, and no result yet. */
export interface StoredStatus {
  readonly checks: Readonly<Record<string, { outcome: Outcome | null; output: string; sinceMs: number }>>;
  /** `InstanceState.lastAnswerableMs`. */
  readonly lastAnswerableMs?: number;
}

export interface StoredHold {
  readonly draining: boolean;
  readonly maintenance: string | null;
}

/** Text of lease-pages.ts; ends are in `LeaseClock` time. */
export interface StoredLeases {
  readonly leases: string;
}

export interface StoredLeaseClock {
  /** `LeaseClock` time, no less than what was reached when the next of these would have been stored. */
  readonly upMs: number;
}

export interface StoredSequence {
  /** No change of this start has a greater one. */
  readonly upTo: number;
}

export interface StoredPastChange {
  /** Counts up over all starts; the slot is this modulo their number. */
  readonly number: number;
  readonly change: PastChange;
}

/** A node of a cluster, as it says itself. */
export interface StoredMember {
  /** For people; several may have the same. */
  readonly name: string;
  readonly version: string;
  /** Where its HTTP API is, as `address:port`. */
  readonly http: readonly string[];
  readonly startedAtMs: number;
  /** Tells one run of the node from the next. */
  readonly run: string;
}

export interface StoredElection {
  readonly node: string;
  readonly run: string;
  readonly sinceMs: number;
}

/** What checks come to at one node; outcome null: no result yet. */
export interface StoredVantage {
  readonly checks: Readonly<Record<string, { outcome: Outcome | null; output: string; sinceMs: number }>>;
}

/** Outcome null: none has come since the check was set up. */
export interface StoredBeat {
  readonly outcome: Outcome | null;
  readonly output: string;
  readonly sinceMs: number;
}

/** A store key taken apart, with its value in the shape that belongs to it; value undefined: deleted. */
export type StoredEntry =
  | { readonly kind: 'instance'; readonly id: string; readonly value: StoredInstance | undefined }
  | { readonly kind: 'status'; readonly id: string; readonly value: StoredStatus | undefined }
  | { readonly kind: 'hold'; readonly id: string; readonly value: StoredHold | undefined }
  | { readonly kind: 'hold-service'; readonly id: string; readonly value: StoredHold | undefined }
  | { readonly kind: 'policy'; readonly id: string; readonly value: Policy | undefined }
  | { readonly kind: 'rollout'; readonly id: string; readonly value: Rollout | undefined }
  | { readonly kind: 'leases'; readonly id: string; readonly value: StoredLeases | undefined }
  | { readonly kind: 'lease-clock'; readonly id: string; readonly value: StoredLeaseClock | undefined }
  | { readonly kind: 'sequence'; readonly id: string; readonly value: StoredSequence | undefined }
  | { readonly kind: 'history'; readonly id: string; readonly value: StoredPastChange | undefined }
  | { readonly kind: 'member'; readonly id: string; readonly value: StoredMember | undefined }
  | { readonly kind: 'election'; readonly id: string; readonly value: StoredElection | undefined }
  | { readonly kind: 'vantage'; readonly id: string; readonly value: StoredVantage | undefined }
  | { readonly kind: 'beat'; readonly id: string; readonly value: StoredBeat | undefined };

export type StoredKind = StoredEntry['kind'];

const KINDS: readonly StoredKind[] = [
  'instance',
  'status',
  'hold',
  'hold-service',
  'policy',
  'rollout',
  'leases',
  'lease-clock',
  'sequence',
  'history',
  'member',
  'election',
  'vantage',
  'beat',
];

/** Kinds that are each node's own where the rest is shared: numbers, pages and slots of several nodes would collide. */
const LOCAL_KINDS: ReadonlySet<string> = new Set(['status', 'leases', 'lease-clock', 'sequence', 'history']);

/** Added to the time after which a key goes by itself: for heartbeats that are on the way, and renewed as they come. */
export const SHARED_GRACE_MS = 1_000;

/** Is this key a node's own? */
export function isLocalKey(key: string): boolean {
  return LOCAL_KINDS.has(key.slice(0, key.indexOf('/')));
}

/** The key of an entry. */
export function storedKey(kind: StoredKind, id: string): string {
  return `${kind}/${id}`;
}

/** Takes an instance out with all that is stored of it. */
export function removal(id: string): Mutation[] {
  const kinds = ['instance', 'status', 'hold'] as const;
  return kinds.map((kind) => ({ key: storedKey(kind, id), value: undefined }));
}

/** What a cluster's nodes tell each other of themselves. */
export function isOfNodes({ kind }: StoredEntry): boolean {
  return kind === 'member' || kind === 'election' || kind === 'vantage';
}

/** The entry behind a key and value; undefined for keys of a later version. */
export function readStored(key: string, value: unknown): StoredEntry | undefined {
  const slash = key.indexOf('/');
  const kind = slash < 0 ? undefined : KINDS.find((each) => each === key.slice(0, slash));
  return kind === undefined ? undefined : ({ kind, id: key.slice(slash + 1), value } as StoredEntry);
}

const INSTANCE_KEYS = storedKey('instance', '');
const ROLLOUT_KEYS = storedKey('rollout', '');

/**
 * Records in an order they can be applied in: what an instance is restored with is there before the instance itself,
 * instances come in the order in which they were registered, and a rollout comes after its policy.
 */
export function inLoadOrder(records: readonly StoreRecord[]): readonly StoreRecord[] {
  const instances: StoreRecord[] = [];
  const rollouts: StoreRecord[] = [];
  const others: StoreRecord[] = [];
  for (const record of records) {
    if (record.key.startsWith(INSTANCE_KEYS)) instances.push(record);
    else (record.key.startsWith(ROLLOUT_KEYS) ? rollouts : others).push(record);
  }
  const registeredAtMs = ({ value }: StoreRecord): number => (value as StoredInstance).registeredAtMs;
  return [...others, ...rollouts, ...instances.sort((a, b) => registeredAtMs(a) - registeredAtMs(b))];
}
