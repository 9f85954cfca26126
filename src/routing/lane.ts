// lane.ts -- the instances of one branch in the order in which requests go to them
//
// The active tier comes first, then the others, and behind all of them those of weight 0. Within each the strategy
// decides.

import type { Candidate, DrawState, Plan } from '../balance/plan.ts';
import { groupsOf } from '../balance/tiered.ts';
import type { Random } from '../base/random.ts';
import type { Member } from '../registry/member.ts';
import type { Policy, StrategyName } from '../registry/policy.ts';
import { LiveChoice } from './live-choice.ts';
import { isLive, type LiveSources } from './live-costs.ts';
import { type Pool, planFor } from './pool.ts';
import type { Turns } from './route.ts';
import { weightsOf } from './warning-weight.ts';

/** Places in the answers of a service whose policy does not say: a client's `subset` has as many. */
const DEFAULT_PLACES = 8;
/** Where each turn is somebody else's, so many more are taken before the order of one is gone down. */
const MORE_TURNS = 3;
/** So many are drawn when the first ones are refused, and then all. */
const FEW = 16;

/** What outlives changes of the instances, by name of the rotation. */
export interface LaneMemory {
  turns(name: string): Turns;
  /** The choice of this name as it was kept last. */
  choice(name: string): LiveChoice | undefined;
  keep(name: string, choice: LiveChoice): void;
}

export interface LaneOptions extends LiveSources {
  readonly policy: Policy | undefined;
  readonly random: Random;
  readonly memory: LaneMemory;
}

/** Whose request it is; `turn` is for the lane to set. */
type Draw = DrawState;
type Usable = (member: Member) => boolean;

interface Stage {
  pick(draw: Draw, isUsable: Usable | undefined): Member | undefined;
}

export class Lane {
  readonly #stages: readonly Stage[];
  /** How many instances there are in it. */
  readonly size: number;

  /** `name` tells the rotations of this branch from those of others. */
  constructor({ answerable, tiers, tierOf }: Pool, name: string, options: LaneOptions) {
    const { policy } = options;
    const members = answerable;
    const weightOf = weightsOf(policy, members);
    const active = tiers.find(({ isActive }) => isActive)?.tier;
    const candidates = members.map((member): Candidate => {
      const { id } = member.instance;
      const tier = tierOf(member);
      return { key: id, id, weight: weightOf(member), tier: active === undefined || tier === active ? 0 : tier + 1 };
    });
    this.size = members.length;
    this.#stages = groupsOf(candidates).map(({ tier, isStandby, indexes }) => {
      const own = indexes.map((index) => members[index]!);
      const question = `${name} ${tier}${isStandby ? ' standby' : ''}`;
      const ownCandidates = indexes.map((index) => candidates[index]!);
      return stageOf(question, own, ownCandidates, options);
    });
  }

  /** The first in order that may be used; undefined: there is none. */
  pick(draw: Draw, isUsable: Usable | undefined): Member | undefined {
    for (let i = 0; i < this.#stages.length; i++) {
      const member = this.#stages[i]!.pick(draw, isUsable);
      if (member !== undefined) return member;
    }
    return undefined;
  }
}

function stageOf(
  name: string,
  members: readonly Member[],
  candidates: readonly Candidate[],
  { policy, random, memory, loadOf, monotonicMs }: LaneOptions,
): Stage {
  const strategy = policy?.strategy ?? 'round-robin';
  if (!isLive(strategy)) {
    const limit = policy?.maxAnswers ?? DEFAULT_PLACES;
    return new PlannedStage(members, planFor(policy, candidates, { limit }), memory.turns(name), strategy, limit);
  }
  // Those that stand by have no weight among each other either.
  const weights = candidates.map(({ weight }) => weight || 1);
  const before = memory.choice(name);
  const choice = new LiveChoice(members, weights, { strategy, random, loadOf, monotonicMs, before });
  memory.keep(name, choice);
  return { pick: (_, isUsable) => choice.pick(isUsable) };
}

/** The order that the answers have. */
class PlannedStage implements Stage {
  readonly #members: readonly Member[];
  readonly #plan: Plan;
  readonly #turns: Turns;
  /** Places that decide who comes first; a client's few are as many as an answer has. */
  readonly #places: number;
  readonly #moreTurns: number;
  #order: Uint16Array;

  constructor(members: readonly Member[], plan: Plan, turns: Turns, strategy: StrategyName, limit: number) {
    this.#members = members;
    this.#plan = plan;
    this.#turns = turns;
    this.#places = strategy === 'subset' ? Math.min(limit, members.length) : 1;
    this.#moreTurns = strategy === 'round-robin' || strategy === 'weighted' || strategy === 'random' ? MORE_TURNS : 0;
    this.#order = new Uint16Array(this.#places);
  }

  pick(draw: Draw, isUsable: Usable | undefined): Member | undefined {
    draw.turn = this.#turns.next();
    this.#plan.draw(this.#places, draw, this.#order);
    const first = this.#members[this.#order[0]!]!;
    return isUsable === undefined || isUsable(first) ? first : this.#another(draw, isUsable);
  }

  /** The first drawn is refused. Whose turn is next gets its request, so that its neighbour does not get twice as many. */
  #another(draw: Draw, isUsable: Usable): Member | undefined {
    const { size } = this.#plan;
    if (size === 1) return undefined;
    for (let i = 0; i < this.#moreTurns; i++) {
      draw.turn = this.#turns.next();
      this.#plan.draw(this.#places, draw, this.#order);
      const member = this.#members[this.#order[0]!]!;
      if (isUsable(member)) return member;
    }
    // Down the order that was drawn last; then those who are seldom asked for: a few, and all.
    for (let count = this.#places; ; count = Math.min(size, count < FEW ? FEW : size)) {
      if (count > this.#places) {
        if (this.#order.length < count) this.#order = new Uint16Array(count);
        this.#plan.draw(count, draw, this.#order);
      }
      for (let i = 0; i < count; i++) {
        const member = this.#members[this.#order[i]!]!;
        if (isUsable(member)) return member;
      }
      if (count >= size) return undefined;
    }
  }
}
