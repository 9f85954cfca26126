// etcd-leases.ts -- keys that go by themselves: an etcd lease for each, renewed by whichever node likes
//
// Renewals go over one stream, and are no writes in etcd. A lease that is gone took its key along, which the watch tells;
// nothing is granted anew here.

import type { Logger } from '../base/log.ts';
import type { Mutation } from '../registry/store.ts';
import type { EtcdClient, KeepAliveStream } from './etcd-client.ts';

/** etcd takes whole seconds, and makes two of one: its elections take as long. */
const MIN_TTL_SECONDS = 2;
/** One lease is renewed so often at most. */
const RENEW_EVERY_MS = 500;
const REOPEN_MS = 250;
/** Leases asked for at once. */
const GRANTS = 64;

export class EtcdLeases {
  readonly #client: EtcdClient;
  readonly #log: Logger;
  /** Lease of each key that has one. */
  readonly #leases = new Map<string, string>();
  readonly #renewedMs = new Map<string, number>();
  #due = new Set<string>();
  #stream: KeepAliveStream | undefined;
  #opening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: EtcdClient, log: Logger) {
    this.#client = client;
    this.#log = log;
    client.onLeave(() => this.#disconnect());
  }

  /** What etcd tells of a key; lease undefined: it has none, or is gone. */
  take(key: string, lease: string | undefined): void {
    if (lease === undefined || lease === '0') this.#leases.delete(key);
    else this.#leases.set(key, lease);
  }

  /** A new lease for every mutation that is to go by itself, by key. Rejects as the client does. */
  async grant(mutations: readonly Mutation[]): Promise<ReadonlyMap<string, string>> {
    const granted = new Map<string, string>();
    const timed = mutations.filter(({ value, ttlMs }) => value !== undefined && ttlMs !== undefined);
    for (let i = 0; i < timed.length; i += GRANTS) {
      await Promise.all(
        timed.slice(i, i + GRANTS).map(async ({ key, ttlMs = 0 }) => {
          const ttlSeconds = Math.max(MIN_TTL_SECONDS, Math.ceil(ttlMs / 1000));
          granted.set(key, await this.#client.grant(ttlSeconds));
        }),
      );
    }
    return granted;
  }

  /** Begin the time of a key anew, if it has one. */
  renew(key: string): void {
    const lease = this.#leases.get(key);
    if (lease === undefined || this.#closed) return;
    const nowMs = performance.now();
    if (nowMs - (this.#renewedMs.get(lease) ?? Number.NEGATIVE_INFINITY) < RENEW_EVERY_MS) return;
    this.#renewedMs.set(lease, nowMs);
    this.#due.add(lease);
    this.#flush();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#disconnect();
  }

  #disconnect(): void {
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  #flush(): void {
    const stream = this.#stream;
    if (stream === undefined) {
      this.#opening ??= this.#open().finally(() => {
        this.#opening = undefined;
      });
      return;
    }
    const due = this.#due;
    this.#due = new Set();
    for (const lease of due) stream.write({ ID: lease });
    if (this.#renewedMs.size > 2 * this.#leases.size + 1_000) this.#renewedMs.clear();
  }

  async #open(): Promise<void> {
    try {
      const stream = await this.#client.keepAlive();
      const end = (): void => {
        if (this.#stream === stream) this.#stream = undefined;
        // What was sent last may not have arrived.
        this.#renewedMs.clear();
        this.#flushLater();
      };
      stream.on('data', () => {});
      stream.on('error', (error) => {
        this.#log.debug({ reason: error.message }, 'the stream of renewals ended');
        end();
      });
      stream.on('end', end);
      if (this.#closed) return stream.cancel();
      this.#stream = stream;
    } catch {
      this.#flushLater();
      return;
    }
    // What was asked for while it opened.
    queueMicrotask(() => this.#flush());
  }

  #flushLater(): void {
    if (this.#closed || this.#due.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), REOPEN_MS).unref();
  }
}
