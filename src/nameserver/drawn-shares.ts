// drawn-shares.ts -- how often each instance behind a record set comes out of its draws, found by drawing

import { isPause } from '../base/pauses.ts';
import { TYPE } from '../dns/codes.ts';
import type { Member } from '../registry/member.ts';
import type { PreparedSet } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';

/** What an SRV record says of whom to take (RFC 2782). */
export interface SrvNumbers {
  readonly priority: number;
  readonly weight: number;
}

/** What came of one record. */
export interface Drawn {
  /** Part of the draws that it is the first of, 0..1. */
  readonly first: number;
  /** How far `first` may be off, since it was counted; 0: it is exact. */
  readonly error: number;
  /** Part of the draws that it is in, 0..1. */
  readonly included: number;
  /** The best place that it can have in an answer, from 0 on; infinite where it never had one. */
  readonly place: number;
  /** Undefined: it is no SRV record. */
  readonly srv: SrvNumbers | undefined;
}

/** Draws that shares are found by, and how many records these may come to in all. */
const DRAWS = 10_000;
const MAX_DRAWN_RECORDS = 400_000;
const MIN_DRAWS = 1000;
const MAX_PLACES = 1024;
/** Drawn between two pauses. */
const RECORDS_AT_ONCE = 512;

/**
 * Draw many times for the client of `draw`, with turns from 0 on, and count; what the plan can tell without, it tells.
 * `holders`: by candidate index. By id of the instance, with pauses.
 */
export function* drawShares(
  set: PreparedSet,
  holders: readonly (readonly Member[])[],
  draw: QueryDraw,
): Generator<void, ReadonlyMap<string, Drawn>> {
  const { plan, type } = set;
  const drawn = new Map<string, Drawn>();
  if (plan.size === 0) return drawn;
  const order = new Uint16Array(MAX_PLACES);
  const limit = Math.min(set.limit, MAX_PLACES);
  const wanted = Math.max(MIN_DRAWS, Math.min(DRAWS, Math.floor(MAX_DRAWN_RECORDS / Math.min(limit, plan.size))));
  // Whole rounds, so that those in turn come out even.
  const draws = Math.ceil(wanted / plan.size) * plan.size;
  const first = new Float64Array(plan.size);
  const included = new Float64Array(plan.size);
  const places = new Float64Array(plan.size).fill(Number.POSITIVE_INFINITY);
  const drawsAtOnce = Math.max(1, Math.floor(RECORDS_AT_ONCE / limit));
  for (let turn = 0; turn < draws; turn++) {
    if (turn % drawsAtOnce === drawsAtOnce - 1) yield;
    draw.turn = turn;
    const count = plan.draw(limit, draw, order);
    if (count > 0) first[order[0]!]! += 1;
    for (let i = 0; i < count; i++) {
      const index = order[i]!;
      included[index]! += 1;
      if (i < places[index]!) places[index] = i;
    }
  }
  const told = plan.firstShares?.();
  for (const [index, members] of holders.entries()) {
    if (isPause(index)) yield;
    const counted = first[index]! / draws;
    const share = told?.[index] ?? counted;
    const shares = {
      first: share,
      // Four standard deviations. Who is always or never first is so for sure, as far as anybody can see.
      error: told === undefined ? 4 * Math.sqrt((counted * (1 - counted)) / draws) : 0,
      // Seldom enough for no draw to show it.
      included: Math.max(share, included[index]! / draws),
      place: share > 0 ? 0 : places[index]!,
      srv: type === TYPE.SRV ? { priority: plan.srvPriorities[index]!, weight: plan.srvWeights[index]! } : undefined,
    };
    for (const { instance } of members) drawn.set(instance.id, shares);
  }
  return drawn;
}
