// registration.ts -- this program as an instance: registered, kept alive by heartbeats, registered anew when forgotten
//
// One loop does it all, one step after another, so that a heartbeat never crosses a change or a farewell. Whatever goes
// wrong is tried again for as long as the program runs.

import { parseDuration } from '../base/duration.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { ApiCalls, ApiReply } from './api-calls.ts';
import { BackOff, type BackOffOptions, pause } from './back-off.ts';
import { Deadline } from './deadline.ts';
import type { RegisterOptions, RegistrationSpec, RegistrationState } from './registration-options.ts';
import { isTransient, RollcallError, toRollcallError } from './rollcall-error.ts';
import type { ChangeableFields, InstanceDocument, ServiceDocument } from './service-document.ts';
import { onSignal } from './signal-drains.ts';

const LEASE_TTL = '30s';
const HEARTBEAT_MS = 10_000;
/** Part by which heartbeats vary, so that instances that began together do not stay together. */
const JITTER = 0.1;
const MAX_DRAIN_MS = 60_000;
/** A server that is away shall not hold up a process that ends. */
const FAREWELL_MS = 5000;

export interface RegistrationParts {
  readonly calls: ApiCalls;
  readonly localAddress: () => Promise<string>;
  readonly backOff: BackOffOptions | undefined;
  readonly onError: (error: RollcallError) => void;
}

/** Fields to change; null takes one away. */
export type RegistrationPatch = { readonly [Field in keyof ChangeableFields]?: ChangeableFields[Field] | null };

export class Registration {
  /** Resolves when it was registered for the first time; rejects when the server refuses it, or it is closed before. */
  readonly registered: Promise<void>;
  readonly #parts: RegistrationParts;
  readonly #options: RegisterOptions;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  readonly #random: Random = systemRandom;
  readonly #unlisten: (() => void)[] = [];
  #spec: RegistrationSpec;
  #state: RegistrationState = 'registering';
  /** Ends the pause between two heartbeats. */
  #wake = new AbortController();
  #isForgotten = true;
  /** Steps are done one after another. */
  #last: Promise<unknown> = Promise.resolve();
  #leaving: Promise<void> | undefined;
  #safeAfter: Date | undefined;

  constructor(parts: RegistrationParts, spec: RegistrationSpec, options: RegisterOptions = {}) {
    this.#parts = parts;
    this.#spec = spec;
    this.#options = options;
    for (const signal of [parts.calls.closed, options.signal]) this.#closeWith(signal);
    for (const signal of options.drainOnSignals ?? []) {
      this.#unlisten.push(onSignal(signal, () => this.#leaveBySignal()));
    }
    let settle = { resolve: (): void => {}, reject: (_error: RollcallError): void => {} };
    this.registered = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.registered.catch(() => {});
    this.#running = this.#run(settle.resolve, settle.reject);
  }

