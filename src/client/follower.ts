// follower.ts -- the state of one service, or of all, kept up to date: read once, then followed by events
//
// Events are asked for from the moment of the read. After a cut they go on behind the last one that was dealt with; where
// the server cannot go on there (410: it was started anew, or the cut was long), everything is read again, and only what
// really differs is told. The next event is read when the last one was dealt with, so a slow listener slows the server
// down, not this process's memory.

import { systemRandom } from '../base/random.ts';
import type { ApiCalls } from './api-calls.ts';
import { BackOff, pause } from './back-off.ts';
import type { ClientOptions } from './client-options.ts';
import { EventParser, type StreamEvent } from './event-parser.ts';
import { isTransient, RollcallError, toRollcallError } from './rollcall-error.ts';
import type { ChangeKind, ServiceChange, ServiceDocument } from './service-document.ts';
import { applyChange, differences, recordOf, type ServiceRecord } from './service-record.ts';

export interface FollowerOptions extends Pick<ClientOptions, 'silenceMs' | 'backOff'> {
  /** Undefined: all that the token may read. */
  readonly service: string | undefined;
  /** Called one at a time, in order; when it returns a promise, the next waits for that. */
  readonly onChange: (change: ServiceChange) => void | Promise<void>;
  /** The connection was lost, and is tried again; or it was not to be had. */
  readonly onError: (error: RollcallError) => void;
  /** The records are as the server has them, again. */
  readonly onCurrent?: () => void;
}

const SILENCE_MS = 40_000;
/** A connection that lasted so long was no fluke. */
const LASTING_MS = 2000;
/** Services that are read at a time. */
const READERS = 8;
const KINDS: ReadonlySet<string> = new Set<ChangeKind>(['register', 'update', 'deregister', 'health', 'policy']);

export class Follower {
  /** By name; those that are not there, are not. */
  records: Map<string, ServiceRecord> = new Map();
  /** Resolves when everything was read for the first time; rejects when that is refused, or never came to be. */
  readonly ready: Promise<void>;
  readonly #calls: ApiCalls;
  readonly #options: FollowerOptions;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  /** Where the events go on; undefined: read first. */
  #position: string | undefined;
  #isReady = false;
  #isHearing = false;
  #staleSinceMs: number | undefined;

