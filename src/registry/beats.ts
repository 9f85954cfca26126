// beats.ts -- heartbeat checks where several nodes may get the heartbeats: a key for each, which goes when none comes
//
// The key holds what the last heartbeat said. One that says the same only renews it, so heartbeats are no writes; one that
// says something else is written behind. Every node derives the outcome from the key, and silence from its absence.

import type { Clock, Timer } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CheckReport } from '../health/check-report.ts';
import type { CheckSpec, Outcome } from '../health/check-spec.ts';
import type { Instance, InstanceState } from './instance.ts';
import type { Mutation, SharedStore, Store } from './store.ts';
import { SHARED_GRACE_MS, type StoredBeat, storedKey } from './stored.ts';

const RETRY_MS = 1_000;
/** Another node changed the instance: what it did is told in a moment. */
const CONFLICT_RETRY_MS = 100;
const MAX_BATCH = 500;

export interface BeatsOptions {
  readonly store: Store;
  readonly shared: SharedStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly roster: { instance(id: string): InstanceState | undefined };
  /** What a check comes to from now on. */
  readonly report: (id: string, checkId: string, result: CheckReport) => void;
}

/** Undefined where one node gets all heartbeats: they need no key. */
export function openBeats(options: Omit<BeatsOptions, 'shared'>): Beats | undefined {
  const { shared } = options.store;
  return shared === undefined ? undefined : new Beats({ ...options, shared });
}

