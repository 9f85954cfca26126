// forward-cache.ts -- what upstreams said, by question: replies until they are too old, and failures for a moment
//
// A reply is kept whole and only ever given for the very question it answered: what stands beside the answer in a
// message is never believed about anything else. Bounded in entries and in octets.

import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { ExtendedError } from '../nameserver/answer.ts';
import type { RelayedMessage } from './relayed-message.ts';

export interface ForwardCacheOptions {
  readonly clock: Clock;
  /** Replies kept; 0: none. */
  readonly entries: number;
  /** How long a reply is kept beyond its time, for when no upstream can be reached (RFC 8767). */
  readonly staleMs: number;
}

/** A reply that was kept, and for how long. */
export interface KeptReply {
  readonly relayed: RelayedMessage;
  readonly ageSeconds: number;
  readonly isStale: boolean;
}

/** What failed, and is not to be tried again for a moment (RFC 9520 section 3.2). */
interface Failure {
  readonly error: ExtendedError;
  readonly relayed: RelayedMessage | undefined;
  readonly untilMs: number;
  readonly waitMs: number;
}

interface Entry {
  readonly relayed: RelayedMessage;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** No TTL above it is believed. */
export const MAX_TTL_SECONDS = 86_400;
/** RFC 2308 section 5 has one to three hours for a sensible bound. */
const MAX_NEGATIVE_TTL_SECONDS = 3600;
/** What a reply counts at the least; larger ones make room for fewer. */
const OCTETS_PER_ENTRY = 1024;
/** Of the objects around the octets. */
const ENTRY_OVERHEAD = 400;
const MAX_FAILURES = 10_000;
const FAILURE_MS = 1000;
/** RFC 9520 allows five minutes; nobody waits that long for a name that works again. */
const MAX_FAILURE_MS = 30_000;

export class ForwardCache {
  readonly #clock: Clock;
  readonly #staleMs: number;
  readonly #replies: LRUCache<string, Entry> | undefined;
  // Sizes, not counts: for a count, all places would be laid out beforehand.
  readonly #failures = new LRUCache<string, Failure>({ maxSize: MAX_FAILURES, sizeCalculation: () => 1 });

  constructor({ clock, entries, staleMs }: ForwardCacheOptions) {
    this.#clock = clock;
    this.#staleMs = staleMs;
    if (entries === 0) return;
    this.#replies = new LRUCache({
      maxSize: entries * OCTETS_PER_ENTRY,
      sizeCalculation: ({ relayed: { octets, ttlsAt } }, key) =>
        Math.max(OCTETS_PER_ENTRY, octets.length + 8 * ttlsAt.length + key.length + ENTRY_OVERHEAD),
    });
  }

  get size(): number {
    return this.#replies?.size ?? 0;
  }

  /** Memory that they count for. */
  get octets(): number {
    return this.#replies?.calculatedSize ?? 0;
  }

  /** A reply, fresh or stale. */
  get(key: string): KeptReply | undefined {
    const entry = this.#replies?.get(key);
    if (entry === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= entry.untilMs + this.#staleMs) {
      this.#replies?.delete(key);
      return undefined;
    }
    const { relayed, sinceMs, untilMs } = entry;
    return { relayed, ageSeconds: Math.floor((nowMs - sinceMs) / 1000), isStale: nowMs >= untilMs };
  }

  /** Keep a reply if it may be kept; what failed before has not, then. */
  put(key: string, relayed: RelayedMessage): void {
    this.#failures.delete(key);
    const maxSeconds = relayed.isNegative ? MAX_NEGATIVE_TTL_SECONDS : MAX_TTL_SECONDS;
    const seconds = Math.min(relayed.ttlSeconds, maxSeconds);
    if (seconds === 0 || relayed.isTruncated) return;
    const sinceMs = this.#clock.monotonicMs();
    this.#replies?.set(key, { relayed, sinceMs, untilMs: sinceMs + seconds * 1000 });
  }

  /** Why a question is not worth asking at the moment. */
  failure(key: string): Pick<Failure, 'error' | 'relayed'> | undefined {
    const failure = this.#failures.get(key);
    return failure !== undefined && this.#clock.monotonicMs() < failure.untilMs ? failure : undefined;
  }

  /** A question failed: it is not asked again for a second, and for twice as long each time it fails again. */
  putFailure(key: string, error: ExtendedError, relayed: RelayedMessage | undefined): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#failures.get(key);
    const inRow = last !== undefined && nowMs < last.untilMs + 2 * last.waitMs;
    const waitMs = inRow ? Math.min(last.waitMs * 2, MAX_FAILURE_MS) : FAILURE_MS;
    this.#failures.set(key, { error, relayed, untilMs: nowMs + waitMs, waitMs });
  }

  /** An upstream is back: what failed may well work now. */
  forgetFailures(): void {
    this.#failures.clear();
  }

  clear(): void {
    this.#replies?.clear();
    this.#failures.clear();
  }
}
