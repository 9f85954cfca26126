// fake-etcd.ts -- an etcd in memory that behaves as badly as a network and a compaction can make it look
//
// Its history is right; what is told of it is not always: answers get lost before or after a transaction was made, come
// late, streams repeat what they told, order it by key, and are cut, and history is compacted away under them.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ICompare, IRangeRequest, IRequestOp, ITxnRequest } from 'etcd3';
import type { Random } from '../../src/base/random.ts';

interface Version {
  readonly revision: number;
  /** undefined: deleted. */
  readonly value: Buffer | undefined;
}

export interface HistoryEvent {
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
}

interface WatchCall {
  readonly stream: grpc.ServerDuplexStream<never, unknown>;
  readonly first: string;
  readonly end: string;
  next: number;
  isSending: boolean;
  last: unknown;
}

const require = createRequire(import.meta.url);
const PROTO = join(dirname(require.resolve('etcd3/package.json')), 'proto/rpc.proto');
const DEFINITION = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });

export class FakeEtcd {
  /** Everything that ever happened, in order; keys and values as text. */
  readonly history: HistoryEvent[] = [];
  /** While set, things go wrong. */
  isMischievous = false;
  /** How often each kind of mischief was done. */
  readonly done: Record<string, number> = {};
  readonly #random: Random;
  readonly #server = new grpc.Server();
  readonly #versions = new Map<string, Version[]>();
  readonly #watches = new Set<WatchCall>();
  #revision = 1;
  #compacted = 0;
  endpoint = '';

  constructor(random: Random) {
    this.#random = random;
  }

