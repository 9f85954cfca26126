// simulated-service.ts -- a service as it would be under a policy: answered by the code that answers, its time made up

import { forgetLearned } from '../balance/least-connections.ts';
import { TYPE } from '../dns/codes.ts';
import { type InstanceState, isAnswerable, type Readings, type Status } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Policy } from '../registry/policy.ts';
import type { Rollout } from '../registry/rollout.ts';
import { isOfUse, ServiceReadings } from '../routing/service-readings.ts';
import { COLD, warmupMs } from '../routing/slow-start.ts';
import { Cursors, createCursorMemory } from './cursors.ts';
import type { DomainNames } from './domain-names.ts';
import type { DynamicNode } from './dynamic-node.ts';
import { NameIndex } from './name-index.ts';
import { drawOrder, ORDER, type PreparedSet } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';
import { setFor } from './routed-answers.ts';

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
  readonly #states: Map<string, InstanceState>;
  readonly #ids: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  /** Of those that fail in the simulation. */
  readonly #statusBefore = new Map<number, Status>();
  readonly #readings = new ServiceReadings();
  readonly #records = new WeakMap<PreparedSet, readonly SimulatedRecord[]>();
  #node: DynamicNode | undefined;

  constructor(
    { name, instances, rollout }: ServiceSnapshot,
    policy: Policy | undefined,
    domain: DomainNames,
    type: number,
  ) {
    this.#policy = policy;
    this.#name = name;
    this.#type = type;
    this.#ids = instances.map(({ instance }) => instance.id);
    this.#indexes = new Map(this.#ids.map((id, index) => [id, index]));
    // Load and warmth begin with the simulation.
    this.#states = new Map(
      instances.map((state) => [
        state.instance.id,
        { ...state, isFailing: false, connections: undefined, latencyMs: undefined, warmth: undefined },
      ]),
    );
    const service = { name, policy, rollout, instances: this.#states };
    const cursors = new Cursors(createCursorMemory(CURSOR_PLACES), this.#space);
    const index = new NameIndex();
    for (const { instance } of instances) index.put(instance, undefined);
    this.#domain = domain.over({
      index,
      cursors,
      service: (asked) => (asked === name ? service : undefined),
      serviceCount: () => 1,
    });
  }

  /** It is over: leave nothing behind. */
  close(): void {
    forgetLearned(this.#space);
  }

  /** The answer to this client now. */
  answer(draw: QueryDraw): SimulatedAnswer {
    this.#node ??= this.#domain.find([this.#name]);
    const pool = this.#node?.pool;
    const sets = pool?.sets(this.#type);
    const negative = { records: [], ttlSeconds: this.#domain.settings.negativeTtlSeconds };
    if (pool === undefined || sets === undefined) return negative;
    const set = setFor(sets, draw);
    if (set.plan.size === 0) return negative;
    let records = this.#records.get(set);
    if (records === undefined) {
      const branch = sets.selector === undefined ? 0 : draw.choose(sets.selector);
      records = pool.answers
        .at(branch)
        .holders(this.#type)
        .map((members, index) => ({
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

  /** Work out what reports and time come to. */
  reckon(nowMs: number): void {
    const { changed } = this.#readings.reckon({ policy: this.#policy, instances: this.#states }, nowMs);
    for (const { id, readings } of changed) this.#read(id, readings);
    if (changed.length > 0) this.#changed();
  }

  #read(id: string, readings: Readings): void {
    this.#set({ ...this.#states.get(id)!, ...readings });
  }

  #set(state: InstanceState): void {
    this.#states.set(state.instance.id, state);
  }

  #changed(): void {
    this.#domain.serviceChanged(this.#name);
    this.#node = undefined;
  }
}