export class Beats {
  readonly #options: BeatsOptions;
  /** As the store has them, by `<instance>/<check>`. */
  readonly #stored = new Map<string, StoredBeat>();
  /** What is to be stored. */
  readonly #wanted = new Map<string, StoredBeat>();
  /** Until when each is heard of by what came here, in `Clock.monotonicMs` time. */
  readonly #heardUntilMs = new Map<string, number>();
  #isRestoring = true;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(options: BeatsOptions) {
    this.#options = options;
  }

  /** What to commit along with a registration, so that the checks that are new are waited for. */
  setUp(instance: Instance, before: Instance | undefined): Mutation[] {
    const mutations: Mutation[] = [];
    const kept = new Set<string>();
    for (const check of instance.checks) {
      if (check.type !== 'heartbeat') continue;
      kept.add(check.id);
      const known = before?.checks.find(({ id }) => id === check.id);
      if (known?.type === 'heartbeat' && known.intervalMs === check.intervalMs) continue;
      const sinceMs = this.#options.clock.wallMs();
      const value: StoredBeat = { outcome: check.initial ?? null, output: '', sinceMs };
      mutations.push(beatMutation(instance.id, check, value));
    }
    for (const { id, type } of before?.checks ?? []) {
      if (type === 'heartbeat' && !kept.has(id)) {
        mutations.push({ key: storedKey('beat', `${instance.id}/${id}`), value: undefined });
      }
    }
    return mutations;
  }

  /** What to commit along with the removal of an instance. */
  takeDown({ id, checks }: Instance): Mutation[] {
    const beats = checks.filter(({ type }) => type === 'heartbeat');
    return beats.map((check) => ({ key: storedKey('beat', `${id}/${check.id}`), value: undefined }));
  }

  /** What the store tells of a key, by the part behind `beat/`. */
  take(key: string, value: StoredBeat | undefined): void {
    if (value === undefined) this.#stored.delete(key);
    else this.#stored.set(key, value);
    if (value === undefined) this.#heardUntilMs.delete(key);
    if (!this.#isRestoring) this.#apply(key, value);
  }

  /** All instances and keys are here: what was said of these counts, and what is missing is missing. */
  endRestoring(instances: Iterable<InstanceState>): void {
    this.#isRestoring = false;
    for (const { instance } of instances) {
      for (const check of instance.checks) {
        const key = `${instance.id}/${check.id}`;
        if (check.type === 'heartbeat') this.#apply(key, this.#stored.get(key));
      }
    }
  }

  /** Did a heartbeat come here within the check's time? */
  isHeard(key: string): boolean {
    return (this.#heardUntilMs.get(key) ?? Number.NEGATIVE_INFINITY) > this.#options.clock.monotonicMs();
  }

  /** One that went by itself in the store, though it was heard of. */
  putAgain(key: string): void {
    const known = this.#wanted.get(key) ?? this.#stored.get(key);
    if (known === undefined) return;
    this.#wanted.set(key, known);
    this.#start();
  }

  /** A heartbeat came: renews the checks, and what it says holds at once. Returns their keys in the store. */
  beat(state: InstanceState, status: Outcome = 'passing', output = ''): string[] {
    const { shared, clock, report } = this.#options;
    const { id, checks } = state.instance;
    const keys: string[] = [];
    for (const check of checks) {
      if (check.type !== 'heartbeat') continue;
      const key = `${id}/${check.id}`;
      keys.push(storedKey('beat', key));
      this.#heardUntilMs.set(key, clock.monotonicMs() + check.intervalMs);
      report(id, check.id, { outcome: status, output, latencyMs: 0 });
      if ((this.#wanted.get(key) ?? this.#stored.get(key))?.outcome === status) shared.renew(storedKey('beat', key));
      else {
        this.#wanted.set(key, { outcome: status, output, sinceMs: clock.wallMs() });
        this.#start();
      }
    }
    return keys;
  }

  /** Resolves when what was said so far is stored, or cannot be. */
  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#running;
  }

  #apply(key: string, value: StoredBeat | undefined): void {
    const slash = key.indexOf('/');
    const [id, checkId] = [key.slice(0, slash), key.slice(slash + 1)];
    const state = this.#options.roster.instance(id);
    const check = state?.instance.checks.find((each) => each.id === checkId);
    if (state === undefined || state.isStatic || check?.type !== 'heartbeat') return;
    // What is on its way to the store is younger.
    if (this.#wanted.has(key)) return;
    if (value?.outcome === null) return;
    const outcome = value?.outcome ?? 'critical';
    if (state.checks[checkId]?.outcome === outcome) return;
    const output = value?.output ?? `no heartbeat within ${formatDuration(check.intervalMs)}`;
    this.#options.report(id, checkId, { outcome, output, latencyMs: 0 });
  }

  #start(): void {
    if (this.#running !== undefined || this.#retry !== undefined || this.#stopped) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      if (this.#wanted.size > 0) this.#start();
    });
  }

  async #drain(): Promise<void> {
    const { clock, log } = this.#options;
    await Promise.resolve();
    while (this.#wanted.size > 0 && !this.#stopped) {
      const batch = [...this.#wanted].slice(0, MAX_BATCH);
      try {
        await this.#save(batch);
      } catch (error) {
        const isConflict = error instanceof CodedError && error.code === 'conflict';
        if (!isConflict) log.debug({ reason: errorMessage(error) }, 'heartbeats could not be told to other nodes yet');
        this.#retry = clock.after(isConflict ? CONFLICT_RETRY_MS : RETRY_MS, () => {
          this.#retry = undefined;
          this.#start();
        });
        return;
      }
      for (const [key, value] of batch) if (this.#wanted.get(key) === value) this.#wanted.delete(key);
    }
  }

  async #save(batch: readonly (readonly [string, StoredBeat])[]): Promise<void> {
    const { store, roster } = this.#options;
    const mutations: Mutation[] = [];
    const revisions = new Map<string, number>();
    for (const [key, value] of batch) {
      const slash = key.indexOf('/');
      const state = roster.instance(key.slice(0, slash));
      const check = state?.instance.checks.find(({ id }) => id === key.slice(slash + 1));
      if (state === undefined || check?.type !== 'heartbeat') continue;
      revisions.set(storedKey('instance', state.instance.id), state.revision);
      mutations.push(beatMutation(state.instance.id, check, value));
    }
    const preconditions = Array.from(revisions, ([key, revision]) => ({ key, revision }));
    if (mutations.length > 0) await store.commit(mutations, preconditions);
  }
}

function beatMutation(instanceId: string, check: CheckSpec, value: StoredBeat): Mutation {
  const key = storedKey('beat', `${instanceId}/${check.id}`);
  return { key, value, ttlMs: check.intervalMs + SHARED_GRACE_MS };
}
