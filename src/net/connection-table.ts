// connection-table.ts -- all stream connections of the server: how many there may be, and which of them give way
//
// When there are too many, the one that has asked nothing for longest goes, as in gdnsd: who floods us with connections
// that say nothing only drives out the like. That holds for all of them and for those of one source; handshakes under
// way are counted apart, so that they never drive out clients that ask.

import type { Clock, Timer } from '../base/clock.ts';
import { FairTurns, type TurnTaker } from './fair-turns.ts';
import { HeldOctets, type Holder } from './held-octets.ts';

/** Bounds of streams; times in milliseconds. */
export interface StreamLimits {
  /** Connections at once, over all listeners. */
  readonly maxConnections: number;
  /** Of them from one IPv4 address or IPv6 /56; loopback is exempt: stub resolvers and balancers are there. */
  readonly maxPerSource: number;
  /** Without a whole query for so long, a connection is closed. */
  readonly idleTimeoutMs: number;
  /** For the first query; on TLS also for the handshake. */
  readonly firstQueryTimeoutMs: number;
  /** A client that takes no replies for so long is dropped. */
  readonly writeTimeoutMs: number;
}

export const STREAM_LIMITS: StreamLimits = {
  maxConnections: 1024,
  maxPerSource: 128,
  idleTimeoutMs: 10_000,
  firstQueryTimeoutMs: 3000,
  writeTimeoutMs: 5000,
};

export type StreamTransport = 'tcp' | 'tls';

/**
 * Why connections were dropped: there were too many (`full`), or from one source (`source`), or they held too much
 * memory (`memory`); no query came in time (`idle`), replies were not taken (`unread`); the handshake failed or was late
 * (`handshake`), or the PROXY header did (`proxy`).
 */
export const DROP_CAUSES = ['full', 'source', 'memory', 'idle', 'unread', 'handshake', 'proxy'] as const;
export type DropCause = (typeof DROP_CAUSES)[number];

/** A connection that may ask. */
export interface Seat extends Holder, TurnTaker {
  readonly transport: StreamTransport;
  /** What connections of one source are counted under; undefined: not at all. */
  readonly source: string | undefined;
  /** Close it at once, and count why. */
  drop(cause: DropCause): void;
  lookAtClock(nowMs: number, limits: StreamLimits): void;
}

/** A connection that cannot ask yet: its PROXY header or its TLS handshake is not through. */
export interface Greeting {
  readonly transport: StreamTransport;
  readonly sinceMs: number;
  /** What it fails by if it takes too long. */
  readonly cause: DropCause;
  destroy(): void;
}

const SWEEP_MS = 1000;
/** How long clients may take to close their side when we have closed ours. */
export const DRAIN_MS = 1000;
/** Over all connections, for unfinished messages and replies that are not taken. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** Of all connections, so many at most may be greetings. */
const GREETING_SHARE = 1 / 4;
/** From here on clients are asked to go when they have their replies (RFC 7828 section 3.4). */
const NEARLY_FULL = 0.8;

export class ConnectionTable {
  readonly clock: Clock;
  readonly turns = new FairTurns();
  readonly held = new HeldOctets<Seat>(MAX_HELD_BYTES);
  /** What is in force; may be exchanged at any time. */
  limits: StreamLimits;
  /** The longest idle first. */
  readonly #connections = new Set<Seat>();
  readonly #greetings = new Set<Greeting>();
  /** Connections by source, in the same order. */
  readonly #sources = new Map<string, Set<Seat>>();
  readonly #dropped = new Map<DropCause, number>();
  #sweep: Timer | undefined;

  constructor(clock: Clock, limits: StreamLimits = STREAM_LIMITS) {
    this.clock = clock;
    this.limits = limits;
  }

  /** Connections and greetings. */
  get size(): number {
    return this.#connections.size + this.#greetings.size;
  }

  get isNearlyFull(): boolean {
    return this.size > this.limits.maxConnections * NEARLY_FULL;
  }

  count(transport: StreamTransport): number {
    let count = 0;
    for (const each of this.#connections) if (each.transport === transport) count++;
    for (const each of this.#greetings) if (each.transport === transport) count++;
    return count;
  }

  droppedCount(cause: DropCause): number {
    return this.#dropped.get(cause) ?? 0;
  }

  /** Count a connection that is dropped. */
  dropped(cause: DropCause): void {
    this.#dropped.set(cause, this.droppedCount(cause) + 1);
  }

  /** Somebody begins to greet; the longest such greeting gives way when there are too many. */
  greet(greeting: Greeting): void {
    if (this.#greetings.size >= Math.max(1, Math.floor(this.limits.maxConnections * GREETING_SHARE))) {
      const [longest] = this.#greetings;
      this.#endGreeting(longest!, 'full');
    } else this.#makeRoom();
    this.#greetings.add(greeting);
    this.#armSweep();
  }

  /** The greeting is over, for better or worse. */
  greeted(greeting: Greeting): void {
    this.#greetings.delete(greeting);
    this.#disarmSweep();
  }

  /** A connection that may ask. */
  add(connection: Seat): void {
    const { source } = connection;
    const same = source === undefined ? undefined : this.#sources.get(source);
    if (same !== undefined && same.size >= this.limits.maxPerSource) {
      const [longest] = same;
      longest!.drop('source');
    }
    this.#makeRoom();
    this.#connections.add(connection);
    if (source !== undefined) {
      // `same` is no longer in the map if its last connection went.
      const now = this.#sources.get(source) ?? new Set();
      this.#sources.set(source, now.add(connection));
    }
    this.#armSweep();
  }

  /** A query came in, or a transfer went on: the connection goes to the end of the line. */
  touch(connection: Seat): void {
    if (!this.#connections.delete(connection)) return;
    this.#connections.add(connection);
    const same = connection.source === undefined ? undefined : this.#sources.get(connection.source);
    if (same?.delete(connection)) same.add(connection);
  }

  remove(connection: Seat): void {
    this.#connections.delete(connection);
    this.turns.remove(connection);
    this.held.set(connection, 0);
    this.#disarmSweep();
    const { source } = connection;
    const same = source === undefined ? undefined : this.#sources.get(source);
    if (source === undefined || same === undefined) return;
    same.delete(connection);
    if (same.size === 0) this.#sources.delete(source);
  }

  /** The longest idle connection goes; without any, the longest greeting. */
  evict(): void {
    const [idlest] = this.#connections;
    if (idlest !== undefined) {
      idlest.drop('full');
      return;
    }
    const [longest] = this.#greetings;
    if (longest !== undefined) this.#endGreeting(longest, 'full');
  }

  #makeRoom(): void {
    while (this.size > 0 && this.size >= this.limits.maxConnections) this.evict();
  }

  #endGreeting(greeting: Greeting, cause: DropCause): void {
    this.#greetings.delete(greeting);
    this.dropped(cause);
    greeting.destroy();
  }

  /** Runs while there is anything to look after. */
  #armSweep(): void {
    this.#sweep ??= this.clock.after(SWEEP_MS, () => {
      this.#sweep = undefined;
      const nowMs = this.clock.monotonicMs();
      for (const greeting of this.#greetings) {
        if (nowMs - greeting.sinceMs <= this.limits.firstQueryTimeoutMs) break;
        this.#endGreeting(greeting, greeting.cause);
      }
      for (const connection of this.#connections) connection.lookAtClock(nowMs, this.limits);
      if (this.size > 0) this.#armSweep();
    });
  }

  #disarmSweep(): void {
    if (this.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }
}
