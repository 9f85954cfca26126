// live-costs.ts -- what a request costs at each instance: more at light ones, slow ones, and ones that others keep busy
//
// Slow is who takes much longer than the good ones of the same pool. What an instance took long ago is believed less and
// less, so that it is tried again; how soon falls with how slow it was.

import type { Member } from '../registry/member.ts';
import type { LiveLoad } from './live-load.ts';

/** What was slow counts half as much after this time without a request. */
const FADE_MS = 10_000;
/** What instances of a pool cost is looked over this often. */
const REVIEW_MS = 100;
/** The good ones of so many are those of all. */
const MAX_COMPARED = 64;
/** What others do moves a cost by no more than this factor, either way. */
const MAX_BUSY = 8;

/** How slowness is judged. */
interface Judgement {
  readonly latencyOf: (load: LiveLoad) => number;
  /** Good is what this part of the instances does not exceed: 0 for the best one. */
  readonly quantile: number;
  /** As good is whoever is within this factor of it, or within so much. */
  readonly tolerance: number;
  readonly toleranceMs: number;
  /** Beyond that the cost rises with this power of the time, up to `most`. */
  readonly steepness: number;
  readonly most: number;
  /** Go by what the registry knows of those that nothing was sent to. */
  readonly usesReadings: boolean;
}

const JUDGEMENTS = {
  // Connections decide; slowness only keeps those back that would fill up at once. One that fails fast is not the mark.
  'least-connections': {
    latencyOf: (load) => load.meanMs,
    quantile: 0.25,
    tolerance: 1.5,
    toleranceMs: 1,
    steepness: 3,
    most: 1000,
    usesReadings: false,
  },
  // The same curve as that of the answers (balance/latency.ts).
  latency: {
    latencyOf: (load) => load.peakMs,
    quantile: 0,
    tolerance: 1.2,
    toleranceMs: 1,
    steepness: 2,
    most: 50,
    usesReadings: true,
  },
} satisfies Record<string, Judgement>;

export type LiveStrategy = keyof typeof JUDGEMENTS;

/** Is it a strategy that goes by live loads? */
export function isLive(strategy: string | undefined): strategy is LiveStrategy {
  return strategy !== undefined && Object.hasOwn(JUDGEMENTS, strategy);
}

/** Where live loads come from. */
export interface LiveSources {
  readonly loadOf: (id: string) => LiveLoad | undefined;
  readonly monotonicMs: () => number;
}

export class LiveCosts {
  /** By index of the member; `ofAll` looks after them. */
  readonly costs: Float64Array;
  readonly loads: (LiveLoad | undefined)[];
  readonly #members: readonly Member[];
  readonly #sources: LiveSources;
  readonly #judgement: Judgement;
  /** Cost by weight and by what others do. */
  readonly #lasting: Float64Array;
  readonly #good: { liveMs: number; readMs: number };
  #reviewMs = Number.NEGATIVE_INFINITY;

