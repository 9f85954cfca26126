// weighted.ts -- smooth weighted round-robin: first places in proportion to the weights, evenly interleaved
//
// An answer that has no room for everybody holds a candidate as often as its weight says, too: min(1, c w) of the
// answers, with c such that all places are taken. Those for whom that is 1 are in every answer; the others are picked
// along a line of their weights at even distances (systematic sampling), which hits each in proportion and none twice.

import { type Candidate, inProportion, type Plan, type PlanPurpose, placesOf, samePriorities } from './plan.ts';
import { rotate } from './round-robin.ts';
import { srvWeights } from './srv-weights.ts';
import { splitByWeight } from './standby.ts';
import { partOf, WeightLine } from './weight-line.ts';

/** Plans remember how they share out so many different numbers of places. */
const MAX_ROOMS = 16;
/** Turns ahead that are looked at for the second place and those behind it. */
const MAX_LOOK_AHEAD = 32;

/** How the places of an answer are shared out. */
interface Room {
  /** So many from the heavy end of the line are in every answer. */
  readonly always: number;
  /** Where the others begin on the line, and how far the picks among them lie apart. */
  readonly begin: number;
  readonly step: number;
  readonly picks: number;
}

export function weighted(candidates: readonly Candidate[], purpose?: PlanPurpose): Plan {
  const { active, standby } = splitByWeight(candidates);
  const line = new WeightLine(
    active,
    active.map((index) => candidates[index]!.weight),
  );
  const rooms = new Map<number, Room>();
  const roomFor = (places: number): Room => {
    const known = rooms.get(places);
    if (known !== undefined) return known;
    if (rooms.size >= MAX_ROOMS) rooms.clear();
    const made = roomOf(line, places);
    rooms.set(places, made);
    return made;
  };
  const size = candidates.length;
  const taken = new Taken(size);
  return {
    size,
    isRotation: false,
    srvWeights: weightsInAnswers(candidates, line, roomFor(placesOf(purpose, active.length))),
    srvPriorities: samePriorities(candidates),
    firstShares: () => inProportion(line.lengthsOf(size)),
    draw(limit, { turn }, order) {
      const places = Math.min(limit, active.length);
      if (places > 0) drawFrom(line, roomFor(places), turn, taken.begin(order, places));
      return rotate(standby, turn, limit, order, Math.max(0, places));
    },
  };
}

function drawFrom(line: WeightLine, { always, begin, step, picks }: Room, turn: number, taken: Taken): void {
  const { members } = line;
  const point = line.pointOf(turn);
  const first = line.placeAt(point);
  taken.take(members[first]!);
  // Of those who are always there, first whose turns come next, so that second places go by weight as well.
  const ahead = Math.min(always * 2, MAX_LOOK_AHEAD);
  for (let i = 1; i < ahead; i++) {
    const place = line.placeAt(line.pointOf(turn + i));
    if (place < always) taken.take(members[place]!);
  }
  for (let i = 0, place = always === 0 ? 0 : turn % always; i < always; i++) {
    taken.take(members[place]!);
    place = place + 1 === always ? 0 : place + 1;
  }
  let pick = first >= always ? point : begin + partOf(turn) * step;
  for (let i = 0; i < picks; i++) {
    taken.take(members[line.placeAt(pick)]!);
    pick += step;
    if (pick >= line.length) pick -= line.length - begin;
  }
  // Where two picks were rounded into one.
  for (let place = always; taken.isOpen; place++) taken.take(members[place]!);
}

function roomOf(line: WeightLine, places: number): Room {
  const { ends, length } = line;
  if (places >= ends.length) return { always: ends.length, begin: length, step: 0, picks: 0 };
  let always = 0;
  while (
    always < places &&
    (ends[always]! - line.beginOf(always)) * (places - always) >= length - line.beginOf(always)
  ) {
    always++;
  }
  const picks = places - always;
  const begin = line.beginOf(always);
  return { always, begin, step: picks === 0 ? 0 : (length - begin) / picks, picks };
}

/**
 * A client that draws among the records of an answer by their SRV weights must not count twice that a heavy candidate
 * is in more answers: those who are picked weigh the same, as much as a pick stands for.
 */
function weightsInAnswers(candidates: readonly Candidate[], line: WeightLine, { always, step }: Room): number[] {
  const { members } = line;
  if (always === members.length) return srvWeights(candidates.map(({ weight }) => weight));
  const weights = new Array<number>(candidates.length).fill(0);
  for (let place = 0; place < members.length; place++) {
    const own = line.ends[place]! - line.beginOf(place);
    weights[members[place]!] = always === 0 ? 1 : place < always ? own : step;
  }
  return srvWeights(weights);
}

/** The places of one answer, and who has one: distinctness without clearing anything between draws. */
class Taken {
  readonly #by: Uint32Array;
  #draw = 0;
  #order: Uint16Array = new Uint16Array(0);
  #count = 0;
  #places = 0;

  constructor(candidates: number) {
    this.#by = new Uint32Array(candidates);
  }

  begin(order: Uint16Array, places: number): this {
    this.#draw = (this.#draw + 1) >>> 0 || 1;
    this.#order = order;
    this.#count = 0;
    this.#places = places;
    return this;
  }

  get isOpen(): boolean {
    return this.#count < this.#places;
  }

  take(index: number): void {
    if (this.#count >= this.#places || this.#by[index] === this.#draw) return;
    this.#by[index] = this.#draw;
    this.#order[this.#count++] = index;
  }
}
