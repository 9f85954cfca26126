// prepared-set.ts -- everything one question may be answered with, and the draw that answers it

import type { Plan } from '../balance/plan.ts';
import type { Name } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { Cursor } from './cursors.ts';
import type { QueryDraw } from './query-draw.ts';

/** What an answer takes of some records: a plan that orders them, how many, and whose turn it is. */
export interface Draw {
  readonly plan: Plan;
  readonly limit: number;
  readonly cursor: Cursor;
}

/** Records of one type, and how they are drawn. */
export interface PreparedSet extends Draw {
  readonly type: number;
  readonly ttlSeconds: number;
  /** By candidate index of the plan. */
  readonly rdatas: readonly Uint8Array[];
  /** More of them, numbered on, that very many sets have in common: too many to keep answers of each. */
  readonly sharedRdatas?: readonly Uint8Array[];
}

/** Candidate indexes of the last draw; shared, since drawing is synchronous. Holds as many as any policy may ask for. */
export const ORDER = new Uint16Array(1024);

/** Take the next turn and draw into ORDER; returns how many were drawn. */
export function drawOrder(set: Draw, draw: QueryDraw): number {
  draw.turn = set.cursor.next();
  return set.plan.draw(Math.min(set.limit, ORDER.length), draw, ORDER);
}

/** Draw an RRset for `owner`; undefined when there is nothing to draw from. */
export function drawRRset(set: PreparedSet, owner: Name, draw: QueryDraw): RRset | undefined {
  if (set.plan.size === 0) return undefined;
  const count = drawOrder(set, draw);
  const { rdatas: own, sharedRdatas } = set;
  const rdatas: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const index = ORDER[i]!;
    rdatas.push(index < own.length ? own[index]! : sharedRdatas![index - own.length]!);
  }
  return rrset(owner, set.type, set.ttlSeconds, rdatas);
}
