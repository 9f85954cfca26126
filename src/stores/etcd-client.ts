// etcd-client.ts -- calls to etcd that end in time, at whichever endpoint answers
//
// etcd3 is used as a transport only, one of its clients for each endpoint. Its circuit breaker kept a healthy etcd shut
// out, its retries executed writes twice, and its watcher lost events after a cut: none of them is in use here.

import { readFileSync } from 'node:fs';
import {
  Etcd3,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  type IOptions,
  type IRangeRequest,
  type IRangeResponse,
  type ITxnRequest,
  type ITxnResponse,
  type IWatchRequest,
  type IWatchResponse,
} from 'etcd3';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { SharedStoreEndpoint } from '../registry/store.ts';

/** How long one call may take at most. */
const CALL_TIMEOUT_MS = 2_000;
/** For a read there is always another endpoint: it is asked when this one does not answer. */
const READ_TIMEOUT_MS = 1_000;
/** How often etcd is asked whether it is there when nothing else shows it, and when it was not. */
const PROBE_MS = 1_000;
const PROBE_DOWN_MS = 500;
/** One endpoint is asked how it is. */
const STATUS_TIMEOUT_MS = 1_000;

const CHANNEL = {
  // etcd allows a ping every 5 s, and hangs up on those who send more.
  'grpc.keepalive_time_ms': 6_000,
  'grpc.keepalive_timeout_ms': 2_000,
  // By default a channel waits for up to two minutes before it connects again.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // What happened during a long cut comes in one message.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** Where etcd is and how to be let in. */
export interface EtcdAccess {
  /** `http://` or `https://`, host and port; all of the same kind. */
  readonly endpoints: readonly string[];
  /** Files in PEM; `certFile` and `keyFile` for a client certificate. Without `caFile`: the system's authorities. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly username?: string;
  readonly password?: string;
}

/** The stream that renews leases, both ways. */
export interface KeepAliveStream {
  write(request: { ID: string }): unknown;
  cancel(): void;
  on(event: 'data', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

/** The stream of one watch, both ways. */
export interface WatchStream {
  write(request: Pick<IWatchRequest, 'create_request' | 'progress_request'>): unknown;
  cancel(): void;
  on(event: 'data', listener: (response: IWatchResponse) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

/** Refused by etcd for good: it was not made, and would not be if it were asked again. */
const REFUSALS = [
  'permission denied',
  'authentication failed',
  'invalid auth token',
  'user name is empty',
  'database space exceeded',
  'too many requests',
  'too many operations',
  'duplicate key',
  'request is too large',
  'larger than max',
  'requested lease not found',
];

/** Did etcd itself say that a write was not made? Anything else leaves that open. */
export function isRefusal(error: unknown): boolean {
  const message = errorMessage(error);
  return REFUSALS.some((each) => message.includes(each));
}

function isDenied(error: unknown): boolean {
  const kinds = [EtcdAuthenticationFailedError, EtcdInvalidAuthTokenError, EtcdPermissionDeniedError];
  return kinds.some((kind) => error instanceof kind);
}

/** Opens nothing before the first call. Throws what the system says of a file that cannot be read. */
export class EtcdClient {
  readonly #members: readonly Etcd3[];
  readonly #endpoints: readonly string[];
  readonly #log: Logger;
  #current: number;
  #up = false;
  /** Whoever opens a store is told why etcd does not answer; later it is news. */
  #wasUp = false;
  #lastAnswerMs = 0;
  #probe: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #onLeave = new Set<() => void>();

  constructor(access: EtcdAccess, log: Logger) {
    this.#log = log;
    this.#endpoints = access.endpoints;
    this.#members = access.endpoints.map((endpoint) => new Etcd3(clientOptions(endpoint, access)));
    // Not all nodes ask the same member.
    this.#current = Math.floor(Math.random() * this.#members.length);
  }

  /** Did the last call come to an answer? */
  get isUp(): boolean {
    return this.#up;
  }

  /** For how long nothing was heard that a majority of etcd's members stands behind. */
  get silentMs(): number {
    return performance.now() - this.#lastAnswerMs;
  }

  /** Ask a key of no meaning now and then, so that `isUp` tells the truth when nothing else is asked. */
  startProbing(key: Buffer): void {
    const next = (): void => {
      if (this.#closed) return;
      this.#probe = setTimeout(() => void ask(), this.#up ? PROBE_MS : PROBE_DOWN_MS).unref();
    };
    const ask = async (): Promise<void> => {
      const isIdle = performance.now() - this.#lastAnswerMs >= PROBE_MS;
      if (isIdle || !this.#up) await this.range({ key, count_only: true }).catch(() => {});
      next();
    };
    next();
  }

  /** Call `listener` when an endpoint failed and others are asked from now on. */
  onLeave(listener: () => void): void {
    this.#onLeave.add(listener);
  }

  /** Read, linearizably: what every write acknowledged before is in. Each endpoint is asked once. */
  async range(request: IRangeRequest): Promise<IRangeResponse> {
    const timeoutMs = this.#members.length > 1 ? READ_TIMEOUT_MS : CALL_TIMEOUT_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#call(timeoutMs, ({ kv }, options) => kv.range(request, options));
      } catch (error) {
        if (this.#closed || isDenied(error) || attempt >= this.#members.length) throw error;
      }
    }
  }

  /** Write, once, at one endpoint. A rejection that is no refusal (`isRefusal`) leaves open whether it was made. */
  async txn(request: ITxnRequest, timeoutMs: number): Promise<ITxnResponse> {
    return await this.#call(timeoutMs, ({ kv }, options) => kv.txn(request, options));
  }

  /** A new stream to the endpoint that is in use. */
  async watch(): Promise<WatchStream> {
    // The `grpc-js` stream behind etcd3's narrower type has `cancel`.
    return (await this.#members[this.#current]!.watchClient.watch()) as unknown as WatchStream;
  }

  /** A new lease; its id. Rejects when etcd does not answer in time: then it may be there, and runs out by itself. */
  async grant(ttlSeconds: number): Promise<string> {
    const request = { TTL: String(ttlSeconds), ID: '0' };
    const work = (member: Etcd3, options: { deadline: number }) => member.leaseClient.leaseGrant(request, options);
    return (await this.#call(READ_TIMEOUT_MS, work)).ID;
  }

  /** A new stream of renewals to the endpoint that is in use. */
  async keepAlive(): Promise<KeepAliveStream> {
    return (await this.#members[this.#current]!.leaseClient.leaseKeepAlive()) as unknown as KeepAliveStream;
  }

  /** How every endpoint is. Never rejects. */
  async describe(): Promise<SharedStoreEndpoint[]> {
    return await Promise.all(this.#members.map((member, i) => describeMember(member, this.#endpoints[i]!)));
  }

  /** End all that is under way. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#probe);
    for (const member of this.#members) member.close();
  }

  async #call<T>(timeoutMs: number, work: (member: Etcd3, options: { deadline: number }) => Promise<T>): Promise<T> {
    const index = this.#current;
    let timer: NodeJS.Timeout | undefined;
    try {
      // A call that waits for its token is not sent any more when its deadline has passed.
      const call = work(this.#members[index]!, { deadline: Date.now() + timeoutMs });
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs + 50);
      });
      const answer = await Promise.race([call, late]);
      this.#comeUp();
      return answer;
    } catch (error) {
      if (isRefusal(error) && !isDenied(error)) this.#comeUp();
      else this.#goDown(index, error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #comeUp(): void {
    this.#lastAnswerMs = performance.now();
    if (this.#up) return;
    this.#up = true;
    const isFirst = !this.#wasUp;
    this.#wasUp = true;
    if (!isFirst) this.#log.info({ endpoint: this.#endpoints[this.#current] }, 'etcd answers again');
  }

  #goDown(index: number, error: unknown): void {
    if (this.#closed) return;
    const details = { endpoint: this.#endpoints[index], reason: errorMessage(error) };
    if (this.#up) this.#log.warn(details, 'etcd does not answer');
    this.#up = false;
    if (index !== this.#current || isDenied(error)) return;
    this.#current = (index + 1) % this.#members.length;
    if (this.#members.length > 1) for (const listener of this.#onLeave) listener();
  }
}

async function describeMember(member: Etcd3, url: string): Promise<SharedStoreEndpoint> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${STATUS_TIMEOUT_MS} ms`)), STATUS_TIMEOUT_MS);
  });
  try {
    const call = member.maintenance.status({ deadline: Date.now() + STATUS_TIMEOUT_MS });
    const { header, version, dbSize, leader } = await Promise.race([call, late]);
    const isLeader = leader === header.member_id;
    return { url, up: true, version, isLeader, revision: Number(header.revision), sizeOctets: Number(dbSize) };
  } catch (error) {
    return { url, up: false, reason: errorMessage(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** No policy at all: call, and say what came of it. Async, since etcd3 expects a promise also of what throws. */
const PLAIN = {
  execute: async <T>(work: (context: { signal: AbortSignal }) => PromiseLike<T> | T): Promise<T> =>
    await work({ signal: new AbortController().signal }),
} as unknown as NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

function clientOptions(endpoint: string, { tls = {}, username, password }: EtcdAccess): IOptions {
  const read = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readFileSync(file));
  const [rootCertificate, privateKey, certChain] = [read(tls.caFile), read(tls.keyFile), read(tls.certFile)];
  const isSecure = endpoint.startsWith('https://');
  return {
    hosts: endpoint,
    grpcOptions: CHANNEL,
    faultHandling: { host: () => PLAIN, global: PLAIN },
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + CALL_TIMEOUT_MS }),
    ...(isSecure && (rootCertificate ?? certChain) !== undefined
      ? {
          credentials: {
            // Its type asks for one, but without it the system's authorities hold.
            rootCertificate: rootCertificate as Buffer,
            ...(privateKey && certChain ? { privateKey, certChain } : {}),
          },
        }
      : {}),
    ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
  };
}
