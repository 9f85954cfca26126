// etcd-feed.ts -- what etcd tells, turned into batches for the watchers, each once and in order
//
// A commit of our own shows by the marker that was written with it. Watchers then get the mutations as they were asked
// for (the deletion of what was not there leaves no event in etcd), and whoever waits for the commit gets its answer.

import type { Logger } from '../base/log.ts';
import type { CommittedBatch } from '../registry/store.ts';
import { deepFreeze, type PreparedBatch } from './batch.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import { EtcdMirror, type KeyEvent } from './etcd-mirror.ts';
import type { Watchers } from './watchers.ts';

/** A key and value as etcd has them; value undefined: deleted. */
export interface RawEvent {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
  readonly revision: number;
  /** Of a key that goes by itself; '0' or undefined: it does not. */
  readonly lease?: string;
}

/** A write of ours that is under way. */
interface OwnWrite {
  readonly id: string;
  readonly batches: readonly PreparedBatch[];
  readonly onDelivered: (revision: number) => void;
  /** Once etcd said so. */
  revision?: number;
}

/** Events sorted by what they are. */
interface Sorted {
  readonly records: KeyEvent[];
  /** Commit id in our own marker -> its revision. */
  readonly marks: Map<string, number>;
  /** Revisions that some writer made. */
  readonly written: Set<number>;
}

export class EtcdFeed {
  readonly #keys: EtcdKeys;
  readonly #writer: string;
  readonly #watchers: Watchers;
  readonly #log: Logger;
  readonly #onLease: (key: string, lease: string | undefined) => void;
  readonly #mirror = new EtcdMirror();
  readonly #own = new Map<string, OwnWrite>();
  readonly #waiting = new Set<() => boolean>();
  #revision = 0;

  /** `onLease` hears which lease a key has; undefined: it is gone. */
  constructor(
    keys: EtcdKeys,
    writer: string,
    watchers: Watchers,
    log: Logger,
    onLease: (key: string, lease: string | undefined) => void = () => {},
  ) {
    this.#onLease = onLease;
    this.#keys = keys;
    this.#writer = writer;
    this.#watchers = watchers;
    this.#log = log;
  }

  /** How far etcd's history has been told here. */
  get revision(): number {
    return this.#revision;
  }

  /** The revision of a key as far as told here; 0: not there. */
  revisionOf(key: string): number {
    return this.#mirror.revisionOf(key);
  }

  /** A write of ours may show from now on. */
  expect(id: string, batches: readonly PreparedBatch[], onDelivered: (revision: number) => void): void {
    this.#own.set(id, { id, batches, onDelivered });
  }

  /** It was not made. */
  forget(id: string): void {
    this.#own.delete(id);
  }

