// etcd-writer.ts -- commits to etcd, each made once or not at all, also when an answer is lost
//
// Every transaction writes this writer's marker, and only if that is still what the one before left. One is under way
// at a time. When its answer is lost, a fence goes after it: a transaction that changes nothing but the marker, under
// the same condition. Whichever comes first shuts the other out, so after the fence's answer it is known for good
// whether the commit was made; only then is it made again, or the next one.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ITxnResponse } from 'etcd3';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { findConflict, type PreparedBatch } from './batch.ts';
import { type EtcdClient, isRefusal } from './etcd-client.ts';
import { type EtcdFeed, readCommit } from './etcd-feed.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import {
  buildFence,
  buildTransaction,
  type EncodedBatch,
  encodeBatch,
  groupLength,
  isCompared,
  type TransactionParts,
} from './etcd-transaction.ts';

/** Whoever commits has an answer after this. */
const ANSWER_WITHIN_MS = 2_000;
/** Leaves time to find out what became of it. */
const SEND_TIMEOUT_MS = 1_000;
const FENCE_TIMEOUT_MS = 450;
const FENCE_PAUSE_MS = 50;
/** When etcd has said that a commit was made and the watch is silent for so long, everything is listed. */
const TELL_WITHIN_MS = 300;

/** A commit that waits for its answer: the revision, or why there is none. */
class Waiting implements EncodedBatch {
  readonly batch: PreparedBatch;
  readonly operations: EncodedBatch['operations'];
  readonly bytes: number;
  readonly answered: Promise<number>;
  readonly #resolve: (revision: number) => void;
  readonly #reject: (error: unknown) => void;
  /** It may have been made. */
  isSent = false;
  isAnswered = false;

  constructor({ batch, operations, bytes }: EncodedBatch) {
    this.batch = batch;
    this.operations = operations;
    this.bytes = bytes;
    const { promise, resolve, reject } = withResolvers();
    this.answered = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** The first answer holds. */
  answer(result: unknown): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    if (typeof result === 'number') this.#resolve(result);
    else this.#reject(result);
  }
}

function withResolvers() {
  let resolve!: (revision: number) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<number>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}

/** What became of a transaction; for all of its commits. */
type Outcome =
  | { readonly kind: 'made'; readonly revision: number }
  /** A precondition failed; `response` tells of its keys. */
  | { readonly kind: 'failed'; readonly response: ITxnResponse }
  /** Not made; may be tried again. */
  | { readonly kind: 'not made' }
  | { readonly kind: 'refused'; readonly error: unknown };

export interface EtcdWriterOptions {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly feed: EtcdFeed;
  readonly log: Logger;
  /** Names the marker; of no other process, ever. */
  readonly writer: string;
  /** The most commits that share a transaction, and with it a revision. */
  readonly maxGroup: number;
  /** Tell what the watch did not. */
  readonly catchUp: () => Promise<unknown>;
}

export class EtcdWriter {
  readonly #options: EtcdWriterOptions;
  readonly #feed: EtcdFeed;
  readonly #unanswered = new Set<Waiting>();
  #queue: Waiting[] = [];
  #working: Promise<void> | undefined;
  #number = 0;
  #marked = 0;
  #isDoubtful = false;
  #closed = false;

  constructor(options: EtcdWriterOptions) {
    this.#options = options;
    this.#feed = options.feed;
  }

