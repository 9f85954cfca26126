// traffic-count.ts -- the requests to a changing set of instances, and those of them that failed, from running totals

import { ErrorWindow } from '../gateway/error-window.ts';
import type { Member } from '../registry/member.ts';
import type { CanaryTraffic, Tally } from '../routing/rollout.ts';

/** What is of late. */
const LATE_MS = 60_000;

/** Counts from the first look on; what instances that are gone had counts on. */
export class TrafficCount {
  readonly #tallies: (id: string) => Tally | undefined;
  readonly #late = new ErrorWindow(LATE_MS);
  readonly #whole = { requests: 0, errors: 0 };
  /** Totals as of the last look. */
  #seen: ReadonlyMap<string, Tally> | undefined;

  constructor(tallies: (id: string) => Tally | undefined) {
    this.#tallies = tallies;
  }

  /** Take up what these instances had since the last look. */
  look(members: Iterable<Member>, nowMs: number): void {
    const seen = new Map<string, Tally>();
    for (const { instance } of members) {
      const now = this.#tallies(instance.id) ?? NONE;
      // A copy: what is handed out may go on counting.
      seen.set(instance.id, { requests: now.requests, errors: now.errors });
      const before = this.#seen?.get(instance.id);
      // What it had before it was one of them is not theirs.
      if (before === undefined) continue;
      const base = now.requests < before.requests ? NONE : before;
      this.#add(now.requests - base.requests, Math.max(0, now.errors - base.errors), nowMs);
    }
    this.#seen = seen;
  }

  sums(nowMs: number): CanaryTraffic {
    return { whole: { ...this.#whole }, late: this.#late.sums(nowMs) };
  }

  #add(requests: number, errors: number, nowMs: number): void {
    this.#whole.requests += requests;
    this.#whole.errors += errors;
    this.#late.add(requests, errors, nowMs);
  }
}

const NONE: Tally = { requests: 0, errors: 0 };
