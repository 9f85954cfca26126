// registry.ts -- the registry's commands: check, write to the store, and return when the roster shows it
//
// Writes go down, truth comes up: a command hands mutations to the store, the store's watch delivers the committed
// batch back, the roster applies it and tells its listeners, and only then does the command return. So whoever got an
// answer can rely on it (design: acknowledged means answered).

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CheckSpec, ProbeResult } from '../health/check-spec.ts';
import type { Change, ServiceState } from './change.ts';
import { ExpiredLeases } from './expired-leases.ts';
import type { Instance, InstanceState, Load } from './instance.ts';
import { LeaseTimers } from './lease-timers.ts';
import type { Policy } from './policy.ts';
import { checkRevision, readOnly, unknownInstance } from './refusals.ts';
import { Roster } from './roster.ts';
import { StatusSaver } from './status-saver.ts';
import type { CommittedBatch, Mutation, Precondition, Store } from './store.ts';
import { inLoadOrder, readStored, type StoredHold, type StoredInstance, storedKey } from './stored.ts';
import { Turns } from './turns.ts';

/** A write that lost against another node's tries again with what the other wrote. */
const MAX_ATTEMPTS = 8;

export interface RegistryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a registration came to. */
interface Registered {
  readonly state: InstanceState;
  readonly isNew: boolean;
}

export class Registry {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #roster: Roster;
  readonly #leases: LeaseTimers;
  readonly #saver: StatusSaver;
  readonly #turns = new Turns();
  readonly #expired: ExpiredLeases;
  readonly #listeners = new Set<(change: Change) => void>();
  #unwatch: () => void = () => {};
  #staticIds = new Set<string>();
  #stopped = false;

