// picker.ts -- one instance for one request, by the same routing as the answers

import type { DrawState } from '../balance/plan.ts';
import type { Random } from '../base/random.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { type Branches, branchesOf } from './branches.ts';
import type { ClientZones } from './client-zones.ts';
import { Lane, type LaneMemory } from './lane.ts';
import type { LiveChoice } from './live-choice.ts';
import type { LiveLoad } from './live-load.ts';
import type { Asker, Turns } from './route.ts';

/** Members in the lanes of all branches; beyond it they are made anew. Clients of very many homes have one each. */
const MAX_KEPT_MEMBERS = 36_864;
/** Rotations that are remembered over changes, when homes and tiers come and go. */
const MAX_REMEMBERED = 4096;
const TWO_31 = 2 ** 31;

/** For whom an instance is picked. */
export interface PickAsker extends Asker {
  /** Every route of the policy is sticky for it, by `client`, which then stands for a cookie or a header. */
  readonly isSticky: boolean;
}

export interface PickerOptions {
  /** As it is now; undefined when it is not known. */
  readonly service: () => AnsweringService | undefined;
  /** Only instances that have all of these (lower case); such picks bypass routes, as names of tags do. */
  readonly tags: readonly string[];
  readonly zones: ClientZones;
  /** Requests that this process has under way with an instance. */
  readonly loadOf: (id: string) => LiveLoad | undefined;
  readonly random: Random;
  readonly monotonicMs: () => number;
}

/** Picks among the instances of one service. Cheap to ask: what does not depend on the request is prepared on change. */
export class Picker {
  readonly #options: PickerOptions;
  readonly #draw: PickDraw;
  readonly #memory: Memory;
  readonly #routeTurns: Turns;
  readonly #lanes = new Map<number, Lane>();
  #policy: Policy | undefined;
  /** Undefined: to be prepared. */
  #branches: Branches | undefined;
  #keptMembers = 0;

  constructor(options: PickerOptions) {
    this.#options = options;
    this.#draw = new PickDraw(options.random);
    this.#memory = new Memory(options.random);
    this.#routeTurns = new Rotation(options.random);
  }

  /** Something of the service changed: instances, statuses, readings or policy. */
  changed(): void {
    this.#branches = undefined;
    this.#forgetLanes();
  }

  /** The instance for a request, not one of those that `isUsable` refuses; undefined: there is none to be had. */
  pick(asker: PickAsker, isUsable?: (member: Member) => boolean): Member | undefined {
    const branches = this.#branches ?? this.#prepare();
    if (branches === undefined) return undefined;
    const draw = this.#draw;
    draw.asker = asker;
    const branch = branches.isFixed ? 0 : branches.choose(asker, this.#routeTurns, asker.isSticky);
    const member = this.#laneAt(branches, branch).pick(draw, isUsable);
    if (member !== undefined || branches.isFixed) return member;
    for (const next of branches.behind(branch)) {
      const found = this.#laneAt(branches, next).pick(draw, isUsable);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #prepare(): Branches | undefined {
    const service = this.#options.service();
    if (service === undefined) return undefined;
    this.#policy = service.policy;
    this.#branches = branchesOf(service, this.#options.tags, this.#options.zones);
    return this.#branches;
  }

  #laneAt(branches: Branches, branch: number): Lane {
    const known = this.#lanes.get(branch);
    if (known !== undefined) return known;
    const { random, loadOf, monotonicMs } = this.#options;
    const options = { policy: this.#policy, memory: this.#memory, random, loadOf, monotonicMs };
    const lane = new Lane(branches.at(branch).pool, branches.nameOf(branch), options);
    if (this.#keptMembers + lane.size > MAX_KEPT_MEMBERS) this.#forgetLanes();
    this.#keptMembers += lane.size + 1;
    this.#lanes.set(branch, lane);
    return lane;
  }

  #forgetLanes(): void {
    this.#lanes.clear();
    this.#keptMembers = 0;
  }
}

/** What a draw goes by: one object for all requests. */
class PickDraw implements DrawState {
  turn = 0;
  readonly random: Random;
  asker: PickAsker | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  get client(): number {
    return this.asker?.client ?? 0;
  }
}

/** Begins anywhere: of many processes that begin together, each sends its first request somewhere else. */
class Rotation implements Turns {
  #next: number;

  constructor(random: Random) {
    this.#next = random.below(TWO_31);
  }

  next(): number {
    const turn = this.#next;
    this.#next = (turn + 1) >>> 0;
    return turn;
  }
}

/** Rotations and choices by name; whoever has begun one keeps it. */
class Memory implements LaneMemory {
  readonly #turns = new Map<string, Rotation>();
  readonly #choices = new Map<string, LiveChoice>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  turns(name: string): Turns {
    let rotation = this.#turns.get(name);
    if (rotation === undefined) {
      if (this.#turns.size >= MAX_REMEMBERED) this.#turns.clear();
      rotation = new Rotation(this.#random);
      this.#turns.set(name, rotation);
    }
    return rotation;
  }

  choice(name: string): LiveChoice | undefined {
    return this.#choices.get(name);
  }

  keep(name: string, choice: LiveChoice): void {
    if (this.#choices.size >= MAX_REMEMBERED) this.#choices.clear();
    this.#choices.set(name, choice);
  }
}
