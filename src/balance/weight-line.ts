// weight-line.ts -- candidates laid end to end, each as long as its weight, the heaviest first
//
// Points on the line pick candidates in proportion to their weights. Turns visit the line evenly: each slot of a short
// one in a fixed cycle, so shares are exact; a long one by multiples of the golden ratio, which fall into every part of a
// whole in proportion to its size (Knuth, TAOCP 6.4) and need no memory.

/** Longer cycles are not laid out. */
const MAX_SLOTS = 4096;
const GOLDEN_RATIO = 0x9e3779b9;
/** Goes with the golden ratio: pairs of the two cover a square as evenly (the plastic number's square). */
const SECOND_RATIO = 0x91e10da5;
const TWO_32 = 2 ** 32;

export class WeightLine {
  /** By place: the candidate, and where its part of the line ends. */
  readonly members: Uint16Array;
  readonly ends: Float64Array;
  readonly length: number;
  /** Of a short line of whole weights: the place that each slot belongs to, and the slot of each turn. */
  readonly #slots: Uint16Array | undefined;
  readonly #cycle: Uint16Array | undefined;
  /** Of a long line, cut into equal pieces: the place in which each piece begins. */
  readonly #guide: Uint16Array | undefined;
  readonly #piecesPerLength: number;

  /** `weights` are those of `members`, all above 0. */
  constructor(members: readonly number[], weights: readonly number[]) {
    const byWeight = members.map((_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b);
    this.members = Uint16Array.from(byWeight, (i) => members[i]!);
    const lengths = reduced(byWeight.map((i) => weights[i]!));
    this.ends = new Float64Array(lengths.length);
    let end = 0;
    for (const [place, length] of lengths.entries()) {
      end += length;
      this.ends[place] = end;
    }
    this.length = end;
    this.#piecesPerLength = end === 0 ? 0 : lengths.length / end;
    if (end > MAX_SLOTS || !lengths.every(Number.isInteger)) {
      const pieces = lengths.map((_, piece) => this.#search(piece / this.#piecesPerLength, 0, lengths.length - 1));
      this.#guide = Uint16Array.from([...pieces, lengths.length - 1]);
      return;
    }
    this.#slots = Uint16Array.from(lengths.flatMap((length, place) => new Array<number>(length).fill(place)));
    this.#cycle = layOutCycle(lengths);
  }

  /** The point of a turn (a whole number), in [0, length). */
  pointOf(turn: number): number {
    const cycle = this.#cycle;
    return cycle === undefined
      ? ((Math.imul(turn, GOLDEN_RATIO) >>> 0) / TWO_32) * this.length
      : cycle[(turn >>> 0) % cycle.length]! + partOf(turn);
  }

  /** The place whose part a point is in. */
  placeAt(point: number): number {
    const slots = this.#slots;
    if (slots !== undefined) return slots[Math.min(slots.length - 1, Math.floor(point))]!;
    const guide = this.#guide!;
    const piece = Math.min(guide.length - 2, Math.floor(point * this.#piecesPerLength));
    return this.#search(point, guide[piece]!, guide[piece + 1]!);
  }

  /** Where the part of a place begins. */
  beginOf(place: number): number {
    return place === 0 ? 0 : this.ends[place - 1]!;
  }

  /** How long the part of each candidate is, by its number below `count`; 0: it is not on the line. */
  lengthsOf(count: number): number[] {
    const lengths = new Array<number>(count).fill(0);
    for (const [place, member] of this.members.entries()) lengths[member] = this.ends[place]! - this.beginOf(place);
    return lengths;
  }

  #search(point: number, from: number, to: number): number {
    const { ends } = this;
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! <= point) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A part of 1 that goes with a turn: evenly spread over turns, whatever else is made of them. */
export function partOf(turn: number): number {
  return (Math.imul(turn, SECOND_RATIO) >>> 0) / TWO_32;
}

/** Divided by what whole numbers have in common. */
function reduced(weights: readonly number[]): readonly number[] {
  if (!weights.every(Number.isInteger)) return weights;
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
  return weights.map((weight) => weight / divisor);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The slot of each turn: of the w slots of a part, the k-th has its turn at (k + 1/2) / w of the cycle. */
function layOutCycle(lengths: readonly number[]): Uint16Array {
  const turns: { at: number; slot: number }[] = [];
  for (const length of lengths) {
    for (let k = 0; k < length; k++) turns.push({ at: (k + 0.5) / length, slot: turns.length });
  }
  turns.sort((a, b) => a.at - b.at || a.slot - b.slot);
  return Uint16Array.from(turns, ({ slot }) => slot);
}
