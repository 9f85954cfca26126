// kept-connections.ts -- connections kept between the probes of a check
//
// A probe on a new one costs up to three times (HTTP) or five times (HTTP/2) what it does on one that is there. None is kept for long: a
// listener that takes nobody new, or a certificate that ran out, would never be noticed.

import type { CheckSpec } from '../health/check-spec.ts';
import type { ProbeSignal } from './probe-signal.ts';

/** Longest time a connection waits for its next probe. */
export const IDLE_LIMIT_MS = 65_000;

/** Longest time a connection is used. */
const AGE_LIMIT_MS = 300_000;

/** The connection was lost before anything of an answer was seen: the request may not even have been read. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export interface KeptConnection {
  readonly isOpen: boolean;
  /** When it was opened, by performance.now. */
  readonly openedMs: number;
  /** Call `listener` when it is gone. */
  onClose(listener: () => void): void;
  close(): void;
}

/** What came of one use of a connection. */
export interface Use<R> {
  readonly result: R;
  /** Leave the connection to the next probe. */
  readonly isReusable: boolean;
}

interface Kept<C> {
  readonly connection: C;
  /** The check it was opened for: another of the same id may ask elsewhere. */
  readonly check: CheckSpec;
}

/** At most one idle connection for each check of each instance; each forgets itself when it is closed. */
export class KeptConnections<C extends KeptConnection> {
  readonly #kept = new Map<string, Kept<C>>();
  #closed = false;

  /**
   * Do `use` on the connection kept for this check, or on a new one. The server may close an idle connection in the very
   * moment it is used again. That says nothing about its health, so after a ConnectionLost a new one decides; only what
   * may be repeated must be done on connections that are kept. The connection is closed unless it is kept again.
   */
  async use<R>(
    { instanceId, check }: { readonly instanceId: string; readonly check: CheckSpec },
    signal: ProbeSignal,
    open: () => Promise<C>,
    use: (connection: C) => Promise<Use<R>>,
  ): Promise<R> {
    const key = `${instanceId} ${check.id}`;
    const idle = this.#take(key, check);
    if (idle !== undefined) {
      try {
        return await this.#useOne(key, check, idle, use);
      } catch (thrown) {
        if (signal.aborted || !(thrown instanceof ConnectionLost)) throw thrown;
      }
    }
    const connection = await open();
    this.#forgetWhenClosed(key, connection);
    return await this.#useOne(key, check, connection, use);
  }

  /** Close what is kept, and keep nothing any more. */
  close(): void {
    this.#closed = true;
    for (const { connection } of [...this.#kept.values()]) connection.close();
    this.#kept.clear();
  }

  async #useOne<R>(key: string, check: CheckSpec, connection: C, use: (connection: C) => Promise<Use<R>>): Promise<R> {
    let isWanted = false;
    try {
      const { result, isReusable } = await use(connection);
      isWanted = isReusable && performance.now() - connection.openedMs < AGE_LIMIT_MS;
      return result;
    } finally {
      if (isWanted && connection.isOpen && !this.#closed && !this.#kept.has(key)) {
        this.#kept.set(key, { connection, check });
      } else connection.close();
    }
  }

  /** A function of its own, so that the listener keeps nothing else of a probe alive. */
  #forgetWhenClosed(key: string, connection: C): void {
    connection.onClose(() => {
      if (this.#kept.get(key)?.connection === connection) this.#kept.delete(key);
    });
  }

  #take(key: string, check: CheckSpec): C | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    if (kept.check === check && kept.connection.isOpen) return kept.connection;
    kept.connection.close();
    return undefined;
  }
}

/** May a connection to this check's host serve more than one probe? A schedule leaves it idle for too long. */
export function isWorthKeeping(check: CheckSpec): boolean {
  return check.schedule === undefined && check.intervalMs < IDLE_LIMIT_MS;
}