  constructor(calls: ApiCalls, options: FollowerOptions) {
    this.#calls = calls;
    this.#options = options;
    calls.closed.addEventListener('abort', this.#end);
    if (calls.closed.aborted) this.#end();
    let settle = { resolve: (): void => {}, reject: (_error: RollcallError): void => {} };
    this.ready = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever waits hears of it; nobody has to.
    this.ready.catch(() => {});
    this.#running = this.#run(settle.resolve).then(settle.reject);
  }

  /** Was everything read once? */
  get isRead(): boolean {
    return this.#position !== undefined || this.#isReady;
  }

  /** Since when the records may be behind, in `Date.now` time; undefined: they are followed. */
  get staleSinceMs(): number | undefined {
    return this.#staleSinceMs;
  }

  /** Stop: the listener is not called again. A call of it that is under way is not waited for: it may be the caller. */
  async close(): Promise<void> {
    this.#end();
    if (!this.#isHearing) await this.#running;
  }

  /** Read one service again for what changes without an event: readings. */
  async refresh(service: string): Promise<void> {
    const read = await this.#readService(service);
    const record = this.records.get(service);
    // Another index: events are on their way, and would find a state that is newer than they are.
    if (read === undefined || record === undefined || read.index !== record.index) return;
    this.records.set(service, recordOf(read));
  }

  readonly #end = (): void => {
    this.#calls.closed.removeEventListener('abort', this.#end);
    this.#ending.abort();
  };

  /** Until it is closed, or refused in the beginning. Returns why. */
  async #run(onReady: () => void): Promise<RollcallError> {
    const { signal } = this.#ending;
    const backOff = new BackOff(systemRandom, this.#options.backOff);
    while (!signal.aborted) {
      const begunMs = performance.now();
      try {
        if (this.#position === undefined) await this.#readAll();
        await this.#follow(onReady);
      } catch (thrown) {
        const error = toRollcallError(thrown);
        if (signal.aborted) break;
        this.#staleSinceMs ??= Date.now();
        if (error.code === 'event_gone') this.#position = undefined;
        else if (!this.#isReady && !isTransient(error)) {
          this.#end();
          this.#tell(error);
          return error;
        } else this.#tell(error);
      }
      if (performance.now() - begunMs > LASTING_MS) backOff.reset();
      if (!(await pause(backOff.nextMs(), signal, true))) break;
    }
    return new RollcallError('closed', 'it was closed');
  }

  #tell(error: RollcallError): void {
    try {
      this.#options.onError(error);
    } catch {
      // A listener's fault must not end the following.
    }
  }

  /** Read events until the stream ends; throws when it ends otherwise than by the server's word. */
  async #follow(onReady: () => void): Promise<void> {
    const { service, silenceMs = SILENCE_MS } = this.#options;
    const { signal } = this.#ending;
    const url = this.#calls.url;
    const { octets } = await this.#calls.stream({
      path: '/v1/watch',
      query: { service },
      headers: { accept: 'text/event-stream', 'last-event-id': this.#position! },
      silenceMs,
      signal,
    });
    const parser = new EventParser();
    for await (const chunk of octets) {
      for (const event of parser.push(chunk)) {
        if (signal.aborted) return;
        if (event.event === 'end') {
          this.#calls.leave(url);
          throw new RollcallError('unreachable', `${url} ended the watch: ${event.data}`);
        }
        await this.#take(event);
        if (event.id !== undefined) this.#current(event.id, onReady);
      }
    }
    throw new RollcallError('unreachable', `${url} ended the watch`);
  }

  /** An id came: the connection lives, and all up to there was dealt with. */
  #current(position: string, onReady: () => void): void {
    this.#position = position;
    this.#staleSinceMs = undefined;
    if (this.#isReady) return;
    this.#isReady = true;
    onReady();
  }

  async #take({ event, data }: StreamEvent): Promise<void> {
    if (event === undefined || data === undefined || !KINDS.has(event)) return;
    const change = readChange(event as ChangeKind, data);
    if (applyChange(this.records, change)) await this.#hear(change);
  }

  async #hear(change: ServiceChange): Promise<void> {
    this.#isHearing = true;
    try {
      await this.#options.onChange(change);
    } catch (thrown) {
      this.#tell(new RollcallError('listener_failed', `a listener failed: ${String(thrown)}`, { cause: thrown }));
    } finally {
      this.#isHearing = false;
    }
  }

  /** Read everything, and tell what differs from what was known. */
  async #readAll(): Promise<void> {
    const { service } = this.#options;
    const read = new Map<string, ServiceRecord>();
    let position: string | undefined;
    if (service === undefined) {
      const listed = await this.#list();
      position = listed.position;
      const names = listed.names.values();
      const readSome = async (): Promise<void> => {
        for (const name of names) {
          const document = await this.#readService(name);
          if (document !== undefined) read.set(name, recordOf(document));
        }
      };
      await Promise.all(Array.from({ length: READERS }, readSome));
    } else {
      const document = await this.#readService(service, (at) => {
        position = at;
      });
      if (document !== undefined) read.set(service, recordOf(document));
    }
    const before = this.records;
    this.records = read;
    const isFirst = !this.#isReady;
    if (!isFirst) {
      for (const name of new Set([...before.keys(), ...read.keys()])) {
        for (const change of differences(name, before.get(name), read.get(name))) {
          if (this.#ending.signal.aborted) return;
          await this.#hear(change);
        }
      }
    }
    if (position === undefined) throw new RollcallError('bad_reply', 'the server does not say where to watch from');
    this.#position = position;
    this.#options.onCurrent?.();
  }

  async #list(): Promise<{ names: string[]; position: string | undefined }> {
    const names: string[] = [];
    let position: string | undefined;
    for (let after: string | undefined; ; ) {
      const reply = await this.#calls.call({ path: '/v1/services', query: { after }, signal: this.#ending.signal });
      const { services, next } = reply.body as { services: { name: string }[]; next: string | null };
      position ??= reply.header('x-rollcall-event-id');
      names.push(...services.map(({ name }) => name));
      if (next === null) return { names, position };
      after = next;
    }
  }

  /** Undefined: there is no such service. */
  async #readService(name: string, at?: (position: string | undefined) => void): Promise<ServiceDocument | undefined> {
    const reply = await this.#calls.call({
      path: `/v1/services/${encodeURIComponent(name)}`,
      signal: this.#ending.signal,
      missing: 'unknown_service',
    });
    at?.(reply.header('x-rollcall-event-id'));
    return reply.status === 404 ? undefined : (reply.body as ServiceDocument);
  }
}

function readChange(kind: ChangeKind, text: string): ServiceChange {
  let data: Partial<ServiceChange>;
  try {
    data = JSON.parse(text);
  } catch {
    throw new RollcallError('bad_reply', 'an event does not hold JSON');
  }
  const { service, index, at, by, instance, policy, rollout, percents } = data;
  if (typeof service !== 'string' || typeof index !== 'number') {
    throw new RollcallError('bad_reply', 'an event names no service');
  }
  return { kind, service, index, at, by, instance, policy, rollout, percents, isCaughtUp: false };
}