  private constructor(options: RegistryOptions, firstSequence: number) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#roster = new Roster(options.clock, firstSequence, (change) => this.#tell(change));
    this.#leases = new LeaseTimers(options.clock, (id) => this.#leaseExpired(id));
    this.#expired = new ExpiredLeases({
      clock: options.clock,
      log: options.log,
      turns: this.#turns,
      isDue: (id) => this.#roster.isLeaseExpired(id) && !this.#existing(id).isStatic,
      remove: (id) => this.#remove(id),
    });
    this.#saver = new StatusSaver(options.store, this.#roster, options.clock, options.log);
  }

  /** Load everything from the store and follow it from there. Rejects as the store's `load` does. */
  static async open(options: RegistryOptions): Promise<Registry> {
    // Watching begins before loading, so that nothing falls between the two.
    const early: CommittedBatch[] = [];
    const state: { registry?: Registry } = {};
    const unwatch = options.store.watch((batch) => {
      if (state.registry === undefined) early.push(batch);
      else state.registry.#apply(batch);
    });
    const snapshot = await options.store.load().catch((error: unknown) => {
      unwatch();
      throw error;
    });
    const registry = new Registry(options, snapshot.revision);
    registry.#unwatch = unwatch;
    for (const record of inLoadOrder(snapshot.records)) registry.#applyOne(record.key, record.value, record.revision);
    registry.#roster.endRestoring();
    for (const batch of early) if (batch.revision > snapshot.revision) registry.#apply(batch);
    state.registry = registry;
    return registry;
  }

  /** Hear of every change from now on; returns the way to stop. Listeners run synchronously and must not throw. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sequence of the last change at this node. */
  get sequence(): number {
    return this.#roster.sequence;
  }

  get instanceCount(): number {
    return this.#roster.instanceCount;
  }

  /** How many services are known. */
  get serviceCount(): number {
    return this.#roster.serviceCount;
  }

  services(): Iterable<ServiceState> {
    return this.#roster.services();
  }

  service(name: string): ServiceState | undefined {
    return this.#roster.service(name);
  }

  instance(id: string): InstanceState | undefined {
    return this.#roster.instance(id);
  }

  instances(): Iterable<InstanceState> {
    return this.#roster.instances();
  }

  /**
   * Register or replace. Repeating a registration as it is writes nothing and renews its lease.
   * Throws CodedError: `id_taken`, `already_registered` (with `onlyNew`), `read_only`, `store_unavailable`.
   */
  async register(instance: Instance, onlyNew = false, ifRevision?: number): Promise<Registered> {
    let isNew = true;
    const state = await this.#write(instance.id, async () => {
      const current = this.#roster.instance(instance.id);
      isNew = current === undefined;
      checkRevision(instance.id, current?.revision ?? 0, ifRevision);
      if (current !== undefined) this.#checkReplaceable(current, instance, onlyNew);
      if (current === undefined || !isDeepStrictEqual(current.instance, instance)) {
        await this.#commitInstance(instance, current);
      }
      this.#renewLease(instance.id, undefined);
    });
    return { state, isNew };
  }

  #checkReplaceable(current: InstanceState, instance: Instance, onlyNew: boolean): void {
    if (current.isStatic) throw readOnly(instance.id);
    if (current.instance.service !== instance.service) {
      const message = `id '${instance.id}' belongs to service '${current.instance.service}'`;
      throw new CodedError('id_taken', message);
    }
    if (onlyNew) throw new CodedError('already_registered', `instance '${instance.id}' is registered already`);
  }

  /** Take an instance out. Throws CodedError: `unknown_instance`, `read_only`, `store_unavailable`. */
  async deregister(id: string): Promise<void> {
    await this.#turns.take(id, () => this.#remove(id));
  }

  async #remove(id: string): Promise<void> {
    if (this.#existing(id).isStatic) throw readOnly(id);
    const kinds = ['instance', 'status', 'hold'] as const;
    await this.#commit(
      kinds.map((kind) => ({ key: storedKey(kind, id), value: undefined })),
      [],
    );
  }

  /** Add or replace one check. Throws CodedError: `unknown_instance`, `read_only`, `store_unavailable`. */
  async putCheck(id: string, check: CheckSpec): Promise<InstanceState> {
    return await this.#changeChecks(id, (checks) => {
      const at = checks.findIndex((each) => each.id === check.id);
      return at < 0 ? [...checks, check] : checks.with(at, check);
    });
  }

  /** Remove one check. Throws CodedError: `unknown_instance`, `unknown_check`, `read_only`, `store_unavailable`. */
  async deleteCheck(id: string, checkId: string): Promise<void> {
    await this.#changeChecks(id, (checks) => {
      if (!checks.some((each) => each.id === checkId)) {
        throw new CodedError('unknown_check', `instance '${id}' has no check '${checkId}'`);
      }
      return checks.filter((each) => each.id !== checkId);
    });
  }

  async #changeChecks(id: string, change: (checks: readonly CheckSpec[]) => CheckSpec[]): Promise<InstanceState> {
    return await this.update(id, (instance) => ({ ...instance, checks: change(instance.checks) }));
  }

  /**
   * Change an instance from what it is now, without renewing its lease; with `ifRevision`, only while that is its
   * revision. `change` may be called again when another node was faster.
   * Throws CodedError: `unknown_instance`, `read_only`, `precondition_failed`, `store_unavailable`.
   */
  async update(id: string, change: (instance: Instance) => Instance, ifRevision?: number): Promise<InstanceState> {
    return await this.#write(id, async () => {
      const current = this.#existing(id);
      if (current.isStatic) throw readOnly(id);
      checkRevision(id, current.revision, ifRevision);
      const instance = change(current.instance);
      if (!isDeepStrictEqual(current.instance, instance)) await this.#commitInstance(instance, current);
    });
  }

  async #commitInstance(instance: Instance, current: InstanceState | undefined): Promise<void> {
    const registeredAtMs = current?.registeredAtMs ?? this.#clock.wallMs();
    const value: StoredInstance = { instance, registeredAtMs };
    await this.#commit([{ key: storedKey('instance', instance.id), value }], [unchanged(instance.id, current)]);
  }

  /** Take an instance out of the answers, or back, keeping it registered. Throws CodedError. */
  async setDraining(id: string, draining: boolean): Promise<InstanceState> {
    return await this.#setHold(id, { draining });
  }

  /** Put one instance into maintenance, with the reason, or end it (undefined). Throws CodedError. */
  async setMaintenance(id: string, reason: string | undefined): Promise<InstanceState> {
    return await this.#setHold(id, { maintenance: reason ?? null });
  }

  async #setHold(id: string, change: Partial<StoredHold>): Promise<InstanceState> {
    return await this.#write(id, async () => {
      const current = this.#existing(id);
      const before = this.#roster.holdOf(id);
      const hold: StoredHold = { ...before, ...change };
      if (isDeepStrictEqual(hold, before)) return;
      const isIdle = !hold.draining && hold.maintenance === null;
      const mutation = { key: storedKey('hold', id), value: isIdle ? undefined : hold };
      // Not without its instance: a hold left behind would meet the next one of that id.
      await this.#commit([mutation], [unchanged(id, current)]);
    });
  }

  /** Put a whole service, with every instance it has or will have, into maintenance, or end it. */
  async setServiceMaintenance(name: string, reason: string | undefined): Promise<void> {
    const value: StoredHold | undefined = reason === undefined ? undefined : { draining: false, maintenance: reason };
    await this.#commit([{ key: storedKey('hold-service', name), value }], []);
  }

  /**
   * Set or delete (undefined) a service's policy; with `ifRevision`, only while that is its revision (0: none).
   * Throws CodedError: `precondition_failed`, `store_unavailable`.
   */
  async setPolicy(name: string, policy: Policy | undefined, ifRevision?: number): Promise<void> {
    const key = storedKey('policy', name);
    const preconditions = ifRevision === undefined ? [] : [{ key, revision: ifRevision }];
    try {
      await this.#commit([{ key, value: policy }], preconditions);
    } catch (error) {
      if (!(error instanceof CodedError && error.code === 'conflict')) throw error;
      throw new CodedError('precondition_failed', `the policy of '${name}' is not at revision ${ifRevision}`);
    }
  }

  /**
   * Renew the lease and note the load. Returns when the lease runs out, if there is one. Throws CodedError
   * `unknown_instance`, also when the instance is just being deregistered because its lease ran out.
   */
  heartbeat(id: string, load: Load | undefined): number | undefined {
    this.#existing(id);
    if (this.#expired.isLeaving(id)) throw unknownInstance(id);
    return this.#renewLease(id, load);
  }

  /** A check's outcome after rise and fall; takes effect at once and is stored behind. */
  reportResult(id: string, checkId: string, result: ProbeResult): void {
    if (this.#roster.applyResult(id, checkId, result)) this.#saver.mark(id);
  }

  /** Resolves when the outcomes reported so far are stored (or cannot be). */
  async flush(): Promise<void> {
    await this.#saver.flush();
  }

  /** Replace the instances that come from the configuration. Throws CodedError `id_taken`, changing nothing. */
  setStatic(instances: readonly Instance[]): void {
    this.checkStatic(instances);
    const ids = new Set(instances.map((instance) => instance.id));
    for (const id of this.#staticIds) if (!ids.has(id)) this.#removeStatic(id);
    this.#staticIds = ids;
    for (const instance of instances) {
      const current = this.#roster.instance(instance.id);
      if (current !== undefined && isDeepStrictEqual(current.instance, instance)) continue;
      const registeredAtMs = current?.registeredAtMs ?? this.#clock.wallMs();
      this.#roster.put(instance, { revision: 0, registeredAtMs, isStatic: true });
    }
  }

  /** Could these be set? Throws CodedError `id_taken` when an id is registered through the API. */
  checkStatic(instances: readonly Instance[]): void {
    for (const { id } of instances) {
      const current = this.#roster.instance(id);
      if (current === undefined || current.isStatic) continue;
      throw new CodedError('id_taken', `static instance '${id}': the id is registered through the API already`);
    }
  }

  #removeStatic(id: string): void {
    const isHeld = this.#roster.isHeld(id);
    this.#roster.remove(id);
    if (!isHeld) return;
    this.#commit([{ key: storedKey('hold', id), value: undefined }], []).catch((error: unknown) => {
      this.#log.warn({ instance: id, reason: errorMessage(error) }, 'what was held of a static instance stays stored');
    });
  }

  /** Stop timers and store what is waiting; the store itself stays open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leases.stop();
    this.#expired.stop();
    await this.#saver.flush();
    this.#saver.stop();
    this.#unwatch();
  }

  #existing(id: string): InstanceState {
    const state = this.#roster.instance(id);
    if (state === undefined) throw unknownInstance(id);
    return state;
  }

  #renewLease(id: string, load: Load | undefined): number | undefined {
    const ttlMs = this.#roster.instance(id)?.instance.leaseTtlMs;
    if (ttlMs === undefined) this.#leases.drop(id);
    const expiresAtMs = ttlMs === undefined ? undefined : this.#leases.renew(id, ttlMs);
    this.#roster.renew(id, expiresAtMs, load);
    return expiresAtMs;
  }

  #leaseExpired(id: string): void {
    this.#log.info({ instance: id }, 'lease expired');
    this.#roster.expireLease(id);
    this.#expired.begin(id);
  }

  async #commit(mutations: readonly Mutation[], preconditions: readonly Precondition[]): Promise<void> {
    if (this.#stopped) throw new CodedError('stopping', 'the server is stopping');
    await this.#store.commit(mutations, preconditions);
  }

  /** Run a write in the id's turn, again when another node was faster. Returns the instance as it is then. */
  async #write(id: string, attempt: () => Promise<void>): Promise<InstanceState> {
    return await this.#turns.take(id, async () => {
      for (let tries = 1; ; tries++) {
        try {
          await attempt();
          return this.#existing(id);
        } catch (error) {
          if (!(error instanceof CodedError && error.code === 'conflict') || tries >= MAX_ATTEMPTS) throw error;
        }
      }
    });
  }

  #apply(batch: CommittedBatch): void {
    for (const { key, value } of batch.mutations) {
      const entry = readStored(key, value);
      const before = entry?.kind === 'instance' ? this.#roster.instance(entry.id) : undefined;
      this.#applyOne(key, value, batch.revision);
      if (before === undefined) continue;
      // Checks may have gone or begun anew; what is stored of them must follow.
      const { checks = [] } = this.#roster.instance(before.instance.id)?.instance ?? {};
      if (checks.length + before.instance.checks.length > 0) this.#saver.mark(before.instance.id);
    }
  }

  #applyOne(key: string, value: unknown, revision: number): void {
    const entry = readStored(key, value);
    if (entry === undefined) {
      this.#log.warn({ key }, 'unknown key in the store, left alone');
      return;
    }
    this.#roster.apply(entry, revision);
    if (entry.kind !== 'instance') return;
    if (entry.value === undefined) this.#leases.drop(entry.id);
    else if (!this.#leases.has(entry.id)) this.#renewLease(entry.id, undefined);
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // A bug above us; the rest of the batch must be applied all the same.
        this.#log.error({ err: error, kind: change.kind, service: change.service }, 'a registry listener threw');
      }
    }
  }
}

/** Holds while the registration is what `current` shows (not in the store: undefined, or a static instance). */
function unchanged(id: string, current: InstanceState | undefined): Precondition {
  return { key: storedKey('instance', id), revision: current?.revision ?? 0 };
}
