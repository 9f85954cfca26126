// roster.ts -- everybody who is registered, in memory: applies what the store delivers and what the checks report
//
// The roster is the only place where an InstanceState is made. It does no I/O and decides nothing about writes: that
// is registry.ts.

import type { Clock } from '../base/clock.ts';
import type { CheckReport } from '../health/check-report.ts';
import { carryOver } from './carried-checks.ts';
import type { Change, ChangeKind, ServiceState } from './change.ts';
import { Ejections } from './ejections.ts';
import {
  type CheckState,
  type Instance,
  type InstanceState,
  isAnswerable,
  type Load,
  NO_META,
  NO_PORTS,
  type Readings,
  type Status,
} from './instance.ts';
import { MembersById } from './members-by-id.ts';
import type { Policy } from './policy.ts';
import { unknownInstance } from './refusals.ts';
import { isSamePlace, type Rollout } from './rollout.ts';
import { deriveStatus } from './status.ts';
import type { StoredEntry, StoredHold, StoredStatus } from './stored.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Service = Mutable<Omit<ServiceState, 'instances'>> & { readonly instances: MembersById<InstanceState> };

const NO_HOLD = { hold: { draining: false, maintenance: null } as StoredHold, revision: 0 };

/** All services and instances, and the one way each kind of news changes them. */
export class Roster {
  readonly #clock: Clock;
  readonly #emit: (change: Change) => void;
  readonly #services = new Map<string, Service>();
  /** Those of them that have a maintenance and nothing else. */
  readonly #unknownServices = new Set<string>();
  readonly #instances = new Map<string, InstanceState>();
  readonly #holds = new Map<string, typeof NO_HOLD>();
  readonly #restored = new Map<string, StoredStatus>();
  readonly #expiredLeases = new Set<string>();
  readonly #ejections = new Ejections();
  /** The latest `lastAnswerableMs`. */
  #newestEndMs = 0;
  #isRestoring = true;
  #sequence: number;

  constructor(clock: Clock, firstSequence: number, emit: (change: Change) => void) {
    this.#clock = clock;
    this.#sequence = firstSequence;
    this.#emit = emit;
  }

  get sequence(): number {
    return this.#sequence;
  }

  service(name: string): ServiceState | undefined {
    const service = this.#services.get(name);
    return service !== undefined && isKnown(service) ? service : undefined;
  }

  get serviceCount(): number {
    return this.#services.size - this.#unknownServices.size;
  }

