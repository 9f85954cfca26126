// simulated-service.ts -- a service as it would be under a policy: answered by the code that answers, its time made up

import { forgetLearned } from '../balance/least-connections.ts';
import { isMany, isPause, mapped } from '../base/pauses.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import { formatName } from '../dns/name.ts';
import { type InstanceState, isAnswerable, type Status } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Policy } from '../registry/policy.ts';
import type { Rollout } from '../registry/rollout.ts';
import { isOfUse, ServiceReadings } from '../routing/service-readings.ts';
import { COLD, warmupMs } from '../routing/slow-start.ts';
import { Cursors, createCursorMemory } from './cursors.ts';
import type { DomainNames } from './domain-names.ts';
import type { DynamicNode, NodePool } from './dynamic-node.ts';
import { NameIndex } from './name-index.ts';
import { drawOrder, ORDER, type PreparedSet } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';

/** Rotations of one service are few. */
const CURSOR_PLACES = 1 << 12;

/** One record of an answer: who is behind it, by index, and what SRV says of it. */
export interface SimulatedRecord {
  readonly instances: readonly number[];
  readonly priority: number;
  readonly weight: number;
}

export interface SimulatedAnswer {
  readonly records: readonly SimulatedRecord[];
  readonly ttlSeconds: number;
  /** Why there is no record. */
  readonly lack?: string;
}

/** What of a service is taken over. */
export interface ServiceSnapshot {
  readonly name: string;
  readonly instances: readonly InstanceState[];
  readonly rollout: Rollout | undefined;
}

/** Every simulated rotation is one of its own, so that strategies that learn do not take it for another. */
let spaces = 0;

export class SimulatedService {
  readonly #policy: Policy | undefined;
  readonly #domain: DomainNames;
  readonly #name: string;
  readonly #space = `simulation ${++spaces} `;
  readonly #type: number;
  readonly #states = new Map<string, InstanceState>();
  readonly #index = new NameIndex();
  readonly #ids: string[] = [];
  readonly #indexes = new Map<string, number>();
  /** Of those that fail in the simulation. */
  readonly #statusBefore = new Map<number, Status>();
  readonly #readings = new ServiceReadings();
  readonly #records = new WeakMap<PreparedSet, readonly SimulatedRecord[]>();
  #node: DynamicNode | undefined;

  constructor(
    { name, rollout }: Pick<ServiceSnapshot, 'name' | 'rollout'>,
    policy: Policy | undefined,
    domain: DomainNames,
    type: number,
  ) {
    this.#policy = policy;
    this.#name = name;
    this.#type = type;
    const service = { name, policy, rollout, instances: this.#states };
    const cursors = new Cursors(createCursorMemory(CURSOR_PLACES), this.#space);
    this.#domain = domain.over({
      index: this.#index,
      cursors,
      service: (asked) => (asked === name ? service : undefined),
      serviceCount: () => 1,
    });
  }

  /** Take the instances over, with pauses. Before anything else. */
  *begin(instances: readonly InstanceState[]): Generator<void, void> {
    for (const [i, state] of instances.entries()) {
      if (isPause(i)) yield;
      const { id } = state.instance;
      this.#ids.push(id);
      this.#indexes.set(id, i);
      // Load and warmth begin with the simulation.
      const unloaded = { connections: undefined, loadReports: undefined, loadTrust: undefined };
      const fresh = { ...unloaded, isFailing: false, latencyMs: undefined, warmth: undefined };
      this.#states.set(id, { ...state, ...fresh });
      this.#index.put(state, undefined);
    }
  }

  /** It is over: leave nothing behind. */
  close(): void {
    forgetLearned(this.#space);
  }

  /** The answer to this client now. After a change it takes a while, with pauses. */
  *answer(draw: QueryDraw): Generator<void, SimulatedAnswer> {
    this.#node ??= this.#domain.find([this.#name]);
    const pool = this.#node?.pool;
    const selector = pool?.sets(this.#type)?.selector;
    const { negativeTtlSeconds: ttlSeconds } = this.#domain.settings;
    if (pool === undefined) return { records: [], ttlSeconds, lack: `service '${this.#name}' has no instance` };
    const branch = selector === undefined ? 0 : draw.choose(selector);
    const answers = pool.answers.for(this.#type);
    const set = yield* answers.inSteps(branch, this.#type, pool.owner);
    if (set.plan.size === 0) return { records: [], ttlSeconds, lack: this.#lackOf(pool) };
    let records = this.#records.get(set);
    if (records === undefined) {
      const holders = yield* answers.at(branch).holders(this.#type);
      records = yield* mapped(holders, (members, index) => ({
        instances: members.map(({ instance }) => this.#indexes.get(instance.id)!),
        priority: this.#type === TYPE.SRV ? set.plan.srvPriorities[index]! : 0,
        weight: this.#type === TYPE.SRV ? set.plan.srvWeights[index]! : 1,
      }));
      this.#records.set(set, records);
    }
    const count = drawOrder(set, draw);
    const answered: SimulatedRecord[] = [];
    for (let i = 0; i < count; i++) answered.push(records[ORDER[i]!]!);
    return { records: answered, ttlSeconds: set.ttlSeconds };
  }

  /** Why there is nothing in an answer. */
  #lackOf({ answers }: NodePool): string {
    const alias = answers.alias();
    if (alias !== undefined)
      return `service '${this.#name}' is an alias of ${formatName(alias.target)}, and what that leads to is not simulated`;
    return `no instance is there to be answered as ${formatType(this.#type)} to a client`;
  }

  /** An instance fails, or is well again. */
  setFailing(index: number, isFailing: boolean, nowMs: number): void {
    const state = this.#states.get(this.#ids[index]!)!;
    const before = this.#statusBefore.get(index);
    // What is out already for another reason stays so.
    if (isFailing ? !isAnswerable(state.status) : before === undefined) return;
    if (isFailing) this.#statusBefore.set(index, state.status);
    else this.#statusBefore.delete(index);
    const isWarming = !isFailing && warmupMs(state.instance, this.#policy) > 0;
    if (isWarming) this.#readings.warm(state.instance.id, nowMs);
    else this.#readings.touch(state.instance.id);
    this.#set({
      ...state,
      status: isFailing ? 'unhealthy' : before!,
      lastAnswerableMs: isFailing ? nowMs : undefined,
      warmth: isWarming ? COLD : state.warmth,
    });
    this.#changed();
  }

  /** An instance reports its load. */
  report(index: number, report: LoadReport, nowMs: number): void {
    if (isOfUse(this.#policy, report)) this.#readings.note(this.#ids[index]!, report, nowMs);
  }

  /** Work out what reports and time come to, with pauses. */
  *reckon(nowMs: number): Generator<void, void> {
    const { changed } = this.#readings.reckon({ policy: this.#policy, instances: this.#states }, nowMs);
    if (isMany(changed)) yield;
    for (const [i, { id, readings }] of changed.entries()) {
      if (isPause(i)) yield;
      this.#set({ ...this.#states.get(id)!, ...readings });
    }
    if (changed.length > 0) this.#changed();
  }

  #set(state: InstanceState): void {
    this.#states.set(state.instance.id, state);
  }

  #changed(): void {
    this.#domain.serviceChanged(this.#name);
    this.#node = undefined;
  }
}
