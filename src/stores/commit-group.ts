// commit-group.ts -- several commits judged in order and made one write
//
// Pure: nothing is changed until the caller has made the write durable and takes the staged state over.

import { Buffer } from 'node:buffer';
import type { CodedError } from '../base/errors.ts';
import type { CommittedBatch } from '../registry/store.ts';
import { findConflict, type PreparedBatch } from './batch.ts';
import { encodeRecord, type StoreMeta } from './lmdb-record.ts';

/** What is known of a record without its value. */
export interface IndexEntry {
  readonly revision: number;
  readonly checksum: number;
}

/** A group judged and encoded. */
export interface StagedGroup {
  /** For each commit, in order: its revision, or why it is refused. */
  readonly results: readonly (number | CodedError)[];
  /** What watchers are to see, in order. */
  readonly batches: readonly CommittedBatch[];
  /** The last state of every key that was touched; undefined: gone. */
  readonly entries: ReadonlyMap<string, IndexEntry | undefined>;
  /** The bytes of the same. */
  readonly changes: ReadonlyMap<string, Buffer | undefined>;
  readonly meta: StoreMeta;
}

/** Judge each commit against `index` and `meta` as the commits before it leave them. */
export function stageGroup(
  commits: readonly PreparedBatch[],
  index: ReadonlyMap<string, IndexEntry>,
  meta: StoreMeta,
): StagedGroup {
  const entries = new Map<string, IndexEntry | undefined>();
  const changes = new Map<string, Buffer | undefined>();
  const results: (number | CodedError)[] = [];
  const batches: CommittedBatch[] = [];
  const entryOf = (key: string) => (entries.has(key) ? entries.get(key) : index.get(key));
  let { revision, records, digest } = meta;

  for (const { mutations, preconditions } of commits) {
    const conflict = findConflict(preconditions, (key) => entryOf(key)?.revision ?? 0);
    if (conflict !== undefined || mutations.length === 0) {
      results.push(conflict ?? revision);
      continue;
    }
    revision += 1;
    for (const { key, value } of mutations) {
      const old = entryOf(key);
      if (old !== undefined) {
        records -= 1;
        digest = (digest - old.checksum) >>> 0;
      }
      if (value === undefined) {
        entries.set(key, undefined);
        changes.set(key, undefined);
        continue;
      }
      const { bytes, checksum } = encodeRecord(Buffer.from(key, 'utf8'), revision, JSON.stringify(value));
      records += 1;
      digest = (digest + checksum) >>> 0;
      entries.set(key, { revision, checksum });
      changes.set(key, bytes);
    }
    results.push(revision);
    batches.push(Object.freeze({ revision, mutations }));
  }
  return { results, batches, entries, changes, meta: { revision, records, digest } };
}
