// cluster.ts -- one node among several: who is there, whose checks run here, and what all make of their results
//
// Everything that nodes tell each other are keys in the store they share. Each node reads the same keys and decides alike;
// one that hears nothing of the store decides by itself, from what it sees itself.

import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CheckReport } from '../health/check-report.ts';
import type { Change } from '../registry/change.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Precondition, SharedStore, Store } from '../registry/store.ts';
import { type StoredEntry, type StoredMember, type StoredVantage, storedKey } from '../registry/stored.ts';
import { Assignment, type Replicas } from './assignment.ts';
import { Election } from './election.ts';
import { Housekeeping } from './housekeeping.ts';
import { Members } from './members.ts';
import { joinOpinions, type Quorum, quorumOf } from './quorum.ts';
import { Rounds } from './rounds.ts';
import { VantageSaver } from './vantage-saver.ts';
import { Vantages } from './vantages.ts';

/** Without news for so long a node goes by what it sees itself. */
const ALONE_AFTER_MS = 5_000;
/** What the others said before a silence is old: they have so long to say what they see now. */
const SETTLE_MS = 3_000;
const LOOK_MS = 500;

export interface ClusterSettings {
  readonly replicas: Replicas;
  readonly quorum: Quorum;
}

/** What the cluster needs of the registry. */
export interface ClusterRegistry {
  instance(id: string): InstanceState | undefined;
  instances(): Iterable<InstanceState>;
  onChange(listener: (change: Change) => void): () => void;
  /** What holds of a check from now on. */
  reportResult(instanceId: string, checkId: string, result: CheckReport): void;
}

export interface ClusterOptions {
  /** One that is shared. */
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ClusterSettings;
  readonly self: Pick<StoredMember, 'name' | 'version'>;
  /** Tells this run of the node from others. */
  readonly run: string;
  readonly registry: ClusterRegistry;
}

/** What a node says of an instance's checks. */
export interface NodeVantage {
  readonly node: string;
  readonly name: string;
  /** Its word counts. */
  readonly isAssigned: boolean;
  readonly checks: StoredVantage['checks'];
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #shared: SharedStore;
  readonly #members: Members;
  readonly #election: Election;
  readonly #vantages = new Vantages();
  /** Keys of vantages of instances that went, and those instances. */
  readonly #orphans = new Map<string, string>();
  /** Instances of which the store has what this node said. */
  readonly #told = new Set<string>();
  readonly #saver: VantageSaver;
  readonly #housekeeping: Housekeeping;
  readonly #rounds: Rounds;
  readonly #assignmentListeners = new Set<(instanceId: string) => void>();
  readonly #electionListeners = new Set<() => void>();
  readonly #unsubscribe: () => void;
  #assignment: Assignment;
  #isAlone = false;
  /** Since when the store is heard of again. */
  #heardMs: number | undefined;
  #timer: Timer | undefined;

