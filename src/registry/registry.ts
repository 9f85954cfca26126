// registry.ts -- the registry's commands: check, write to the store, and return when the roster shows it
//
// Writes go down, truth comes up: a command hands mutations to the store, the store's watch delivers the committed
// batch back, the roster applies it and tells its listeners, and only then does the command return. So whoever got an
// answer can rely on it (design: acknowledged means answered).

import type { Logger } from '../base/log.ts';
import type { CheckReport } from '../health/check-report.ts';
import type { CheckSpec, Outcome } from '../health/check-spec.ts';
import { type Author, CONFIG, checkAuthor, LEASE } from './author.ts';
import { type BatchResult, commitBatch } from './batch.ts';
import { type Beats, openBeats } from './beats.ts';
import type { Change, ServiceState } from './change.ts';
import type { PastChange } from './change-history.ts';
import { ChangeListeners } from './change-listeners.ts';
import { withCheck, withoutCheck } from './check-set.ts';
import { ExpiredLeases } from './expired-leases.ts';
import { Expiries } from './expiries.ts';
import { followStore } from './followed-store.ts';
import { HistoryKeeper, type HistoryOptions } from './history-keeper.ts';
import { Holds } from './holds.ts';
import type { Instance, InstanceState, Load, Readings } from './instance.ts';
import type { LeaseBook } from './lease-book.ts';
import { openLeaseBook } from './lease-books.ts';
import { type LoadListener, loadReport } from './load-report.ts';
import { Policies } from './policies.ts';
import type { Policy } from './policy.ts';
import { unknownInstance } from './refusals.ts';
import { type Registered, Registrations } from './registrations.ts';
import type { Rollout } from './rollout.ts';
import { Roster } from './roster.ts';
import { type SequenceOptions, SequenceReserve } from './sequence-reserve.ts';
import { StaticInstances } from './static-instances.ts';
import { StatusSaver } from './status-saver.ts';
import type { CommittedBatch, Precondition, StoreSnapshot } from './store.ts';
import { inLoadOrder, isOfNodes, readStored, type StoredEntry, storedKey } from './stored.ts';
import type { BatchOperation } from './validate-batch.ts';
import { Writes } from './writes.ts';

export interface RegistryOptions extends HistoryOptions, SequenceOptions {
  /** Heartbeats cannot come yet: leases stand still until `openLeases`. */
  readonly leasesWait?: boolean;
  readonly onReport?: LoadListener;
  /** Takes what the store tells of the nodes that share it. */
  readonly onForeign?: (entry: StoredEntry, revision: number) => void;
  /** What to condition writes on that only one of the nodes may make. Throws CodedError `not_elected`. */
  readonly fence?: () => Precondition;
}

/** Every command takes the author of the change last, for the history and the watchers. */
export class Registry {
  readonly #log: Logger;
  readonly #writes: Writes;
  readonly #roster: Roster;
  readonly #holds: Holds;
  readonly #policies: Policies;
  readonly #static: StaticInstances;
  readonly #registrations: Registrations;
  readonly #leases: LeaseBook;
  /** Heartbeat checks, where several nodes may get the heartbeats. */
  readonly #beats: Beats | undefined;
  readonly #expiries: Expiries;
  readonly #saver: StatusSaver;
  readonly #expired: ExpiredLeases;
  readonly #history: HistoryKeeper;
  readonly #options: RegistryOptions;
  readonly #reserve: SequenceReserve;
  readonly #listeners: ChangeListeners;
  /** Who causes the changes that the roster tells at this moment. */
  #author: Author | undefined;
  #unwatch: () => void = () => {};

