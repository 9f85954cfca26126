// picks.ts -- pickers of made-up services, who asks them, and a simulation of requests to instances

import { type Random, seededRandom } from '../../src/base/random.ts';
import type { AnsweringService } from '../../src/registry/member.ts';
import { type ClientZones, NO_CLIENT_ZONES } from '../../src/routing/client-zones.ts';
import { LiveLoad } from '../../src/routing/live-load.ts';
import { type PickAsker, Picker } from '../../src/routing/picker.ts';
import { askerAt, askerNumber } from './routing.ts';

/** The `count`-th client. */
export function requestOf(count: number, isSticky = false): PickAsker {
  return { ...askerNumber(count), isSticky };
}

export function requestFrom(address: string, isSticky = false): PickAsker {
  return { ...askerAt(address), isSticky };
}

/** A picker, its service to be changed, and the loads of its instances. */
export class PickBench {
  service: AnsweringService | undefined;
  nowMs = 0;
  readonly random: Random;
  readonly loads = new Map<string, LiveLoad>();
  readonly picker: Picker;

  constructor(
    service: AnsweringService | undefined,
    { tags = [] as string[], zones = NO_CLIENT_ZONES as ClientZones, seed = 1 } = {},
  ) {
    this.service = service;
    this.random = seededRandom(seed);
    this.picker = new Picker({
      service: () => this.service,
      tags,
      zones,
      loadOf: (id) => this.loads.get(id),
      random: this.random,
      monotonicMs: () => this.nowMs,
    });
  }

  /** The load of an instance; from now on there is one. */
  loadOf(id: string): LiveLoad {
    let load = this.loads.get(id);
    if (load === undefined) {
      load = new LiveLoad();
      this.loads.set(id, load);
    }
    return load;
  }

  change(service: AnsweringService | undefined): void {
    this.service = service;
    this.picker.changed();
  }

  /** The id of the one that is picked, none of the `refused`. */
  pick(asker: PickAsker = requestOf(0), refused: readonly string[] = []): string | undefined {
    const isUsable =
      refused.length === 0 ? undefined : ({ instance }: { instance: { id: string } }) => !refused.includes(instance.id);
    return this.picker.pick(asker, isUsable)?.instance.id;
  }

  /** How often each one is picked. */
  count(picks: number, askerOf: (i: number) => PickAsker = requestOf): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let i = 0; i < picks; i++) {
      const id = String(this.pick(askerOf(i)));
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  }
}

/** What a request came to. */
export interface Served {
  readonly id: string;
  readonly beganMs: number;
  readonly tookMs: number;
}

export interface Traffic {
  readonly perSecond: number;
  readonly seconds: number;
  /** How long an instance works on a request that begins at this time. */
  readonly serviceMs: (id: string, nowMs: number) => number;
  /** Requests that an instance works on at once; others wait in it. */
  readonly workers: number;
}

/** Requests that arrive by chance (Poisson) at instances that take their time, on a clock of its own. */
export function simulate(bench: PickBench, { perSecond, seconds, serviceMs, workers }: Traffic): Served[] {
  const served: Served[] = [];
  const freeMs = new Map<string, number[]>();
  const ends = new Ends();
  for (;;) {
    const arrivalMs = bench.nowMs - (Math.log(1 - bench.random.next()) * 1000) / perSecond;
    if (arrivalMs > seconds * 1000) return served;
    for (let end = ends.take(arrivalMs); end !== undefined; end = ends.take(arrivalMs)) {
      bench.loadOf(end.id).end();
      bench.loadOf(end.id).sample(end.tookMs, end.atMs);
    }
    bench.nowMs = arrivalMs;
    const id = bench.pick()!;
    bench.loadOf(id).begin();
    const free = freeMs.get(id) ?? new Array<number>(workers).fill(0);
    freeMs.set(id, free);
    const worker = free.indexOf(Math.min(...free));
    const atMs = Math.max(arrivalMs, free[worker]!) + serviceMs(id, arrivalMs);
    free[worker] = atMs;
    ends.add({ id, atMs, tookMs: atMs - arrivalMs });
    served.push({ id, beganMs: arrivalMs, tookMs: atMs - arrivalMs });
  }
}

interface End {
  readonly id: string;
  readonly atMs: number;
  readonly tookMs: number;
}

/** Requests under way by their end. There are few at once. */
class Ends {
  readonly #ends: End[] = [];

  add(end: End): void {
    let at = this.#ends.length;
    while (at > 0 && this.#ends[at - 1]!.atMs < end.atMs) at--;
    this.#ends.splice(at, 0, end);
  }

  /** The next one that is over by then. */
  take(byMs: number): End | undefined {
    const next = this.#ends.at(-1);
    return next !== undefined && next.atMs <= byMs ? this.#ends.pop() : undefined;
  }
}

/** The time that this part (0..1) of the requests does not exceed. */
export function quantile(served: readonly Served[], part: number): number {
  const times = served.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(times.length * part))]!;
}