  async listen(): Promise<void> {
    const { etcdserverpb } = grpc.loadPackageDefinition(DEFINITION) as never as {
      etcdserverpb: Record<'KV' | 'Watch', { service: grpc.ServiceDefinition }>;
    };
    const unary =
      (work: (request: never) => unknown) => (call: { request: never }, done: grpc.sendUnaryData<unknown>) => {
        void this.#answer(() => work(call.request), done);
      };
    this.#server.addService(etcdserverpb.KV.service, {
      Range: unary((request: IRangeRequest) => this.#range(request)),
      Txn: unary((request: ITxnRequest) => this.#txn(request)),
    } as never);
    this.#server.addService(etcdserverpb.Watch.service, {
      Watch: (stream: grpc.ServerDuplexStream<never, unknown>) => this.#open(stream),
    } as never);
    const credentials = grpc.ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  close(): void {
    this.#server.forceShutdown();
  }

  /** Somebody else writes; value undefined deletes. */
  write(key: string, value: string | undefined): void {
    this.#revision += 1;
    this.#set(key, value === undefined ? undefined : Buffer.from(value));
    this.#tellAll();
  }

  /** What is there under a prefix: key -> [revision, value]. */
  state(prefix: string): Record<string, [number, string]> {
    const found: Record<string, [number, string]> = {};
    for (const [key, versions] of this.#versions) {
      const { revision, value } = versions.at(-1)!;
      if (value !== undefined && key.startsWith(prefix)) found[key.slice(prefix.length)] = [revision, value.toString()];
    }
    return found;
  }

  /** Forget all but the present. */
  compact(): void {
    this.#note('compacted');
    this.#compacted = this.#revision;
  }

  /** End every watch. */
  cut(): void {
    this.#note('cut');
    for (const watch of this.#watches) watch.stream.destroy();
    this.#watches.clear();
  }

  #note(kind: string): void {
    this.done[kind] = (this.done[kind] ?? 0) + 1;
  }

  #chance(kind: string, share: number): boolean {
    if (!this.isMischievous || this.#random.next() >= share) return false;
    this.#note(kind);
    return true;
  }

  async #answer(work: () => unknown, done: grpc.sendUnaryData<unknown>): Promise<void> {
    const gone = { code: grpc.status.UNAVAILABLE, details: 'a cut' };
    if (this.#chance('lost request', 0.04)) return done(gone);
    // Made long after its caller gave up.
    if (this.#chance('late', 0.04)) await sleep(900 + this.#random.below(400));
    else if (this.#chance('slow', 0.2)) await sleep(this.#random.below(60));
    try {
      const response = work();
      if (this.#chance('lost answer', 0.06)) return done(gone);
      if (this.#chance('silent answer', 0.02)) return;
      done(null, response);
    } catch (error) {
      done({ code: grpc.status.OUT_OF_RANGE, details: (error as Error).message });
    }
  }

  #header() {
    return { cluster_id: '1', member_id: '1', revision: String(this.#revision), raft_term: '1' };
  }

  #at(key: string, revision: number): Version | undefined {
    const version = this.#versions.get(key)?.findLast((each) => each.revision <= revision);
    return version?.value === undefined ? undefined : version;
  }

  #keysIn(key: Buffer, end: Buffer): string[] {
    const [first, last] = [text(key), text(end ?? Buffer.alloc(0))];
    if (last === '') return [first];
    return [...this.#versions.keys()].filter((each) => each >= first && each < last).toSorted();
  }

  #range({ key, range_end, revision = 0, limit = 0, sort_target, sort_order, keys_only }: IRangeRequest) {
    const at = Number(revision) || this.#revision;
    if (at < this.#compacted) throw new Error('etcdserver: mvcc: required revision has been compacted');
    const kvs = this.#keysIn(key as Buffer, range_end as Buffer).flatMap((each) => {
      const version = this.#at(each, at);
      return version === undefined ? [] : [pair(each, version, keys_only === true)];
    });
    if (String(sort_target) === 'Mod' && String(sort_order) === 'Descend') {
      kvs.sort((a, b) => Number(b.mod_revision) - Number(a.mod_revision));
    }
    const page = Number(limit) > 0 ? kvs.slice(0, Number(limit)) : kvs;
    return { header: this.#header(), kvs: page, more: page.length < kvs.length, count: String(kvs.length) };
  }

  #txn(request: ITxnRequest) {
    const before = this.#revision;
    this.#revision += 1; // what is written gets the next one
    const { succeeded, responses, writes } = this.#branch(request);
    if (writes === 0) this.#revision = before;
    else this.#tellAll();
    return { header: this.#header(), succeeded, responses };
  }

  #branch({ compare, success, failure }: ITxnRequest): { succeeded: boolean; responses: unknown[]; writes: number } {
    const succeeded = (compare ?? []).every((each) => this.#holds(each));
    let writes = 0;
    const responses = ((succeeded ? success : failure) ?? []).map((operation: IRequestOp) => {
      if (operation.request_range) return { response_range: this.#range(operation.request_range) };
      if (operation.request_txn) {
        const inner = this.#branch(operation.request_txn);
        writes += inner.writes;
        return { response_txn: { header: this.#header(), ...inner } };
      }
      const put = operation.request_put;
      const key = text((put ?? operation.request_delete_range)?.key as Buffer);
      const isThere = this.#at(key, this.#revision) !== undefined;
      if (put || isThere) {
        this.#set(key, put ? (put.value as Buffer) : undefined);
        writes += 1;
      }
      return put ? { response_put: {} } : { response_delete_range: { deleted: String(Number(isThere)) } };
    });
    return { succeeded, responses, writes };
  }

  #holds({ key, range_end, result, mod_revision }: ICompare & { range_end?: Buffer }): boolean {
    return this.#keysIn(key as Buffer, range_end as Buffer).every((each) => {
      const actual = this.#at(each, this.#revision)?.revision ?? 0;
      return String(result) === 'Less' ? actual < Number(mod_revision) : actual === Number(mod_revision);
    });
  }

  #set(key: string, value: Buffer | undefined): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ revision: this.#revision, value });
    this.#versions.set(key, versions);
    this.history.push({ key, value: value?.toString('utf8'), revision: this.#revision });
  }

  #open(stream: grpc.ServerDuplexStream<never, unknown>): void {
    stream.on('error', () => {});
    stream.on('data', ({ create_request }: { create_request?: IRangeRequest & { start_revision: string } }) => {
      // Somebody asks whether the stream still tells. As etcd's, the answer may be ahead of events.
      if (create_request === undefined) return void stream.write({ header: this.#header(), watch_id: '-1' });
      const { key, range_end, start_revision } = create_request;
      const next = Number(start_revision);
      const header = this.#header();
      stream.write({ header, watch_id: '0', created: true });
      if (next <= this.#compacted && next <= this.#revision) {
        this.#note('watch refused');
        stream.write({ header, watch_id: '0', canceled: true, compact_revision: String(this.#compacted + 1) });
        return;
      }
      const watch = { stream, first: text(key as Buffer), end: text(range_end as Buffer), next, isSending: false };
      this.#watches.add({ ...watch, last: undefined });
      this.#tellAll();
    });
    stream.on('end', () => stream.end());
  }

  #tellAll(): void {
    for (const watch of this.#watches) void this.#tell(watch);
  }

  async #tell(watch: WatchCall): Promise<void> {
    if (watch.isSending) return;
    watch.isSending = true;
    while (watch.next <= this.#revision && this.#watches.has(watch)) {
      if (this.#chance('held back', 0.2)) await sleep(this.#random.below(80));
      else await sleep(0);
      if (this.#chance('compacted away', 0.01)) this.compact();
      if (this.#chance('cut stream', 0.03)) {
        this.#watches.delete(watch);
        watch.stream.destroy();
        return;
      }
      const upTo = this.#revision;
      const told = this.history.filter(({ key, revision }) => {
        return revision >= watch.next && revision <= upTo && key >= watch.first && key < watch.end;
      });
      watch.next = upTo + 1;
      if (told.length === 0) continue;
      // Each key keeps its order.
      if (this.#chance('by key', 0.5)) told.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
      const events = told.map(({ key, value, revision }) => ({
        type: value === undefined ? 'Delete' : 'Put',
        kv: pair(key, { revision, value: Buffer.from(value ?? '') }, false),
      }));
      const response = { header: this.#header(), watch_id: '0', events };
      watch.stream.write(response);
      if (this.#chance('twice', 0.2)) watch.stream.write(response);
      if (watch.last !== undefined && this.#chance('old again', 0.1)) watch.stream.write(watch.last);
      watch.last = response;
    }
    watch.isSending = false;
  }
}

function text(key: Buffer): string {
  return key.toString('utf8');
}

function pair(key: string, { revision, value }: Version, keysOnly: boolean) {
  const at = String(revision);
  return { key: Buffer.from(key), value: keysOnly ? Buffer.alloc(0) : value, mod_revision: at, create_revision: at };
}
