// rank-instances.ts -- the instances of an explanation in the order in which answers have them

import { isMany, isPause, mapped } from '../base/pauses.ts';
import type { InstanceExplanation } from './explanation.ts';

/** How an instance comes out of the answers to one client, whatever ways they go. */
export interface Chances {
  /** See InstanceExplanation. */
  share: number;
  inclusion: number;
  /** How far the share may be off. */
  error: number;
  /** The best place that it can have, from 0 on; infinite: none. */
  place: number;
  /** Part of the answers that it may be in. */
  reach: number;
}

export type Unranked = Omit<InstanceExplanation, 'rank'> & Chances;

export const NO_CHANCES: Chances = { share: 0, inclusion: 0, error: 0, place: Number.POSITIVE_INFINITY, reach: 0 };

/** Parts of 1 that were added up in another order are the same to so many digits. */
const DIGITS = 9;

/** The first in rank first, and those alike with one number; those that are out behind all. */
export function* ranked(instances: readonly Unranked[]): Generator<void, InstanceExplanation[]> {
  // Those alike are many: what sorts them apart is made once, and each group by itself.
  const groups = new Map<string, Unranked[]>();
  for (const [i, each] of instances.entries()) {
    if (isPause(i)) yield;
    const key = `${each.place} ${each.share.toPrecision(DIGITS)} ${each.reach.toPrecision(DIGITS)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  const sorted = [...groups.values()].sort(([a], [b]) => compare(a!, b!));
  const all: InstanceExplanation[] = [];
  for (let i = 0; i < sorted.length; ) {
    const head = sorted[i]![0]!;
    const alike: Unranked[] = [];
    // Measured by the first of them: being nearly the same does not go on from one to the next.
    for (; i < sorted.length && isAlike(head, sorted[i]![0]!); i++) for (const each of sorted[i]!) alike.push(each);
    const rank = all.length + 1;
    if (isMany(alike)) yield;
    const made = yield* mapped(alike.sort(byId), (each) => ({
      ...explanationOf(each),
      rank: each.inclusion > 0 ? rank : undefined,
    }));
    for (const each of made) all.push(each);
  }
  return all;
}

function compare(a: Chances, b: Chances): number {
  // Infinity less itself is no number.
  return (a.place === b.place ? 0 : a.place - b.place) || b.share - a.share || b.reach - a.reach;
}

function isAlike(head: Chances, other: Chances): boolean {
  const most = Math.max(head.error, 10 ** -DIGITS);
  return other.place === head.place && head.share - other.share <= most && Math.abs(head.reach - other.reach) <= most;
}

function explanationOf({ error, place, reach, ...explanation }: Unranked): Omit<InstanceExplanation, 'rank'> {
  return explanation;
}

function byId({ member: { instance: a } }: Unranked, { member: { instance: b } }: Unranked): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