  private constructor(options: RegistryOptions, snapshot: StoreSnapshot) {
    const { store, clock, log } = options;
    this.#options = options;
    this.#log = log;
    this.#writes = new Writes(store, options.fence, (ids) => this.#expiries.settle(ids));
    this.#listeners = new ChangeListeners(log);
    this.#reserve = new SequenceReserve(options, snapshot);
    this.#roster = new Roster(clock, this.#reserve.first, (change) => this.#tell(change));
    this.#holds = new Holds(this.#roster, this.#writes);
    this.#policies = new Policies(this.#roster, this.#writes);
    this.#static = new StaticInstances({ clock, log, roster: this.#roster, writes: this.#writes });
    const [writes, roster] = [this.#writes, this.#roster];
    this.#beats = openBeats({ store, clock, log, roster, report: this.reportResult.bind(this) });
    this.#registrations = new Registrations({ roster, writes, clock, beats: this.#beats });
    this.#leases = openLeaseBook({
      store,
      clock,
      log,
      onExpired: (id) => this.#leaseExpired(id),
      onSilent: (id) => this.#as(LEASE, () => roster.expireLease(id)),
      onHeard: (id) => this.#as(LEASE, () => roster.renew(id, undefined, undefined)),
    });
    this.#expired = new ExpiredLeases({
      clock,
      log,
      turns: this.#writes.turns,
      isDue: (id) => this.#roster.isLeaseExpired(id) && !this.#roster.existing(id).isStatic,
      remove: (id) => this.#registrations.remove(id, LEASE),
    });
    this.#expiries = new Expiries({
      clock,
      log,
      owners: { instance: this.#leases, beat: this.#beats },
      putAgain: (id) => this.#registrations.putAgain(id),
      apply: (batch) => this.#apply(batch),
    });
    this.#saver = new StatusSaver(store, this.#roster, clock, log);
    this.#history = new HistoryKeeper(options);
  }

  /** Load everything from the store and follow it from there. Rejects as the store's `load` does. */
  static async open(options: RegistryOptions): Promise<Registry> {
    const { snapshot, follow, unwatch } = await followStore(options.store);
    const registry = new Registry(options, snapshot);
    registry.#unwatch = unwatch;
    for (const record of inLoadOrder(snapshot.records)) registry.#applyOne(record.key, record.value, record.revision);
    registry.#roster.endRestoring();
    registry.#history.endRestoring();
    registry.#beats?.endRestoring(registry.instances());
    follow((batch) => registry.#expiries.take(batch));
    await registry.#leases.endRestoring();
    if (options.leasesWait !== true) registry.openLeases();
    return registry;
  }

  /** Heartbeats can come from now on: leases run. */
  openLeases(): void {
    this.#leases.open();
  }

  /** Hear of every change from now on; returns the way to stop. Listeners run synchronously and must not throw. */
  onChange(listener: (change: Change) => void): () => void {
    return this.#listeners.add(listener);
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

  /** The last changes of a service, newest first, of one that is gone too; undefined when none are known. */
  history(service: string, limit: number): readonly PastChange[] | undefined {
    return this.#history.of(service, limit);
  }

  /**
   * Register or replace. Repeating a registration as it is writes nothing and renews its lease.
   * Throws CodedError: `id_taken`, `already_registered` (with `onlyNew`), `read_only`, `store_unavailable`.
   */
  async register(instance: Instance, onlyNew = false, ifRevision?: number, by?: Author): Promise<Registered> {
    let isNew = true;
    const state = await this.#write(instance.id, async () => {
      isNew = await this.#registrations.put(instance, onlyNew, ifRevision, by);
      this.#as(by, () => this.#renewLease(instance.id, undefined));
    });
    return { state, isNew };
  }

  /** Take an instance out. Throws CodedError: `unknown_instance`, `read_only`, `precondition_failed`, `store_unavailable`. */
  async deregister(id: string, by?: Author, ifRevision?: number): Promise<void> {
    await this.#writes.inTurn([id], () => this.#registrations.remove(id, by, ifRevision));
  }

  /**
   * Register and deregister many, whose ids all differ, in one durable commit. Registrations that are there as they are
   * write nothing; all renew their leases. Throws CodedError as `commitBatch` does, changing nothing.
   */
  async batch(operations: readonly BatchOperation[], by?: Author): Promise<BatchResult[]> {
    const parts = { roster: this.#roster, writes: this.#writes, registrations: this.#registrations };
    const results = await commitBatch(operations, parts, by);
    this.#as(by, () => {
      for (const { op, id } of operations) if (op === 'register') this.#renewLease(id, undefined);
    });
    return results;
  }

  /** Add or replace one check. Throws CodedError: `unknown_instance`, `read_only`, `store_unavailable`. */
  async putCheck(id: string, check: CheckSpec, by?: Author, ifRevision?: number): Promise<InstanceState> {
    return await this.update(id, (instance) => withCheck(instance, check), ifRevision, by);
  }

  /** Remove one check. Throws CodedError: `unknown_instance`, `unknown_check`, `read_only`, `store_unavailable`. */
  async deleteCheck(id: string, checkId: string, by?: Author, ifRevision?: number): Promise<void> {
    await this.update(id, (instance) => withoutCheck(instance, checkId), ifRevision, by);
  }

  /**
   * Change an instance from what it is now, without renewing its lease; with `ifRevision`, only while that is its
   * revision. `change` may be called again when another node was faster.
   * Throws CodedError: `unknown_instance`, `read_only`, `precondition_failed`, `store_unavailable`.
   */
  async update(
    id: string,
    change: (instance: Instance) => Instance,
    ifRevision?: number,
    by?: Author,
  ): Promise<InstanceState> {
    return await this.#write(id, () => this.#registrations.change(id, change, ifRevision, by));
  }

  /** Take an instance out of the answers, or back, keeping it registered. Throws CodedError. */
  async setDraining(id: string, draining: boolean, by?: Author): Promise<InstanceState> {
    return await this.#holds.set(id, { draining }, by);
  }

  /** Out of the answers until it is readmitted, for what came of requests to it. Throws CodedError `unknown_instance`. */
  eject(id: string, reason: string, by?: Author): void {
    this.#as(by, () => this.#roster.setEjection(id, reason));
  }

  /** End an ejection, if there is one. Throws CodedError `unknown_instance`. */
  readmit(id: string, by?: Author): void {
    this.#as(by, () => this.#roster.setEjection(id, undefined));
  }

  isEjected(id: string): boolean {
    return this.#roster.isEjected(id);
  }

  /** Put one instance into maintenance, with the reason, or end it (undefined). Throws CodedError. */
  async setMaintenance(id: string, reason: string | undefined, by?: Author): Promise<InstanceState> {
    return await this.#holds.set(id, { maintenance: reason ?? null }, by);
  }

  /** Put a whole service, with every instance it has or will have, into maintenance, or end it. */
  async setServiceMaintenance(name: string, reason: string | undefined, by?: Author): Promise<void> {
    await this.#holds.setService(name, reason, by);
  }

  /** Set or delete (undefined) a service's policy, as `Policies.set` does. */
  async setPolicy(name: string, policy: Policy | undefined, ifRevision?: number, by?: Author): Promise<void> {
    await this.#policies.set(name, policy, ifRevision, by);
  }

  /** Move on the steps of a service's policy, or back: `Policies.moveRollout`. */
  async moveRollout(name: string, change: (service: ServiceState) => Rollout | undefined, by?: Author): Promise<void> {
    await this.#policies.moveRollout(name, change, by);
  }

  /** What balancing goes by from now on: no change to tell listeners of. Returns the instance, if it is here. */
  setReadings(id: string, readings: Readings): InstanceState | undefined {
    return this.#roster.setReadings(id, readings);
  }

  /**
   * Renew the lease and note the load. Returns when the lease runs out, if there is one. Throws CodedError
   * `unknown_instance`, also when the instance is just being deregistered because its lease ran out.
   */
  heartbeat(id: string, load: Load | undefined, by?: Author): number | undefined {
    this.#roster.existing(id);
    if (this.#expired.isLeaving(id)) throw unknownInstance(id);
    const expiresAtMs = this.#as(by, () => this.#renewLease(id, load));
    if (load !== undefined) this.#options.onReport?.(this.#roster.existing(id), load);
    return expiresAtMs;
  }

  /**
   * A check's outcome after rise and fall; takes effect at once and is stored behind. Tells whether `isFailing` changed
   * and nothing else: that is no change to tell listeners of.
   */
  reportResult(id: string, checkId: string, result: CheckReport): boolean {
    const wasFailing = this.#roster.instance(id)?.isFailing;
    const isNew = this.#as(checkAuthor(checkId), () => this.#roster.applyResult(id, checkId, result));
    if (isNew) this.#saver.mark(id);
    const state = this.#roster.instance(id);
    if (state !== undefined) this.#options.onReport?.(state, loadReport(checkId, result));
    return !isNew && state?.isFailing !== wasFailing;
  }

  /** Feed the heartbeat checks of an instance, where several nodes share the store; holds at once. */
  beat(id: string, { status, output }: { readonly status?: Outcome; readonly output?: string }): void {
    for (const key of this.#beats?.beat(this.#roster.existing(id), status, output) ?? []) this.#expiries.heard(key);
  }

  /** Resolves when the outcomes reported so far are stored (or cannot be). */
  async flush(): Promise<void> {
    await Promise.all([this.#saver.flush(), this.#beats?.flush()]);
  }

  /** Replace the instances that come from the configuration. Throws CodedError `id_taken`, changing nothing. */
  setStatic(instances: readonly Instance[]): void {
    this.#as(CONFIG, () => this.#static.set(instances));
  }

  /** Could these be set? Throws CodedError `id_taken` when an id is registered through the API. */
  checkStatic(instances: readonly Instance[]): void {
    this.#static.check(instances);
  }

  /** Stop timers and store what is waiting; the store itself stays open. */
  async stop(): Promise<void> {
    this.#writes.stop();
    this.#expired.stop();
    this.#expiries.stop();
    this.#reserve.stop();
    await this.#leases.stop();
    await this.#beats?.stop();
    await this.#saver.flush();
    this.#saver.stop();
    await this.#history.stop();
    this.#unwatch();
  }

  #renewLease(id: string, load: Load | undefined): number | undefined {
    const expiresAtMs = this.#leases.renew(this.#roster.existing(id));
    this.#roster.renew(id, expiresAtMs, load);
    this.#expiries.heard(storedKey('instance', id));
    return expiresAtMs;
  }

  #leaseExpired(id: string): void {
    this.#log.info({ instance: id }, 'lease expired');
    this.#as(LEASE, () => this.#roster.expireLease(id));
    this.#expired.begin(id);
  }

  /** Run a write in the id's turn, again when another node was faster. Returns the instance as it is then. */
  async #write(id: string, attempt: () => Promise<void>): Promise<InstanceState> {
    return await this.#writes.inTurn([id], async () => {
      await attempt();
      return this.#roster.existing(id);
    });
  }

  /** Let the roster tell changes as this author's. */
  #as<T>(by: Author | undefined, work: () => T): T {
    const before = this.#author;
    this.#author = by;
    try {
      return work();
    } finally {
      this.#author = before;
    }
  }

  #apply(batch: CommittedBatch): void {
    for (const { key, value } of batch.mutations) {
      const entry = readStored(key, value);
      const before = entry?.kind === 'instance' ? this.#roster.instance(entry.id) : undefined;
      const by = batch.isExpiry === true ? LEASE : this.#writes.authorOf(key, value);
      this.#as(by, () => this.#applyOne(key, value, batch.revision));
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
    if (entry.kind === 'history') this.#history.restore(entry.value);
    if (entry.kind === 'history' || entry.kind === 'sequence' || this.#leases.restore(entry)) return;
    if (entry.kind === 'beat') this.#beats?.take(entry.id, entry.value);
    else if (isOfNodes(entry)) this.#options.onForeign?.(entry, revision);
    else this.#roster.apply(entry, revision);
    if (entry.kind !== 'instance') return;
    if (entry.value === undefined) this.#leases.drop(entry.id);
    else if (entry.value.instance.leaseTtlMs === undefined || !this.#leases.has(entry.id))
      this.#renewLease(entry.id, undefined);
  }

  #tell(change: Change): void {
    const told = { ...change, by: this.#author };
    this.#history.record(told, this.#roster.service(told.service)?.policy);
    this.#reserve.reached(told.sequence);
    this.#listeners.tell(told);
  }
}