  /** Is it unknown whether the last commit was made? */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Commit in turn, keys with these leases; rejects as `Store.commit` does, within two seconds. */
  commit(batch: PreparedBatch, leases: ReadonlyMap<string, string>): Promise<number> {
    const encoded = encodeBatch(batch, this.#options.keys, leases);
    const waiting = new Waiting(encoded);
    const timer = setTimeout(() => this.#giveUp(waiting), ANSWER_WITHIN_MS);
    this.#unanswered.add(waiting);
    this.#queue.push(waiting);
    this.#working ??= this.#work();
    return waiting.answered.finally(() => {
      clearTimeout(timer);
      this.#unanswered.delete(waiting);
    });
  }

  /** Resolves when every commit has its answer, which is within two seconds. Nothing is made after that. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#unanswered].map(({ answered }) => answered));
  }

  #giveUp(waiting: Waiting): void {
    const what = waiting.isSent ? 'it may have been made, look again' : 'it was not made';
    waiting.answer(new CodedError('store_unavailable', `etcd did not answer a commit in time: ${what}`));
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // those who ask in the same turn may share a transaction
    for (;;) {
      this.#queue = this.#queue.filter(({ isAnswered }) => !isAnswered);
      if (this.#queue.length === 0) break;
      const group = this.#queue.splice(0, groupLength(this.#queue, this.#options.maxGroup));
      try {
        await this.#make(group);
      } catch (error) {
        for (const waiting of group) waiting.answer(error);
      }
    }
    this.#working = undefined;
  }

  async #make(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    if (first.batch.mutations.length === 0) return await this.#judge(first);
    const isJudgedHere = !isCompared(first);
    if (isJudgedHere && !(await this.#isStillGood(first))) return;
    const outcome = await this.#transact(group, isJudgedHere ? this.#feed.revision : undefined);
    if (outcome.kind === 'made') return;
    if (outcome.kind === 'failed' && group.length === 1) {
      if (isJudgedHere) await this.#seen(first, outcome.response);
      else return await this.#conflict(first, outcome.response);
    }
    if (outcome.kind === 'refused' && group.length === 1) throw refused(outcome.error);
    // Again, and where one of them was the cause, one by one: it must not take the others with it.
    if (outcome.kind === 'not made') for (const waiting of group) waiting.isSent = false;
    const again = group.filter(({ isAnswered }) => !isAnswered);
    if (outcome.kind === 'not made') return void this.#queue.unshift(...again);
    for (const waiting of again) await this.#make([waiting]);
  }

  /** Send a transaction and find out what became of it, however long that takes. */
  async #transact(group: readonly Waiting[], judgedAt?: number): Promise<Outcome> {
    const parts = this.#parts();
    const request = buildTransaction(parts, group, judgedAt);
    const onDelivered = (revision: number): void => {
      for (const waiting of group) waiting.answer(revision);
    };
    this.#feed.expect(
      parts.commit,
      group.map(({ batch }) => batch),
      onDelivered,
    );
    for (const waiting of group) waiting.isSent = true;
    let outcome: Outcome;
    try {
      const response = await this.#options.client.txn(request, SEND_TIMEOUT_MS);
      outcome = response.succeeded ? made(response) : this.#read(parts, response);
    } catch (error) {
      outcome = isRefusal(error) ? { kind: 'refused', error } : await this.#findOut(parts, group, error);
    }
    if (outcome.kind !== 'made') {
      this.#feed.forget(parts.commit);
      return outcome;
    }
    this.#marked = outcome.revision;
    this.#feed.confirm(parts.commit, outcome.revision);
    this.#watchOver(outcome.revision);
    return outcome;
  }

  #parts(): TransactionParts {
    const { keys, writer } = this.#options;
    const commit = `${writer}-${++this.#number}`;
    return { keys, writer, marked: this.#marked, commit, at: new Date().toISOString() };
  }