  *services(): Iterable<ServiceState> {
    for (const service of this.#services.values()) if (isKnown(service)) yield service;
  }

  instance(id: string): InstanceState | undefined {
    return this.#instances.get(id);
  }

  /** Throws CodedError `unknown_instance`. */
  existing(id: string): InstanceState {
    const state = this.#instances.get(id);
    if (state === undefined) throw unknownInstance(id);
    return state;
  }

  get instanceCount(): number {
    return this.#instances.size;
  }

  instances(): Iterable<InstanceState> {
    return this.#instances.values();
  }

  /** What is held of one instance, apart from its service's maintenance, and when that was stored. */
  holdOf(id: string): typeof NO_HOLD {
    return this.#holds.get(id) ?? NO_HOLD;
  }

  isHeld(id: string): boolean {
    return this.#holds.has(id);
  }

  /** Did the lease run out, and is the instance still here? */
  isLeaseExpired(id: string): boolean {
    return this.#expiredLeases.has(id);
  }

  isEjected(id: string): boolean {
    return this.#ejections.reasonOf(id) !== undefined;
  }

  /** Everything there was at the start is here: statuses that come from now on are our own. */
  endRestoring(): void {
    this.#isRestoring = false;
    // What is left belongs to no instance and must not meet a later one of the same id.
    this.#restored.clear();
  }

  /** Apply one entry from the store. */
  apply(entry: StoredEntry, revision: number): void {
    switch (entry.kind) {
      case 'instance':
        if (entry.value === undefined) this.remove(entry.id);
        else this.put(entry.value.instance, { revision, registeredAtMs: entry.value.registeredAtMs, isStatic: false });
        break;
      case 'status':
        // Our own status writes come back to us; what matters is only what was there before we started.
        if (this.#isRestoring && entry.value !== undefined) this.#restored.set(entry.id, entry.value);
        break;
      case 'hold':
        this.#hold(entry.id, entry.value, revision);
        break;
      case 'hold-service':
        this.#holdService(entry.id, entry.value);
        break;
      case 'policy':
        this.#setPolicy(entry.id, entry.value, revision);
        break;
      case 'rollout':
        this.#setRollout(entry.id, entry.value);
    }
  }

  /** Add or replace an instance. */
  put(instance: Instance, about: { revision: number; registeredAtMs: number; isStatic: boolean }): void {
    let before = this.#instances.get(instance.id);
    if (before !== undefined && before.instance.service !== instance.service) {
      this.#unlist(before);
      before = undefined;
    }
    const restored = this.#restored.get(instance.id);
    this.#restored.delete(instance.id);
    this.#expiredLeases.delete(instance.id);
    this.#ejections.replace(before?.instance, instance);
    const state = {
      instance: sparing(instance, this.#serviceFor(instance.service)),
      ...about,
      checks: carryOver(instance, before, restored, this.#clock.wallMs()),
      leaseExpiresAtMs: before?.leaseExpiresAtMs,
      load: before?.load,
      connections: before?.connections,
      loadReports: before?.loadReports,
      loadTrust: before?.loadTrust,
      latencyMs: before?.latencyMs,
      warmth: before?.warmth,
      lastAnswerableMs: before === undefined ? restored?.lastAnswerableMs : before.lastAnswerableMs,
    };
    this.#store(state, before === undefined ? 'register' : 'update');
  }

  /** Take an instance out. */
  remove(id: string): void {
    const state = this.#instances.get(id);
    this.#holds.delete(id);
    this.#expiredLeases.delete(id);
    this.#ejections.forget(id);
    if (state !== undefined) this.#unlist(state);
  }

  #unlist(state: InstanceState): void {
    const { id, service } = state.instance;
    this.#instances.delete(id);
    this.#services.get(service)?.instances.delete(id);
    this.#changed('deregister', service, state, undefined);
  }

  /** A check's news: its outcome after rise and fall. Tells whether the outcome changed. */
  applyResult(id: string, checkId: string, result: CheckReport): boolean {
    const state = this.#instances.get(id);
    if (state === undefined || !state.instance.checks.some((check) => check.id === checkId)) return false;
    const before = state.checks[checkId];
    const changed = before?.outcome !== result.outcome;
    const after: CheckState = {
      outcome: result.outcome,
      output: result.output,
      latencyMs: result.latencyMs,
      sinceMs: changed || before === undefined ? this.#clock.wallMs() : before.sinceMs,
      neutral: false,
      ...(result.failing ? { failing: true } : {}),
      ...(result.damping === undefined ? {} : { damping: result.damping }),
    };
    const load = result.load === undefined ? state.load : { ...state.load, connections: result.load };
    this.#store({ ...state, checks: { ...state.checks, [checkId]: after }, load }, changed ? 'health' : undefined);
    return changed;
  }

  /** The lease ran out: out of the answers, whatever becomes of the deregistration. */
  expireLease(id: string): void {
    const state = this.#instances.get(id);
    if (state === undefined) return;
    this.#expiredLeases.add(id);
    this.#store(state, 'health');
  }

  /** Out of the answers, for this reason, or (undefined) back as far as that goes. Throws CodedError `unknown_instance`. */
  setEjection(id: string, reason: string | undefined): void {
    const state = this.existing(id);
    if (this.#ejections.set(id, reason)) this.#store(state, 'health');
  }

  /** A heartbeat came in. */
  renew(id: string, leaseExpiresAtMs: number | undefined, load: Load | undefined): void {
    const state = this.#instances.get(id);
    if (state === undefined) return;
    const wasExpired = this.#expiredLeases.delete(id);
    this.#store({ ...state, leaseExpiresAtMs, load: load ?? state.load }, wasExpired ? 'health' : undefined);
  }

  /** What balancing goes by from now on. Returns the instance as it is then, if it is here. */
  setReadings(id: string, readings: Readings): InstanceState | undefined {
    const state = this.#instances.get(id);
    const { connections, loadReports, loadTrust, latencyMs, warmth } = readings;
    if (state !== undefined) {
      this.#store({ ...state, connections, loadReports, loadTrust, latencyMs, warmth }, undefined);
    }
    return this.#instances.get(id);
  }

  #hold(id: string, hold: StoredHold | undefined, revision: number): void {
    if (hold === undefined) this.#holds.delete(id);
    else this.#holds.set(id, { hold, revision });
    const state = this.#instances.get(id);
    if (state !== undefined) this.#store(state, 'health');
  }

  #holdService(name: string, value: StoredHold | undefined): void {
    const service = this.#serviceFor(name);
    service.maintenance = value?.maintenance ?? undefined;
    for (const state of [...service.instances.values()]) this.#store(state, 'health');
    this.#forgetUnknown(name);
  }

  #setPolicy(name: string, policy: Policy | undefined, revision: number): void {
    const service = this.#serviceFor(name);
    service.policy = policy;
    service.policyRevision = policy === undefined ? 0 : revision;
    if (policy === undefined) service.rollout = undefined;
    this.#changed('policy', name, undefined, undefined);
  }

  #setRollout(name: string, rollout: Rollout | undefined): void {
    const service = this.#services.get(name);
    if (service?.policy === undefined) return;
    const isNews = rollout !== undefined && !isSamePlace(service.rollout, rollout);
    service.rollout = rollout;
    if (isNews) this.#changed('policy', name, undefined, undefined, rollout);
  }