  /** `weights` (> 0) are those of the members. */
  constructor(members: readonly Member[], weights: readonly number[], strategy: LiveStrategy, sources: LiveSources) {
    this.#members = members;
    this.#sources = sources;
    this.#judgement = JUDGEMENTS[strategy];
    this.loads = new Array<LiveLoad | undefined>(members.length).fill(undefined);
    this.#lasting = Float64Array.from(weights, (weight) => 1 / weight);
    const busy = busyOf(members, weights, sources);
    for (const [i, factor] of busy.entries()) this.#lasting[i]! *= factor;
    this.costs = Float64Array.from(this.#lasting);
    const reads = this.#judgement.usesReadings ? members.flatMap(({ latencyMs }) => latencyMs ?? []) : [];
    this.#good = { liveMs: 0, readMs: this.#goodOf(reads) };
  }

  /** Bring all costs and loads up to date where it is time. */
  ofAll(): void {
    const nowMs = this.#sources.monotonicMs();
    if (nowMs - this.#reviewMs < REVIEW_MS) return;
    this.#review(nowMs);
    for (let i = 0; i < this.#members.length; i++) {
      this.loads[i] = this.#loadAt(i);
      this.costs[i] = this.#lasting[i]! * this.#slownessAt(i, nowMs);
    }
  }

  /** What `ofAll` does, for one of many; returns how much slower than the good ones it is, at least 1. */
  ofOne(index: number): number {
    const nowMs = this.#sources.monotonicMs();
    if (nowMs - this.#reviewMs >= REVIEW_MS) this.#review(nowMs);
    this.loads[index] = this.#loadAt(index);
    const slowness = this.#slownessAt(index, nowMs);
    this.costs[index] = this.#lasting[index]! * slowness;
    return slowness;
  }

  /** Look up the load of one that there was none of. */
  find(index: number): void {
    this.loads[index] = this.#loadAt(index);
  }

  #loadAt(index: number): LiveLoad | undefined {
    return this.#sources.loadOf(this.#members[index]!.instance.id);
  }

  /** What good is now. */
  #review(nowMs: number): void {
    this.#reviewMs = nowMs;
    const { length } = this.#members;
    const stride = Math.max(1, Math.ceil(length / MAX_COMPARED));
    const known: number[] = [];
    for (let i = 0; i < length; i += stride) {
      const load = this.#loadAt(i);
      if (load?.isSampled) known.push(this.#judgement.latencyOf(load));
    }
    this.#good.liveMs = this.#goodOf(known);
  }

  #goodOf(latenciesMs: number[]): number {
    if (latenciesMs.length === 0) return 0;
    latenciesMs.sort((a, b) => a - b);
    return latenciesMs[Math.floor((latenciesMs.length - 1) * this.#judgement.quantile)]!;
  }

  /** At least 1; of whom nothing is known: 1. */
  #slownessAt(index: number, nowMs: number): number {
    const load = this.loads[index];
    if (load?.isSampled) {
      const { liveMs } = this.#good;
      return this.#slowness(this.#judgement.latencyOf(load), liveMs, nowMs - load.sampledMs);
    }
    const { latencyMs } = this.#members[index]!;
    return latencyMs === undefined || !this.#judgement.usesReadings
      ? 1
      : this.#slowness(latencyMs, this.#good.readMs, 0);
  }

  #slowness(latencyMs: number, goodMs: number, elapsedMs: number): number {
    const { tolerance, toleranceMs, steepness, most } = this.#judgement;
    const toleratedMs = Math.max(goodMs * tolerance, goodMs + toleranceMs);
    if (latencyMs <= toleratedMs) return 1;
    const believedMs = goodMs + (latencyMs - goodMs) * 2 ** (-Math.max(0, elapsedMs) / FADE_MS);
    return Math.min(most, Math.max(1, (believedMs / toleratedMs) ** steepness));
  }
}

/**
 * By member, how much busier than the others it is with what others sent, as far as that was reported: connections less
 * our own requests. It is a factor, not a number of requests: a report is seconds old, and what it says must not send
 * everything to one instance until the next.
 */
function busyOf(members: readonly Member[], weights: readonly number[], { loadOf }: LiveSources): Float64Array {
  const busy = new Float64Array(members.length).fill(1);
  const foreign = members.map(({ connections, instance }, i) =>
    connections === undefined
      ? undefined
      : Math.max(0, connections - (loadOf(instance.id)?.inFlight ?? 0)) / weights[i]!,
  );
  const known = foreign.filter((each) => each !== undefined);
  if (known.length === 0) return busy;
  const mean = known.reduce((sum, each) => sum + each, 0) / known.length;
  // One more than there are, for a usual weight: the first few should not count for much.
  const one = weights.length / weights.reduce((sum, each) => sum + each, 0);
  for (const [i, each] of foreign.entries()) {
    if (each === undefined) continue;
    const factor = Math.min(MAX_BUSY, Math.max(1 / MAX_BUSY, (each + one) / (mean + one)));
    busy[i] = factor ** (members[i]!.loadTrust ?? 1);
  }
  return busy;
}