  /** Why a transaction was not made that etcd answered. */
  #read(parts: TransactionParts, response: ITxnResponse): Outcome {
    const marker = response.responses[0]?.response_range.kvs[0];
    const revision = Number(marker?.mod_revision ?? 0);
    if (marker !== undefined && readCommit(marker.value) === parts.commit) return { kind: 'made', revision };
    if (revision === parts.marked) return { kind: 'failed', response };
    // Somebody tidied up, or put etcd back to a backup: on from what is there now.
    this.#marked = revision;
    return { kind: 'not made' };
  }

  /** Shut out a transaction whose answer was lost, or learn that it was made. */
  async #findOut(parts: TransactionParts, group: readonly Waiting[], reason: unknown): Promise<Outcome> {
    const { client, log } = this.#options;
    log.debug({ commit: parts.commit, reason: errorMessage(reason) }, 'etcd did not say whether a commit was made');
    this.#isDoubtful = true;
    const fence = { ...parts, commit: `${parts.commit}-fence` };
    try {
      while (!this.#closed || group.some(({ isAnswered }) => !isAnswered)) {
        try {
          const response = await client.txn(buildFence(fence), FENCE_TIMEOUT_MS);
          if (response.succeeded) {
            this.#marked = Number(response.header.revision);
            return { kind: 'not made' };
          }
          const outcome = this.#read(parts, response);
          // The same marker as before and a fence that failed cannot be; `failed` is for preconditions.
          if (outcome.kind !== 'failed') return outcome;
        } catch (error) {
          log.debug({ commit: parts.commit, reason: errorMessage(error) }, 'etcd still does not say');
        }
        await sleep(FENCE_PAUSE_MS);
      }
    } finally {
      this.#isDoubtful = false;
    }
    return { kind: 'refused', error: new Error('the store was closed before etcd answered') };
  }

  #watchOver(revision: number): void {
    if (this.#feed.revision >= revision) return;
    setTimeout(() => {
      if (this.#feed.revision < revision) void this.#options.catchUp().catch(() => {});
    }, TELL_WITHIN_MS).unref();
  }

  /** A batch that changes nothing: only its preconditions count. */
  async #judge(waiting: Waiting): Promise<void> {
    if (waiting.batch.preconditions.length > 0) {
      if (!isCompared(waiting)) {
        await this.#options.catchUp();
        const conflict = this.#conflictHere(waiting);
        if (conflict !== undefined) throw conflict;
      } else {
        const { client } = this.#options;
        const request = buildTransaction(this.#parts(), [waiting]);
        const response = await client.txn(request, SEND_TIMEOUT_MS).catch((error: unknown) => {
          throw refused(error);
        });
        if (!response.succeeded) {
          const outcome = this.#read(this.#parts(), response);
          if (outcome.kind === 'failed') return await this.#conflict(waiting, response);
          return void this.#queue.unshift(waiting);
        }
      }
    }
    await this.#until(waiting, () => this.#feed.isSettled);
    waiting.answer(this.#feed.revision);
  }

  #conflictHere({ batch }: Waiting): CodedError | undefined {
    return findConflict(batch.preconditions, (key) => this.#feed.revisionOf(key));
  }

  /** Judge many preconditions by what is known here, once all of our own is in that. */
  async #isStillGood(waiting: Waiting): Promise<boolean> {
    await this.#until(waiting, () => this.#feed.isSettled);
    if (waiting.isAnswered) return false;
    const conflict = this.#conflictHere(waiting);
    if (conflict !== undefined) waiting.answer(conflict);
    return conflict === undefined;
  }

  /** Somebody wrote since the preconditions were judged here: wait until that has been told. */
  async #seen(waiting: Waiting, { responses }: ITxnResponse): Promise<void> {
    const last = Number(responses[1]?.response_range.kvs[0]?.mod_revision ?? 0);
    await this.#until(waiting, () => this.#feed.revision >= last);
  }

  /** Whoever hears of a conflict looks at what is known here: it must show the cause. */
  async #conflict(waiting: Waiting, { responses }: ITxnResponse): Promise<void> {
    const actual = new Map<string, number>();
    for (const [i, { key }] of waiting.batch.preconditions.entries()) {
      actual.set(key, Number(responses[i + 1]?.response_range.kvs[0]?.mod_revision ?? 0));
    }
    const isKnown = ([key, revision]: [string, number]): boolean => {
      const known = this.#feed.revisionOf(key);
      return revision === 0 ? known === 0 : known >= revision;
    };
    const conflict = findConflict(waiting.batch.preconditions, (key) => actual.get(key)!);
    // A key that came and went meanwhile never fits: the time bounds it.
    const bound = sleep(TELL_WITHIN_MS, undefined, { ref: false });
    await Promise.race([this.#until(waiting, () => [...actual].every(isKnown)), bound]);
    waiting.answer(conflict ?? new CodedError('conflict', 'a precondition did not hold'));
  }

  /** Resolves when the feed has come so far, or the commit was given up. */
  async #until(waiting: Waiting, condition: () => boolean): Promise<void> {
    await Promise.race([
      this.#feed.until(() => waiting.isAnswered || condition()),
      sleep(ANSWER_WITHIN_MS, undefined, { ref: false }),
    ]);
  }
}

function made({ header }: ITxnResponse): Outcome {
  return { kind: 'made', revision: Number(header.revision) };
}

function refused(error: unknown): CodedError {
  return new CodedError('store_unavailable', `etcd did not take a commit: ${errorMessage(error)}`);
}