  /** Complete a draft with its status, put it in place, and say so when `kind` is given. */
  #store(
    draft: Omit<InstanceState, 'status' | 'reason' | 'draining' | 'maintenance' | 'isFailing'>,
    kind: ChangeKind | undefined,
  ): void {
    const { instance, revision, registeredAtMs, checks, leaseExpiresAtMs, load, isStatic } = draft;
    const { connections, loadReports, loadTrust, latencyMs, warmth } = draft;
    const { id } = instance;
    const service = this.#serviceFor(instance.service);
    const { hold } = this.holdOf(id);
    const maintenance = hold.maintenance ?? service.maintenance;
    const { draining } = hold;
    const leaseExpired = this.#expiredLeases.has(id);
    const { status, reason } = deriveStatus({
      checks: instance.checks,
      states: checks,
      draining,
      maintenance,
      leaseExpired,
      ejected: this.#ejections.reasonOf(id),
    });
    const before = this.#instances.get(id);
    // Written out: an object made by spreading others takes half as much again, and there is one for every instance.
    const state: InstanceState = {
      instance,
      status,
      reason,
      revision,
      registeredAtMs,
      checks,
      draining,
      maintenance,
      leaseExpiresAtMs,
      load,
      connections,
      loadReports,
      loadTrust,
      latencyMs,
      warmth,
      lastAnswerableMs: this.#lastAnswerableMs(status, before?.status, draft.lastAnswerableMs),
      isFailing: isAnswerable(status) && isSomeFailing(checks),
      isStatic,
    };
    this.#instances.set(id, state);
    service.instances.put(state);
    if (kind !== undefined) this.#changed(kind, service.name, state, before);
  }

  /** See `InstanceState`; `knownMs` is what it was. Later than all before, whatever the wall clock does. */
  #lastAnswerableMs(status: Status, before: Status | undefined, knownMs: number | undefined): number | undefined {
    if (isAnswerable(status)) return undefined;
    const ends = before !== undefined && isAnswerable(before);
    const endMs = ends ? Math.max(this.#clock.wallMs(), this.#newestEndMs + 1) : knownMs;
    this.#newestEndMs = Math.max(this.#newestEndMs, endMs ?? 0);
    return endMs;
  }

  #changed(
    kind: ChangeKind,
    name: string,
    instance: InstanceState | undefined,
    before: InstanceState | undefined,
    rollout?: Rollout,
  ): void {
    const sequence = ++this.#sequence;
    const service = this.#services.get(name);
    if (service !== undefined) service.index = sequence;
    this.#forgetUnknown(name);
    // What is read back is no news.
    if (this.#isRestoring) return;
    const about = rollout === undefined ? {} : { rollout };
    this.#emit({ sequence, kind, service: name, instance, before, ...about, atMs: this.#clock.wallMs() });
  }

  #serviceFor(name: string): Service {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = {
        name,
        instances: new MembersById(),
        policy: undefined,
        policyRevision: 0,
        rollout: undefined,
        index: this.#sequence,
        maintenance: undefined,
      };
      this.#services.set(name, service);
    }
    return service;
  }

  #forgetUnknown(name: string): void {
    const service = this.#services.get(name);
    this.#unknownServices.delete(name);
    if (service === undefined || isKnown(service)) return;
    if (service.maintenance === undefined) this.#services.delete(name);
    else this.#unknownServices.add(name);
  }
}

function isKnown(service: Service): boolean {
  return service.instances.size > 0 || service.policy !== undefined;
}

const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_CHECKS: Instance['checks'] = Object.freeze([]);
/** Fields that every instance has. */
const FIELDS = 9;

/** The same instance, with what is the same in many shared: what came from a store has a copy of everything. */
function sparing(instance: Instance, { name, instances }: Service): Instance {
  const { id, address, port, weight } = instance;
  const [other] = instances.values();
  const ports = Object.keys(instance.ports).length === 0 ? NO_PORTS : instance.ports;
  const meta = Object.keys(instance.meta).length === 0 ? NO_META : instance.meta;
  const tags = sharedTags(instance.tags, other?.instance.tags ?? NO_TAGS);
  const checks = instance.checks.length === 0 ? NO_CHECKS : instance.checks;
  const common = { id, service: name, address, port, ports, tags, meta, weight, checks };
  return Object.freeze(Object.keys(instance).length === FIELDS ? common : { ...instance, ...common });
}

function sharedTags(tags: readonly string[], others: readonly string[]): readonly string[] {
  if (tags.length === 0) return NO_TAGS;
  return tags.length === others.length && tags.every((tag, i) => tag === others[i]) ? others : tags;
}

function isSomeFailing(checks: Readonly<Record<string, CheckState>>): boolean {
  for (const id in checks) if (checks[id]?.failing) return true;
  return false;
}