  constructor(options: ClusterOptions) {
    const { store, clock, log, run, registry } = options;
    const { shared } = store;
    assert(shared !== undefined, 'a cluster has a store that is shared');
    this.#options = options;
    this.#shared = shared;
    this.#assignment = new Assignment([shared.node], options.settings.replicas);
    this.#rounds = new Rounds({ clock, log, ids: () => this.#allIds(), visit: (id) => this.#assign(id) });
    this.#members = new Members({ store, shared, clock, log, onChange: () => this.#reassign() });
    this.#election = new Election({ store, shared, clock, log, run, onChange: () => tell(this.#electionListeners) });
    this.#saver = new VantageSaver({
      store,
      clock,
      log,
      node: shared.node,
      instance: (id) => registry.instance(id),
      vantage: (id) => (this.#isAssigned(id) ? this.#vantages.of(id).get(shared.node) : undefined),
    });
    this.#housekeeping = new Housekeeping({
      store,
      clock,
      log,
      isElected: () => this.isElected,
      fence: () => this.fence(),
      leftovers: () => this.#leftovers(),
    });
    this.#unsubscribe = registry.onChange((change) => this.#registryChanged(change));
  }

  get node(): string {
    return this.#shared.node;
  }

  /** Be one of the nodes from now on, reached at these addresses. Resolves when the others can know. */
  async start(http: readonly string[]): Promise<void> {
    const { clock, self, run } = this.#options;
    this.#look();
    for (const id of this.#vantages.instanceIds) this.#join(id);
    await this.#members.start({ ...self, http, startedAtMs: clock.wallMs(), run });
    this.#election.start();
    this.#housekeeping.start();
  }

  /** Leave, so that the others take over at once. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#unsubscribe();
    this.#rounds.stop();
    await Promise.all([this.#housekeeping.stop(), this.#saver.stop()]);
    await this.#election.stop();
    await this.#members.stop();
  }

  /** What the store tells of members, elections and vantages. */
  take(entry: StoredEntry, revision: number): void {
    if (entry.kind === 'member') this.#members.take(entry.id, entry.value);
    else if (entry.kind === 'election') this.#election.take(entry.value, revision);
    else if (entry.kind === 'vantage') this.#takeVantage(entry.id, entry.value);
  }

  members(): { readonly node: string; readonly isSelf: boolean; readonly member: StoredMember }[] {
    return Array.from(this.#members.all, ([node, member]) => ({ node, isSelf: node === this.node, member })).sort(
      (a, b) => a.member.startedAtMs - b.member.startedAtMs || (a.node < b.node ? -1 : 1),
    );
  }

  get isElected(): boolean {
    return this.#election.isElected;
  }

  /** What writes of the elected node are conditioned on. Throws CodedError `not_elected`. */
  fence(): Precondition {
    return this.#election.fence();
  }

  onElection(listener: () => void): void {
    this.#electionListeners.add(listener);
  }

  /**
   * Hear of every instance of which `isMine` may have changed. `isMine` tells it at once; this comes for one instance after
   * the other, over several turns of the event loop.
   */
  onAssignments(listener: (instanceId: string) => void): void {
    this.#assignmentListeners.add(listener);
  }

  /** Does this node run the checks of an instance now? */
  isMine(instanceId: string): boolean {
    return this.#isAlone || this.#isAssigned(instanceId);
  }

  /** A result of a check that runs here, after rise and fall. */
  report(instanceId: string, checkId: string, result: CheckReport): void {
    const { clock, registry } = this.#options;
    const isNew = this.#vantages.note(instanceId, this.node, checkId, result, clock.wallMs());
    if (isNew && this.#isAssigned(instanceId)) this.#saver.mark(instanceId);
    const before = registry.instance(instanceId)?.checks[checkId];
    const outcome = this.#joined(instanceId, checkId);
    if (outcome === undefined || outcome === result.outcome) {
      registry.reportResult(instanceId, checkId, result);
      return;
    }
    // Outvoted. What it is like for those who agree is said by them.
    const isFailing = result.failing === true || result.outcome === 'critical';
    const failing = outcome !== 'critical' && isFailing;
    registry.reportResult(instanceId, checkId, { ...result, outcome, output: before?.output ?? '', failing });
  }

  /** What the checks of an instance come to at each node. */
  vantages(instanceId: string): readonly NodeVantage[] {
    const assigned = this.#assignment.nodesOf(instanceId);
    return Array.from(this.#vantages.of(instanceId), ([node, { checks }]) => {
      const name = this.#members.all.get(node)?.name ?? node;
      return { node, name, isAssigned: assigned.includes(node), checks };
    }).sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** How this node is. `checks`: instances whose checks run here. */
  status(): { node: string; elected: string | undefined; silentMs: number; checks: number } {
    let checks = 0;
    for (const { instance } of this.#options.registry.instances()) {
      if (instance.checks.length > 0 && this.isMine(instance.id)) checks++;
    }
    return { node: this.node, elected: this.#election.elected, silentMs: this.#shared.silentMs(), checks };
  }

  #isAssigned(instanceId: string): boolean {
    return this.#assignment.includes(this.node, instanceId);
  }

  #reassign(): void {
    // Until it has said that it is here, it does what it would do alone.
    const nodes = new Set([...this.#members.all.keys(), this.node]);
    this.#assignment = new Assignment([...nodes], this.#options.settings.replicas);
    this.#rounds.ask();
  }

  *#allIds(): Iterable<string> {
    const { registry } = this.#options;
    for (const { instance } of registry.instances()) if (instance.checks.length > 0) yield instance.id;
    // What was told of instances that are not, or not yet.
    for (const id of this.#vantages.instanceIds) if (registry.instance(id) === undefined) yield id;
  }

  /** Members changed, or the silence did: what does that mean for this instance? */
  #assign(id: string): void {
    const said = this.#vantages.of(id);
    // What is not ours to say any more is taken back, and what was seen alone is told.
    if (said.has(this.node) && !this.isMine(id)) this.#vantages.set(id, this.node, undefined);
    const isSaid = said.has(this.node) && this.#isAssigned(id);
    if (isSaid !== this.#told.has(id)) this.#saver.mark(id);
    if (said.size > 0) this.#join(id);
    for (const listener of this.#assignmentListeners) listener(id);
  }

  /** Are the others still heard of? */
  #look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isSilent = this.#shared.silentMs() > ALONE_AFTER_MS;
    this.#heardMs = isSilent ? undefined : (this.#heardMs ?? nowMs);
    const isSettling = this.#isAlone && this.#heardMs !== undefined && nowMs - this.#heardMs < SETTLE_MS;
    const isAlone = isSilent || isSettling;
    if (isAlone !== this.#isAlone) {
      this.#isAlone = isAlone;
      const what = isAlone
        ? 'the cluster is silent: going by what this node sees'
        : 'the cluster is heard of again: going by what its nodes see';
      this.#options.log.warn(what);
      this.#rounds.ask();
    }
    this.#timer = this.#options.clock.after(LOOK_MS, () => this.#look());
  }

  #takeVantage(id: string, vantage: StoredVantage | undefined): void {
    const slash = id.lastIndexOf('/');
    const [instanceId, node] = [id.slice(0, slash), id.slice(slash + 1)];
    this.#orphans.delete(storedKey('vantage', id));
    if (node === this.node && vantage === undefined) this.#told.delete(instanceId);
    else if (node === this.node) this.#told.add(instanceId);
    const isSaid = node === this.node && this.#vantages.of(instanceId).has(node);
    // Removed as left over by a node that had not heard yet that we are back.
    if (isSaid && vantage === undefined && this.#isAssigned(instanceId)) this.#saver.mark(instanceId);
    // What we said ourselves we know better, but for what an earlier run said.
    if (isSaid || (node === this.node && vantage === undefined)) return;
    this.#vantages.set(instanceId, node, vantage);
    this.#join(instanceId);
  }

  /** Let the registry know what holds of an instance's checks, where that is another than it knows. */
  #join(instanceId: string): void {
    const { registry } = this.#options;
    const state = registry.instance(instanceId);
    if (state === undefined || state.isStatic) return;
    for (const { id } of state.instance.checks) {
      const outcome = this.#joined(instanceId, id);
      if (outcome === undefined || outcome === state.checks[id]?.outcome) continue;
      const output = this.#outputOf(instanceId, id, outcome);
      registry.reportResult(instanceId, id, { outcome, output, latencyMs: 0 });
    }
  }

  #joined(instanceId: string, checkId: string): CheckReport['outcome'] | undefined {
    const before = this.#options.registry.instance(instanceId)?.checks[checkId]?.outcome;
    if (this.#isAlone) return this.#vantages.outcomes(instanceId, checkId, [this.node])[0] ?? before;
    const nodes = this.#assignment.nodesOf(instanceId);
    const needed = quorumOf(this.#options.settings.quorum, nodes.length);
    return joinOpinions(this.#vantages.outcomes(instanceId, checkId, nodes), needed, before);
  }

  #outputOf(instanceId: string, checkId: string, outcome: string): string {
    for (const { checks } of this.#vantages.of(instanceId).values()) {
      const opinion = Object.hasOwn(checks, checkId) ? checks[checkId] : undefined;
      if (opinion?.outcome === outcome) return opinion.output;
    }
    return '';
  }

  #registryChanged({ kind, instance: state, before }: Change): void {
    if (state === undefined || state.isStatic) return;
    const { id, checks } = state.instance;
    if (kind === 'deregister') {
      for (const node of this.#vantages.of(id).keys()) this.#orphans.set(storedKey('vantage', `${id}/${node}`), id);
      this.#vantages.forget(id);
      this.#told.delete(id);
    } else if (kind === 'update' && before !== undefined) {
      for (const check of before.instance.checks) {
        const now = checks.find((each) => each.id === check.id);
        if (!isDeepStrictEqual(now, check)) this.#vantages.forgetCheck(id, check.id);
      }
    } else if (kind === 'register') this.#join(id);
  }

  *#leftovers(): Iterable<{ key: string; instanceId?: string }> {
    const { registry } = this.#options;
    for (const [key, instanceId] of this.#orphans) {
      if (registry.instance(instanceId) === undefined) yield { key, instanceId };
    }
    for (const id of this.#vantages.instanceIds) {
      const isGone = registry.instance(id) === undefined;
      for (const node of this.#vantages.of(id).keys()) {
        const key = storedKey('vantage', `${id}/${node}`);
        if (isGone) yield { key, instanceId: id };
        else if (!this.#members.all.has(node)) yield { key };
      }
    }
  }
}

function tell(listeners: ReadonlySet<() => void>): void {
  for (const listener of listeners) listener();
}
