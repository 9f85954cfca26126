// live-choice.ts -- one of some instances by what they have to do now: least connections, and latency
//
// Who has the least for its weight gets the next request; whoever has no more now than that one would have with it is as
// good. Among these it goes by turns in proportion to what a request costs at each (fair queueing by virtual time), so
// that where there is little to do it is shared by weight too, and slow ones get the little that shows whether they still
// are. Of very many instances a few are drawn and compared.

import { WeightLine } from '../balance/weight-line.ts';
import type { Random } from '../base/random.ts';
import type { Member } from '../registry/member.ts';
import { LiveCosts, type LiveSources, type LiveStrategy } from './live-costs.ts';

/** Up to so many all are compared. */
const MAX_COMPARED = 64;
/** Of more, so many are drawn. */
const DRAWN = 4;

export interface LiveChoiceOptions extends LiveSources {
  readonly strategy: LiveStrategy;
  readonly random: Random;
  /** The choice among the instances as they were: whose turn it is goes on. */
  readonly before: LiveChoice | undefined;
}

export class LiveChoice {
  readonly #members: readonly Member[];
  readonly #costs: LiveCosts;
  readonly #random: Random;
  /** When each one had its last turn, in virtual time. Of a few instances only. */
  readonly #turns: Float64Array;
  #now = 0;
  /** The pick at which each one was last refused. */
  readonly #refused: Uint32Array;
  #pick = 0;
  /** One that got its first request, after which there is a load to be found; -1: none. */
  #begun = -1;
  /** Of many instances. */
  readonly #line: WeightLine | undefined;

  /** `weights` are those of the members; all above 0. */
  constructor(members: readonly Member[], weights: readonly number[], options: LiveChoiceOptions) {
    this.#members = members;
    this.#random = options.random;
    this.#costs = new LiveCosts(members, weights, options.strategy, options);
    const isMany = members.length > MAX_COMPARED;
    this.#line = isMany ? new WeightLine([...members.keys()], weights) : undefined;
    this.#turns = new Float64Array(isMany ? 0 : members.length);
    this.#refused = new Uint32Array(this.#turns.length);
    if (!isMany) this.#begin(options.before);
  }

  /** One that may be used; undefined: there is none. */
  pick(isUsable?: (member: Member) => boolean): Member | undefined {
    if (this.#line !== undefined) return this.#drawn(this.#line, isUsable);
    this.#costs.ofAll();
    if (this.#begun >= 0) this.#costs.find(this.#begun);
    this.#begun = -1;
    this.#pick = (this.#pick + 1) >>> 0 || 1;
    for (;;) {
      const index = this.#best();
      if (index < 0) return undefined;
      const member = this.#members[index]!;
      if (isUsable === undefined || isUsable(member)) {
        // Whoever had to wait for long has no claim to more than the next turn.
        this.#now = Math.max(this.#now, this.#turns[index]! + this.#costs.costs[index]!);
        this.#turns[index] = this.#now;
        if (this.#costs.loads[index] === undefined) this.#begun = index;
        return member;
      }
      this.#refused[index] = this.#pick;
    }
  }

  /** Those who are new are at any place in the rotation: many processes begin at the same moment. */
  #begin(before: LiveChoice | undefined): void {
    this.#costs.ofAll();
    const turns = new Map<string, number | undefined>();
    if (before !== undefined) {
      this.#now = before.#now;
      for (const [i, { instance }] of before.#members.entries()) turns.set(instance.id, before.#turns[i]);
    }
    for (const [i, { instance }] of this.#members.entries()) {
      this.#turns[i] = turns.get(instance.id) ?? this.#now - this.#random.next() * this.#costs.costs[i]!;
    }
  }

  /** Of those not refused at this pick; -1: all are. */
  #best(): number {
    const { costs, loads } = this.#costs;
    const count = this.#turns.length;
    let bar = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      if (this.#refused[i] === this.#pick) continue;
      bar = Math.min(bar, ((loads[i]?.inFlight ?? 0) + 1) * costs[i]!);
    }
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const cost = costs[i]!;
      if (this.#refused[i] === this.#pick || (loads[i]?.inFlight ?? 0) * cost >= bar) continue;
      const due = this.#turns[i]! + cost;
      if (due >= least) continue;
      least = due;
      best = i;
    }
    return best;
  }

  /** The power of a few choices, drawn by weight: the first of them that no other is better than. */
  #drawn(line: WeightLine, isUsable?: (member: Member) => boolean): Member | undefined {
    const { costs, loads } = this.#costs;
    let best = -1;
    let spare = -1;
    for (let i = 0; i < DRAWN; i++) {
      const index = line.members[line.placeAt(this.#random.next() * line.length)]!;
      if (isUsable !== undefined && !isUsable(this.#members[index]!)) continue;
      const slowness = this.#costs.ofOne(index);
      if (slowness > 1 && this.#random.next() * slowness > 1) {
        spare = index;
        continue;
      }
      const load = loads[index]?.inFlight ?? 0;
      if (best < 0 || (loads[best]?.inFlight ?? 0) * costs[best]! >= (load + 1) * costs[index]!) best = index;
    }
    if (best < 0) best = spare;
    return best >= 0 ? this.#members[best] : this.#anyUsable(isUsable);
  }

  /** From any place on, the next that may be used. */
  #anyUsable(isUsable?: (member: Member) => boolean): Member | undefined {
    const { length } = this.#members;
    const first = this.#random.below(length);
    for (let i = 0; i < length; i++) {
      const member = this.#members[(first + i) % length]!;
      if (isUsable === undefined || isUsable(member)) return member;
    }
    return undefined;
  }
}
