// freshness.ts -- whether what was made of a service still holds: a number for each, side by side in memory
//
// An answer that is kept must be asked about on every query. Thousands of small objects would be visited for that, all
// over the heap; the numbers of a thousand services fit 4 KiB.

const FIRST_PLACES = 256;

/** The numbers of one View. */
export class Freshnesses {
  /** Counts up when what was made at a place ends. Place 0 is for what holds as long as the View does. */
  generations: Uint32Array = new Uint32Array(FIRST_PLACES);
  readonly #free: number[] = [];
  #taken = 1;

  /** Something was made of a service as it is now. */
  begin(): Freshness {
    const place = this.#free.pop() ?? this.#taken++;
    if (place === this.generations.length) {
      const larger = new Uint32Array(place * 2);
      larger.set(this.generations);
      this.generations = larger;
    }
    return new Freshness(this, place, this.generations[place]!);
  }

  /** It holds no more. */
  end({ place, generation }: Freshness): void {
    if (this.generations[place] !== generation) return;
    this.generations[place] = generation + 1;
    this.#free.push(place);
  }
}

/** Shared by everything that was made of one state of a service. */
export class Freshness {
  readonly place: number;
  readonly generation: number;
  readonly #all: Freshnesses;

  constructor(all: Freshnesses, place: number, generation: number) {
    this.#all = all;
    this.place = place;
    this.generation = generation;
  }

  get isStale(): boolean {
    return this.#all.generations[this.place] !== this.generation;
  }
}

/** Of what is made of static records. */
export const ALWAYS_FRESH: Freshness = new Freshness(new Freshnesses(), 0, 0);
