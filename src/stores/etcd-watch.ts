// etcd-watch.ts -- follows etcd's history on a stream of its own, and looks at the whole now and then
//
// A stream that ends is taken up where the last event left off. When etcd has compacted that away, everything is listed
// at one revision and compared. The same is done soon after every cut and about every minute, since etcd itself has had
// faults by which a watch misses an event.

import { setTimeout as sleep } from 'node:timers/promises';
import type { IWatchResponse } from 'etcd3';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdClient, WatchStream } from './etcd-client.ts';
import type { EtcdFeed, RawEvent } from './etcd-feed.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { KeyEvent } from './etcd-mirror.ts';

/** Keys of one page of a list. */
const PAGE = 1_000;
/** A page may be away by a compaction when its turn comes. */
const LIST_ATTEMPTS = 3;
/** How long a stream may take to begin. */
const CREATE_TIMEOUT_MS = 2_000;
/** How often a stream is asked whether it still tells. */
const PROGRESS_MS = 1_000;
/** What is less than that ago is now. */
const NOW_MS = 2_500;

/** Times in milliseconds; the nodes of a cluster must not all list at once. */
export interface WatchTimes {
  /** Between full lists; a quarter more or less at random. */
  readonly relistMs: number;
  /** From a cut to a full list: up to this, at random. */
  readonly relistAfterCutMs: number;
  /** From a cut to the next stream; grows up to ten times that while none begins. */
  readonly reconnectMs: number;
}

export const WATCH_TIMES: WatchTimes = { relistMs: 60_000, relistAfterCutMs: 5_000, reconnectMs: 100 };

export interface EtcdList {
  readonly revision: number;
  readonly records: readonly KeyEvent[];
}

export class EtcdWatch {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #feed: EtcdFeed;
  readonly #log: Logger;
  readonly #times: WatchTimes;
  #stream: WatchStream | undefined;
  #running: Promise<void> | undefined;
  #listing: Promise<unknown> = Promise.resolve();
  #relist: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();
  #toldMs = Number.NEGATIVE_INFINITY;
  #progress: NodeJS.Timeout | undefined;

  constructor(client: EtcdClient, keys: EtcdKeys, feed: EtcdFeed, log: Logger, times: WatchTimes) {
    this.#client = client;
    this.#keys = keys;
    this.#feed = feed;
    this.#log = log;
    this.#times = times;
  }

  /** List, and follow from there. Resolves when the list is in. */
  async start(): Promise<void> {
    await this.list();
    this.#toldMs = performance.now();
    this.#progress = setInterval(() => this.#stream?.write({ progress_request: {} }), PROGRESS_MS).unref();
    // Whoever writes elsewhere from now on must not wait for the end of what a dead endpoint holds open.
    this.#client.onLeave(() => this.#stream?.cancel());
    this.#running = this.#run();
    this.#relistIn(this.#spread(this.#times.relistMs));
  }