  /** It was made at this revision; it may have been told already. */
  confirm(id: string, revision: number): void {
    const own = this.#own.get(id);
    if (own !== undefined) own.revision = revision;
    if (own !== undefined && revision <= this.#revision) this.#tell([], this.#revision);
  }

  /** All our writes up to here have been told. */
  get isSettled(): boolean {
    return this.#own.size === 0;
  }

  /** Resolves when `condition` holds, which is looked at when something was told; at once if it does already. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const look = (): boolean => {
        if (!condition()) return false;
        resolve();
        return true;
      };
      this.#waiting.add(look);
    });
  }

  /** Events of the watch: all that happened up to `revision`, or again what happened before. */
  follow(raw: readonly RawEvent[], revision: number): void {
    const { records, marks, written } = this.#sort(raw);
    records.sort((a, b) => a.revision - b.revision);
    this.#tell(records, Math.max(this.#revision, revision), marks, written);
  }

  /**
   * Everything there is at `revision`: tells what was missed. `since` is `revision` of this feed when the list was
   * asked for: a list that is older shows that etcd was put back to a backup. Returns the records.
   */
  reconcile(raw: readonly RawEvent[], revision: number, since: number): readonly KeyEvent[] {
    if (revision < since) {
      this.#log.error({ revision, before: since }, 'etcd has gone back to an earlier state: taking that over');
      this.#mirror.rewind();
      this.#revision = 0;
    }
    const { records, marks } = this.#sort(raw);
    this.#tell(this.#mirror.difference(records, revision), Math.max(this.#revision, revision), marks);
    this.#mirror.noteListed(revision);
    return records;
  }

  #sort(raw: readonly RawEvent[]): Sorted {
    const sorted: Sorted = { records: [], marks: new Map(), written: new Set() };
    for (const { key, value, revision, lease } of raw) {
      const found = this.#keys.read(key);
      if (found?.kind === 'record') {
        this.#onLease(found.key, value === undefined ? undefined : lease);
        const parsed = value === undefined ? undefined : this.#parse(found.key, value);
        if (parsed !== INVALID) sorted.records.push({ key: found.key, revision, value: parsed });
      } else if (found?.kind === 'writer') {
        sorted.written.add(revision);
        const commit = found.writer === this.#writer && value !== undefined ? readCommit(value) : undefined;
        if (commit !== undefined) sorted.marks.set(commit, revision);
      }
    }
    return sorted;
  }

  /** What somebody else put there may be anything; a record that cannot be read is left alone. */
  #parse(key: string, value: Buffer): unknown {
    try {
      return deepFreeze(JSON.parse(value.toString('utf8')));
    } catch {
      this.#log.warn({ key }, 'a value in etcd is not JSON, left alone');
      return INVALID;
    }
  }

  /** Tell records, in order of revision, with our own writes in their places. */
  #tell(
    records: readonly KeyEvent[],
    upTo: number,
    marks: ReadonlyMap<string, number> = new Map(),
    written?: ReadonlySet<number>,
  ): void {
    for (const [id, revision] of marks) {
      const own = this.#own.get(id);
      if (own !== undefined) own.revision = revision;
    }
    const due = [...this.#own.values()].filter(({ revision }) => revision !== undefined && revision <= upTo);
    due.sort((a, b) => a.revision! - b.revision!);
    for (let i = 0; i < records.length; ) {
      const { revision } = records[i]!;
      while (due.length > 0 && due[0]!.revision! <= revision) this.#tellOwn(due.shift()!);
      const start = i;
      while (records[i]?.revision === revision) i += 1;
      const events = records.slice(start, i);
      // Whoever commits marks it; what goes by itself has no mark.
      const isExpiry = written?.has(revision) === false && events.every(({ value }) => value === undefined);
      this.#deliver(revision, events, isExpiry);
    }
    for (const own of due) this.#tellOwn(own);
    this.#revision = upTo;
    for (const look of this.#waiting) if (look()) this.#waiting.delete(look);
  }

  #tellOwn(own: OwnWrite): void {
    this.#own.delete(own.id);
    const revision = own.revision!;
    for (const { mutations } of own.batches) {
      this.#deliver(
        revision,
        mutations.map(({ key, value }) => ({ key, value, revision })),
      );
    }
    own.onDelivered(revision);
  }

  #deliver(revision: number, events: readonly KeyEvent[], isExpiry = false): void {
    const mutations = events.filter((event) => this.#mirror.take(event)).map(({ key, value }) => ({ key, value }));
    if (mutations.length === 0) return;
    const about = isExpiry ? { isExpiry } : {};
    const batch: CommittedBatch = { revision, mutations: mutations.map((each) => Object.freeze(each)), ...about };
    this.#watchers.deliver(Object.freeze(batch));
  }
}

const INVALID = Symbol('not JSON');

/** The commit that a marker names. */
export function readCommit(value: Buffer): string | undefined {
  try {
    const { commit } = JSON.parse(value.toString('utf8'));
    return typeof commit === 'string' ? commit : undefined;
  } catch {
    return undefined;
  }
}