  /** Its id; undefined while the address that it is made of is not known. */
  get id(): string | undefined {
    const { id, service, address, port } = this.#spec;
    return id ?? (address === undefined ? undefined : `${service.toLowerCase()}-${address}:${port}`);
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /**
   * Wait until the instance is healthy, and so in the answers. Throws RollcallError: what the server says, `aborted`,
   * `timeout` after `timeoutMs` (default: as long as it takes).
   */
  async ready({ signal, timeoutMs }: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<InstanceDocument> {
    const deadline = new Deadline(timeoutMs, signal, this.#ending.signal);
    const backOff = new BackOff(this.#random, this.#parts.backOff);
    try {
      for (let index: number | undefined; ; ) {
        try {
          const read = await this.#read(index, deadline.signal);
          const instance = read.instances.find(({ id }) => id === this.id);
          if (instance !== undefined && isAnswerable(instance.status)) return instance;
          index = read.index;
        } catch (thrown) {
          const error = toRollcallError(thrown);
          if (deadline.signal.aborted || !isTransient(error)) throw error;
        }
        await pause(backOff.nextMs(), deadline.signal, true);
      }
    } catch (thrown) {
      if (deadline.isLate) throw new RollcallError('timeout', `'${this.id}' is not healthy after ${timeoutMs} ms`);
      throw thrown;
    } finally {
      deadline.end();
    }
  }

  /** Change the registration, here and on the server. Throws RollcallError; then nothing is changed. */
  async update(patch: RegistrationPatch): Promise<void> {
    await this.#step(async () => {
      const spec = patched(this.#spec, patch);
      if (!this.#isForgotten) {
        const reply = await this.#call('PATCH', '', { body: patch, missing: 'unknown_instance' });
        this.#isForgotten = reply.status === 404;
      }
      this.#spec = spec;
      if (this.#isForgotten) this.#wake.abort();
    });
  }

  /**
   * Leave the answers, and wait until no resolver has the instance any more. It stays registered, and goes on with its
   * heartbeats. Returns from when on that is so. Throws RollcallError.
   */
  async drain({ wait = true, signal }: { wait?: boolean; signal?: AbortSignal } = {}): Promise<Date> {
    const asked = performance.now();
    const { safeAfter, leftMs } = await this.#step(async () => {
      const reply = await this.#call('POST', '/drain', { missing: 'unknown_instance' });
      this.#become('draining');
      return drainReply(reply);
    });
    this.#safeAfter = safeAfter;
    const { maxDrainMs = MAX_DRAIN_MS } = this.#options;
    const waitMs = Math.min(leftMs, maxDrainMs) - (performance.now() - asked);
    if (!wait || waitMs <= 0) return safeAfter;
    const deadline = new Deadline(undefined, signal, this.#ending.signal);
    const isOver = await pause(waitMs, deadline.signal, true);
    deadline.end();
    if (!isOver) throw new RollcallError('aborted', 'the wait for the drain was ended');
    return safeAfter;
  }

  /** From when on nobody has the instance any more; undefined: it does not drain. */
  get safeAfter(): Date | undefined {
    return this.#safeAfter;
  }

  /** Take the registration back and close; that it was gone already is fine. Throws RollcallError. */
  async deregister(): Promise<void> {
    try {
      await this.#step(async () => {
        this.#become('draining');
        if (this.id !== undefined) await this.#call('DELETE', '', { missing: 'unknown_instance' });
      });
    } finally {
      await this.close();
    }
  }

  /** Drain, wait, deregister, close: what `drainOnSignals` does. Never throws; what goes wrong goes to `onError`. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** No more heartbeats. The registration stays until its lease runs out. */
  async close(): Promise<void> {
    this.#end();
    await this.#running;
  }

  /** Close and deregister, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  readonly #end = (): void => {
    if (this.#ending.signal.aborted) return;
    for (const unlisten of this.#unlisten) unlisten();
    this.#ending.abort();
    this.#wake.abort();
    this.#become('closed');
  };

  #closeWith(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    if (signal.aborted) this.#end();
    signal.addEventListener('abort', this.#end);
    this.#unlisten.push(() => signal.removeEventListener('abort', this.#end));
  }

  async #leaveBySignal(): Promise<void> {
    await this.leave();
    try {
      await this.#options.onDrained?.();
    } catch (thrown) {
      this.#parts.onError(new RollcallError('listener_failed', `onDrained: ${String(thrown)}`, { cause: thrown }));
    }
  }

  async #leave(): Promise<void> {
    try {
      // Where the server is away there is nobody to wait for: the lease will run out.
      if (!this.#isForgotten) await this.drain({ wait: this.#options.drainWait ?? true });
    } catch (thrown) {
      this.#parts.onError(toRollcallError(thrown));
    }
    try {
      if (this.#isForgotten) await this.close();
      else await this.deregister();
    } catch (thrown) {
      this.#parts.onError(toRollcallError(thrown));
    }
  }

  async #run(onRegistered: () => void, onRefused: (error: RollcallError) => void): Promise<void> {
    const { signal } = this.#ending;
    const backOff = new BackOff(this.#random, this.#parts.backOff);
    let isFirst = true;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        await this.#step(() => (this.#isForgotten ? this.#register() : this.#beat()));
        backOff.reset();
        if (isFirst) onRegistered();
        isFirst = false;
        // Forgotten: it is registered anew at once.
        waitMs = this.#isForgotten && this.#state !== 'draining' ? 0 : this.#intervalMs();
      } catch (thrown) {
        const error = toRollcallError(thrown);
        if (signal.aborted) break;
        this.#parts.onError(error);
        this.#become(isTransient(error) ? 'away' : 'refused', error);
        if (isFirst && !isTransient(error)) {
          onRefused(error);
          this.#end();
          break;
        }
        waitMs = Math.min(backOff.nextMs(), this.#intervalMs());
      }
      await this.#rest(waitMs);
    }
    onRefused(new RollcallError('closed', 'the registration is closed'));
  }

  /** Until the next heartbeat, or until something is to be done before. Heartbeats alone keep no process alive. */
  async #rest(ms: number): Promise<void> {
    await pause(ms, this.#wake.signal, this.#state === 'registering');
    if (!this.#ending.signal.aborted && this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  async #register(): Promise<void> {
    // Who has taken leave does not come back because the server was started anew.
    if (this.#state === 'draining') return;
    if (this.#spec.address === undefined) this.#spec = { ...this.#spec, address: await this.#parts.localAddress() };
    const { id: _id, service, leaseTtl = LEASE_TTL, ...rest } = this.#spec;
    const path = `/v1/services/${encodeURIComponent(service)}/instances/${encodeURIComponent(this.id!)}`;
    const body = { ...rest, ...(leaseTtl === null ? {} : { leaseTtl }) };
    await this.#parts.calls.call({ method: 'PUT', path, body, signal: this.#ending.signal });
    this.#isForgotten = false;
    this.#become('registered');
  }

  async #beat(): Promise<void> {
    const load = await this.#asked(this.#options.load);
    const health = await this.#asked(this.#options.health);
    const body = { ...health, ...(load === undefined ? {} : { load }) };
    // One that is not answered in time is better sent again.
    const timeoutMs = Math.max(500, Math.min(FAREWELL_MS, this.#intervalMs()));
    const reply = await this.#call('PUT', '/heartbeat', { body, timeoutMs, missing: 'unknown_instance' });
    this.#isForgotten = reply.status === 404;
    if (!this.#isForgotten && this.#state !== 'draining') this.#become('registered');
  }

  async #asked<T>(ask: (() => T | Promise<T>) | undefined): Promise<T | undefined> {
    try {
      return await ask?.();
    } catch (thrown) {
      this.#parts.onError(
        new RollcallError('listener_failed', `a heartbeat asked in vain: ${thrown}`, { cause: thrown }),
      );
      return undefined;
    }
  }

  async #call(
    method: 'PUT' | 'PATCH' | 'POST' | 'DELETE',
    path: string,
    { body, missing, timeoutMs = FAREWELL_MS }: { body?: unknown; missing: string; timeoutMs?: number },
  ): Promise<ApiReply> {
    const { id } = this;
    if (id === undefined) throw new RollcallError('not_ready', 'it was not registered yet');
    return await this.#parts.calls.call({
      method,
      path: `/v1/instances/${encodeURIComponent(id)}${path}`,
      body,
      missing,
      timeoutMs,
      signal: this.#ending.signal,
    });
  }

  async #read(index: number | undefined, signal: AbortSignal): Promise<Pick<ServiceDocument, 'index' | 'instances'>> {
    const reply = await this.#parts.calls.call({
      path: `/v1/services/${encodeURIComponent(this.#spec.service)}`,
      query: { index, wait: index === undefined ? undefined : '30s' },
      timeoutMs: 40_000,
      missing: 'unknown_service',
      signal,
    });
    if (reply.status !== 404) return reply.body as ServiceDocument;
    return { index: Number(reply.header('x-rollcall-index') ?? 0), instances: [] };
  }

  /** Do this when all that was begun before is done. */
  async #step<T>(work: () => Promise<T>): Promise<T> {
    const step = this.#last.then(() => {
      if (this.#ending.signal.aborted) throw new RollcallError('closed', 'the registration is closed');
      return work();
    });
    this.#last = step.catch(() => {});
    return await step;
  }

  #become(state: RegistrationState, error?: RollcallError): void {
    // Leave is taken once, whatever the server says meanwhile.
    if (this.#state === state || this.#state === 'closed' || (this.#state === 'draining' && state !== 'closed')) return;
    this.#state = state;
    this.#options.onState?.(state, error);
  }

  #intervalMs(): number {
    const { leaseTtl = LEASE_TTL, checks = [] } = this.#spec;
    const expiries = [
      leaseTtl,
      ...checks.filter(({ type }) => type === 'heartbeat').map(({ interval = '5s' }) => interval),
    ].flatMap((text) => (typeof text === 'string' ? (parseDuration(text) ?? []) : []));
    const shortestMs = expiries.length === 0 ? HEARTBEAT_MS : Math.min(...expiries) / 3;
    const { heartbeatMs = shortestMs } = this.#options;
    return heartbeatMs * (1 - JITTER + 2 * JITTER * this.#random.next());
  }
}

/** As the server merges it (RFC 7396). */
function patched(spec: RegistrationSpec, patch: RegistrationPatch): RegistrationSpec {
  const merged: Record<string, unknown> = { ...spec };
  for (const [field, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete merged[field];
    else if (typeof value !== 'object' || Array.isArray(value)) merged[field] = value;
    else {
      const inner = Object.entries({ ...(merged[field] as object | undefined), ...value });
      merged[field] = Object.fromEntries(inner.filter(([, each]) => each !== null));
    }
  }
  return merged as unknown as RegistrationSpec;
}

/** `leftMs`: by the server's own clock, which may not be ours; its `Date` leaves out part of a second. */
function drainReply(reply: ApiReply): { safeAfter: Date; leftMs: number } {
  const { safeAfter } = (reply.body ?? {}) as { safeAfter?: string };
  // Not registered any more: as after a lease that ran out, nothing is known of who still has it.
  if (safeAfter === undefined) return { safeAfter: new Date(), leftMs: 0 };
  const date = Date.parse(reply.header('date') ?? '');
  const at = new Date(safeAfter);
  return { safeAfter: at, leftMs: at.getTime() - (Number.isNaN(date) ? Date.now() : date) };
}