  /** For how long it is unknown what happens in etcd; 0: it is told as it happens. */
  get silentMs(): number {
    const silentMs = Math.max(performance.now() - this.#toldMs, this.#client.silentMs);
    return silentMs < NOW_MS ? 0 : silentMs;
  }

  /** Everything, at one revision; what had been missed is told to the watchers. One list at a time. */
  list(): Promise<EtcdList> {
    const listed = this.#listing.then(() => this.#listOnce());
    this.#listing = listed.catch(() => {});
    return listed;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#relist);
    clearInterval(this.#progress);
    this.#stream?.cancel();
    await Promise.all([this.#running, this.#listing]);
  }

  async #listOnce(): Promise<EtcdList> {
    for (let attempt = 1; ; attempt++) {
      const since = this.#feed.revision;
      try {
        const { revision, events } = await this.#readAll();
        return { revision, records: this.#feed.reconcile(events, revision, since) };
      } catch (error) {
        if (!errorMessage(error).includes('compacted') || attempt >= LIST_ATTEMPTS) throw error;
      }
    }
  }

  async #readAll(): Promise<{ revision: number; events: RawEvent[] }> {
    const events: RawEvent[] = [];
    let from: Buffer = this.#keys.first;
    let revision = 0;
    for (;;) {
      if (this.#ending.signal.aborted) throw new CodedError('store_closed', 'the store is closed');
      const range = { key: from, range_end: this.#keys.end, limit: String(PAGE) };
      const page = await this.#client.range(revision === 0 ? range : { ...range, revision: String(revision) });
      if (revision === 0) revision = Number(page.header.revision);
      for (const { key, value, mod_revision, lease } of page.kvs) {
        events.push({ key, value, revision: Number(mod_revision), lease });
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { revision, events };
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  #relistIn(ms: number): void {
    clearTimeout(this.#relist);
    this.#relist = setTimeout(() => {
      void this.list()
        .catch((error: unknown) => this.#log.debug({ reason: errorMessage(error) }, 'etcd could not be listed'))
        .finally(() => {
          if (!this.#ending.signal.aborted) this.#relistIn(this.#spread(this.#times.relistMs));
        });
    }, ms).unref();
  }

  #spread(ms: number): number {
    return ms * (0.75 + Math.random() / 2);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let waitMs = this.#times.reconnectMs;
    while (!signal.aborted) {
      const end = await this.#follow().catch((error: unknown): StreamEnd => ({ reason: errorMessage(error) }));
      if (signal.aborted) return;
      this.#log.debug(
        { revision: this.#feed.revision, reason: end.reason },
        'the watch of etcd ended, and begins anew',
      );
      if (end.isRefused) await this.#catchUp();
      waitMs = end.hasBegun ? this.#times.reconnectMs : Math.min(waitMs * 2, this.#times.reconnectMs * 10);
      await sleep(this.#spread(waitMs), undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** A list also shows a token that ran out, and gets a new one. */
  async #catchUp(): Promise<void> {
    await this.list().catch((error: unknown) => {
      this.#log.debug({ reason: errorMessage(error) }, 'etcd could not be listed');
    });
  }

  /** One stream from its beginning to its end, however it ends. */
  async #follow(): Promise<StreamEnd> {
    const stream = await this.#client.watch();
    if (this.#ending.signal.aborted) stream.cancel();
    this.#stream = stream;
    return await new Promise<StreamEnd>((resolve) => {
      let hasBegun = false;
      let isOver = false;
      const finish = (end: Omit<StreamEnd, 'hasBegun'>): void => {
        isOver = true;
        this.#stream = undefined;
        clearTimeout(timer);
        resolve({ hasBegun, ...end });
        stream.cancel();
      };
      const timer = setTimeout(() => finish({ reason: 'it did not begin' }), CREATE_TIMEOUT_MS).unref();
      stream.on('error', (error) => finish({ reason: error.message }));
      stream.on('end', () => finish({ reason: 'etcd ended it' }));
      stream.on('data', (response) => {
        if (isOver) return;
        this.#toldMs = performance.now();
        if (response.canceled) return finish({ reason: cancelReason(response), isRefused: true });
        if (response.created) {
          hasBegun = true;
          clearTimeout(timer);
          this.#relistIn(Math.random() * this.#times.relistAfterCutMs);
        }
        this.#take(response);
      });
      stream.write({
        create_request: {
          key: this.#keys.first,
          range_end: this.#keys.end,
          start_revision: String(this.#feed.revision + 1),
          progress_notify: true,
        },
      });
    });
  }

  /**
   * How far it has come is what the last event says. The header's revision is that of the whole etcd: of a stream that
   * catches up it is far ahead of its events; only where it comes with none is everything before it told.
   */
  #take({ events, header, created, watch_id }: IWatchResponse): void {
    if (events.length === 0) {
      // Progress that was asked for may come before the events up to it (etcd issue 15220): it is of no watch.
      if (!created && Number(watch_id) >= 0) this.#feed.follow([], Number(header.revision));
      return;
    }
    const raw = events.map(({ type, kv }) => {
      const revision = Number(kv.mod_revision);
      const isGone = String(type).toLowerCase() === 'delete';
      return { key: kv.key, value: isGone ? undefined : kv.value, revision, lease: kv.lease };
    });
    this.#feed.follow(
      raw,
      raw.reduce((highest, { revision }) => Math.max(highest, revision), 0),
    );
  }
}

interface StreamEnd {
  readonly reason: string;
  readonly hasBegun?: boolean;
  /** etcd will not tell what happened from there on. */
  readonly isRefused?: boolean;
}

function cancelReason({ compact_revision, cancel_reason }: IWatchResponse): string {
  return Number(compact_revision) > 0 ? `compacted up to ${compact_revision}` : cancel_reason || 'etcd refused it';
}
