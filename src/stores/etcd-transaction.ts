// etcd-transaction.ts -- commits as one transaction of etcd, however many keys they have
//
// etcd takes 128 operations in a transaction (`--max-txn-ops`), counted level by level: a transaction may hold others,
// and what one level uses the next has less. So operations go two levels deep, all under the comparisons of the first:
// it stays one transaction, all or nothing, at one revision. The bound then is the size of a request.

import { Buffer } from 'node:buffer';
import type { ICompare, IRequestOp, ITxnRequest } from 'etcd3';
import { CodedError } from '../base/errors.ts';
import type { PreparedBatch } from './batch.ts';
import type { EtcdKeys } from './etcd-keys.ts';

const MAX_TXN_OPS = 128;
/** etcd's `--max-request-bytes` is 1.5 MiB; the rest is for what surrounds keys and values. */
const MAX_BYTES = 1_400_000;
/** More preconditions than this are held by one comparison over all writers. */
const MAX_COMPARED = 60;
/** With at most MAX_COMPARED + 2 operations on the first level there are 64 levels below it with 64 operations each. */
const CHUNK = MAX_TXN_OPS / 2;
const MAX_OPERATIONS = CHUNK * CHUNK;

/** Bounds what is lost when a transaction of several commits is refused, and how long it holds up etcd. */
const GROUP_OPERATIONS = 1_000;
const GROUP_BYTES = 512 * 1024;

/** A batch encoded: what it costs, and its operations. */
export interface EncodedBatch {
  readonly batch: PreparedBatch;
  readonly operations: readonly IRequestOp[];
  readonly bytes: number;
}

/** Encode a batch; `leases`: of the keys that are to have one. Throws CodedError `batch_too_large`. */
export function encodeBatch(batch: PreparedBatch, keys: EtcdKeys, leases: ReadonlyMap<string, string>): EncodedBatch {
  let bytes = 0;
  const operations = batch.mutations.map(({ key, value }): IRequestOp => {
    const name = keys.record(key);
    bytes += name.length;
    if (value === undefined) return { request_delete_range: { key: name } } as IRequestOp;
    const json = Buffer.from(JSON.stringify(value), 'utf8');
    bytes += json.length;
    const lease = leases.get(key);
    return { request_put: { key: name, value: json, ...(lease === undefined ? {} : { lease }) } } as IRequestOp;
  });
  if (operations.length >= MAX_OPERATIONS) {
    throw tooLarge(`${operations.length} changes; at most ${MAX_OPERATIONS - 1} are allowed`);
  }
  if (bytes > MAX_BYTES) throw tooLarge(`${bytes} octets; at most ${MAX_BYTES} are allowed`);
  return { batch, operations, bytes };
}

function tooLarge(what: string): CodedError {
  return new CodedError('batch_too_large', `etcd cannot take a batch of ${what}`);
}

/** What a transaction is to be made of. */
export interface TransactionParts {
  readonly keys: EtcdKeys;
  readonly writer: string;
  /** Revision of the writer's marker as last known; 0: none. */
  readonly marked: number;
  /** The id of this commit, and when it is made. */
  readonly commit: string;
  readonly at: string;
}

/** Are the preconditions compared one by one? Otherwise they must have been judged here, at `judgedAt`. */
export function isCompared({ batch }: EncodedBatch): boolean {
  return batch.preconditions.length <= MAX_COMPARED;
}

/**
 * The transaction. When it fails it answers with the writer's marker first and then the keys of the preconditions, one
 * range each; when these were judged here (`judgedAt`: up to which revision), with the marker written last.
 */
export function buildTransaction(
  parts: TransactionParts,
  group: readonly EncodedBatch[],
  judgedAt?: number,
): ITxnRequest {
  const { keys, writer } = parts;
  const compare = [isMarked(parts)];
  const failure: IRequestOp[] = [{ request_range: { key: keys.writer(writer) } } as IRequestOp];
  if (judgedAt === undefined) {
    for (const { batch } of group) {
      for (const { key, revision } of batch.preconditions) {
        compare.push(isAt(keys.record(key), revision));
        failure.push({ request_range: { key: keys.record(key), keys_only: true } } as IRequestOp);
      }
    }
  } else {
    const { firstWriter: key, endWriters: range_end } = keys;
    compare.push({ key, range_end, target: 'Mod', result: 'Less', mod_revision: String(judgedAt + 1) } as never);
    const order = { sort_order: 'Descend', sort_target: 'Mod', limit: '1' };
    failure.push({ request_range: { key, range_end, ...order } } as never);
  }
  const operations = group.flatMap((each) => each.operations);
  if (operations.length > 0) operations.unshift(mark(parts));
  return { compare, success: nest(operations), failure };
}

/** A transaction that marks `commit`, unless the marker is no longer what it was: then it answers with the marker. */
export function buildFence(parts: TransactionParts): ITxnRequest {
  const failure = [{ request_range: { key: parts.keys.writer(parts.writer) } } as IRequestOp];
  return { compare: [isMarked(parts)], success: [mark(parts)], failure };
}

function isMarked({ keys, writer, marked }: TransactionParts): ICompare {
  return isAt(keys.writer(writer), marked);
}

function isAt(key: Buffer, revision: number): ICompare {
  // A key that does not exist counts as written at 0. etcd3's types have numbers for what goes out as names.
  return { key, target: 'Mod', result: 'Equal', mod_revision: String(revision) } as never;
}

function mark({ keys, writer, commit, at }: TransactionParts): IRequestOp {
  const value = Buffer.from(JSON.stringify({ commit, at }), 'utf8');
  return { request_put: { key: keys.writer(writer), value } } as IRequestOp;
}

function nest(operations: readonly IRequestOp[]): IRequestOp[] {
  if (operations.length <= MAX_TXN_OPS) return [...operations];
  const chunks: IRequestOp[] = [];
  for (let i = 0; i < operations.length; i += CHUNK) {
    const success = operations.slice(i, i + CHUNK);
    chunks.push({ request_txn: { compare: [], success, failure: [] } } as unknown as IRequestOp);
  }
  return chunks;
}

/** How many of the first batches may be one transaction: no key in two of them, and not too much. At least one. */
export function groupLength(batches: readonly EncodedBatch[], maxCommits: number): number {
  const written = new Set<string>();
  const judged = new Set<string>();
  let [operations, bytes, preconditions, length] = [0, 0, 0, 0];
  for (const each of batches) {
    const { batch } = each;
    operations += each.operations.length;
    bytes += each.bytes;
    preconditions += batch.preconditions.length;
    const fits = operations <= GROUP_OPERATIONS && bytes <= GROUP_BYTES && preconditions <= MAX_COMPARED;
    const isApart =
      batch.mutations.every(({ key }) => !written.has(key) && !judged.has(key)) &&
      batch.preconditions.every(({ key }) => !written.has(key));
    // One without changes is judged by itself: it writes no marker.
    if (length > 0 && (!fits || !isApart || batch.mutations.length === 0 || length >= maxCommits)) break;
    length += 1;
    for (const { key } of batch.mutations) written.add(key);
    for (const { key } of batch.preconditions) judged.add(key);
    if (batch.mutations.length === 0) break;
  }
  return length;
}
