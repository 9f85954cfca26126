// explain.ts -- why a question is answered as it is: every instance, in or out, and its share of the answers
//
// It asks what answers are made of: the same branches, pools, record sets and plans. Shares are found by drawing from
// these plans, with turns of its own, so that nobody's turn is taken.

import { seededRandom } from '../base/random.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Branch, BranchSource } from '../routing/branches.ts';
import { GENERAL, type RouteOutcome } from '../routing/route.ts';
import type { TierState } from '../routing/tiers.ts';
import type { Client } from './client.ts';
import type { NodePool } from './dynamic-node.ts';
import { type PoolAnswers, recordTtlSeconds } from './pool-answers.ts';
import type { PreparedSet } from './prepared-set.ts';
import { QueryDraw } from './query-draw.ts';
import { type Trace, traceName } from './trace-name.ts';
import type { View } from './view.ts';

/** Why an instance is in the answers, or is not. */
export type InstanceReason =
  /** In, as the strategy draws it. */
  | 'answered'
  /** In, of weight 0: behind all others. */
  | 'standby'
  /** In although it is not well: `whenAllUnhealthy`. */
  | 'all-unhealthy'
  | 'status'
  /** It has not all tags of the name. */
  | 'tags'
  /** A route that this client does not take has it, or one that it does take has it not. */
  | 'route'
  /** Affinity: it is not near this client. */
  | 'affinity'
  /** Too few are well: `minHealthyFraction`. */
  | 'suppressed'
  | 'tier'
  /** It has no address of the family, no such port, or no metadata. */
  | 'type'
  /** There was never room for it within `maxAnswers`. */
  | 'limit';

export interface InstanceExplanation {
  readonly member: Member;
  readonly reason: InstanceReason;
  readonly text: string;
  /** Counts from 1: by share, then by how often it is in the answer. Undefined: it is out. */
  readonly rank: number | undefined;
  /** Part of the answers to this client of which it is the first, 0..1; instances of one address have it together. */
  readonly share: number;
  /** Part of the answers that hold it, 0..1. */
  readonly inclusion: number;
  /** What it weighs among the others; undefined: it is out. */
  readonly weight: number | undefined;
  readonly tier: number | undefined;
}

/** One way that answers to the client go: a route or the general pool. */
export interface WayExplanation {
  /** Index in the policy; undefined: the general pool. */
  readonly route: number | undefined;
  /** Part of the answers to this client, 0..1. */
  readonly part: number;
  readonly source: BranchSource;
  /** The client's zone or subnet, where instances are near it. */
  readonly home: string | undefined;
  readonly tiers: readonly TierState[];
  /** How many records there are to draw from, and how many an answer holds at most. */
  readonly records: number;
  readonly limit: number;
  readonly ttlSeconds: number;
  readonly ttlReason: string;
}

export interface Explanation {
  readonly trace: Trace;
  readonly service: AnsweringService | undefined;
  readonly routes: readonly RouteOutcome[];
  readonly ways: readonly WayExplanation[];
  readonly instances: readonly InstanceExplanation[];
  /** Would another client perhaps get another answer? */
  readonly dependsOnClient: boolean;
}

/** What is asked. */
export interface ExplainedQuestion {
  readonly name: Name;
  readonly type: number;
  readonly client: Client;
}

/** Draws that shares are found by, and how many records these may come to in all. */
const DRAWS = 10_000;
const MAX_DRAWN_RECORDS = 400_000;
const MIN_DRAWS = 1000;
const MAX_PLACES = 1024;
/** Parts that differ by less than this have the same rank. */
const SAME_PART = 0.001;

/** Explain a question to a View, whose services `serviceOf` knows. */
export function explain(
  { name, type, client }: ExplainedQuestion,
  view: View,
  serviceOf: (name: string) => AnsweringService | undefined,
): Explanation {
  const draw = new QueryDraw(seededRandom(1));
  draw.begin(client);
  const trace = traceName(name, type, view, draw);
  const { dynamic } = trace;
  const service = dynamic?.service === undefined ? undefined : serviceOf(dynamic.service);
  if (dynamic?.pool === undefined || service === undefined) {
    return { trace, service, routes: [], ways: [], instances: [], dependsOnClient: draw.usedClient };
  }
  const { branches } = dynamic.pool.answers;
  const { routes, ways } = branches.explain(draw);
  const looked = ways.map(({ branch, part }) => lookAt(dynamic.pool!, branch, part, type, draw, trace, service));
  const named = new Set(branches.registered);
  const instances = [...service.instances.values()].map((member) =>
    explainMember(member, looked, named.has(member), type, service),
  );
  const isAnswered = looked.some(({ set }) => set.plan.size > 0);
  return {
    trace: {
      ...trace,
      result: isAnswered ? 'answer' : 'nodata',
      reason: isAnswered ? `service '${service.name}' answers` : whyNobody(service, type),
    },
    service,
    routes,
    ways: looked.map(({ way }) => way),
    instances: ranked(instances),
    dependsOnClient: draw.usedClient,
  };
}

/** One way, looked at: what stands there, and how its records came out of the draws. */
interface Looked {
  readonly way: WayExplanation;
  readonly branch: Branch;
  readonly answers: PoolAnswers;
  readonly set: PreparedSet;
  readonly drawn: ReadonlyMap<Member, { readonly first: number; readonly included: number }>;
  readonly answerable: ReadonlySet<Member>;
  readonly active: ReadonlySet<Member>;
  readonly registered: ReadonlySet<Member>;
}

function lookAt(
  { answers: routed, sets, choice }: NodePool,
  number: number,
  part: number,
  type: number,
  draw: QueryDraw,
  { served }: Trace,
  service: AnsweringService,
): Looked {
  const branch = routed.branches.at(number);
  const answers = routed.at(number);
  const set = sets(type)!.at(number);
  const holders = answers.holders(type, choice);
  const { route, source, home } = branch;
  const { ttlSeconds, limit, plan } = set;
  const settings = served!.domain!.settings;
  return {
    way: {
      route: route === GENERAL ? undefined : route,
      part,
      source,
      home,
      tiers: branch.pool.tiers,
      records: plan.size,
      limit,
      ttlSeconds,
      ttlReason: whyTtl(ttlSeconds, holders.flat(), service, settings.ttlSeconds),
    },
    branch,
    answers,
    set,
    drawn: drawShares(set, holders, draw),
    answerable: new Set(branch.pool.answerable),
    active: new Set(branch.pool.active),
    registered: new Set(branch.pool.registered),
  };
}

/** Draw many times, with turns from 0 on, and count. */
function drawShares(set: PreparedSet, holders: readonly (readonly Member[])[], draw: QueryDraw): Looked['drawn'] {
  const { plan } = set;
  const drawn = new Map<Member, { first: number; included: number }>();
  if (plan.size === 0) return drawn;
  const order = new Uint16Array(MAX_PLACES);
  const limit = Math.min(set.limit, MAX_PLACES);
  const wanted = Math.max(MIN_DRAWS, Math.min(DRAWS, Math.floor(MAX_DRAWN_RECORDS / Math.min(limit, plan.size))));
  // Whole rounds, so that those in turn come out even.
  const draws = Math.ceil(wanted / plan.size) * plan.size;
  const first = new Float64Array(plan.size);
  const included = new Float64Array(plan.size);
  for (let turn = 0; turn < draws; turn++) {
    draw.turn = turn;
    const count = plan.draw(limit, draw, order);
    if (count > 0) first[order[0]!]! += 1;
    for (let i = 0; i < count; i++) included[order[i]!]! += 1;
  }
  for (const [index, members] of holders.entries()) {
    const shares = { first: first[index]! / draws, included: included[index]! / draws };
    for (const member of members) drawn.set(member, shares);
  }
  return drawn;
}

function explainMember(
  member: Member,
  looked: readonly Looked[],
  hasTags: boolean,
  type: number,
  service: AnsweringService,
): Omit<InstanceExplanation, 'rank'> {
  let share = 0;
  let inclusion = 0;
  let best: { reason: InstanceReason; text: string } | undefined;
  let at: Looked | undefined;
  for (const each of looked) {
    const drawn = each.drawn.get(member);
    share += (drawn?.first ?? 0) * each.way.part;
    inclusion += (drawn?.included ?? 0) * each.way.part;
    const why = hasTags ? whyHere(member, each, type, service) : TAGS;
    // The way on which it comes furthest says most.
    if (best !== undefined && DEPTH.indexOf(why.reason) <= DEPTH.indexOf(best.reason)) continue;
    best = why;
    at = each;
  }
  const isIn = inclusion > 0;
  const { reason, text } = best ?? TAGS;
  const weight = isIn ? at?.answers.weightOf(member) : undefined;
  const hasTiers = (at?.branch.pool.tiers.length ?? 0) > 0;
  return {
    member,
    reason,
    text,
    share,
    inclusion,
    weight,
    tier: hasTiers ? at?.branch.pool.tierOf(member) : undefined,
  };
}

/** From what keeps an instance out first to what lets it in. */
const DEPTH: readonly InstanceReason[] = [
  ...(['tags', 'route', 'affinity', 'status', 'suppressed', 'tier', 'type', 'limit'] as const),
  ...(['standby', 'all-unhealthy', 'answered'] as const),
];
const TAGS = { reason: 'tags', text: 'does not have all tags of the name' } as const;

/** Why a member is in the answers of one way, or is not. */
function whyHere(
  member: Member,
  { way, branch, answers, set, drawn, answerable, active, registered }: Looked,
  type: number,
  { policy }: AnsweringService,
): { reason: InstanceReason; text: string } {
  const { pool } = branch;
  const { status, warmth } = member;
  const isWell = isAnswerable(status);
  if (!registered.has(member)) {
    const isPinned = policy?.affinity?.mode === 'pin';
    if (isPinned) return { reason: 'affinity', text: `pinned: not of ${way.home ?? 'any home of this client'}` };
    const taken = way.route === undefined ? 'the general pool' : `route ${way.route}`;
    return { reason: 'route', text: `this client is answered from ${taken}` };
  }
  if (!answerable.has(member)) {
    if (!isWell) return { reason: 'status', text: status };
    if (answerable.size > 0 && way.home !== undefined)
      return { reason: 'affinity', text: `others of ${way.home} are nearer to this client` };
    return { reason: 'suppressed', text: 'too few are well (minHealthyFraction, whenAllUnhealthy)' };
  }
  const result = drawn.get(member);
  if (result === undefined) {
    const isOfType = type === TYPE.A || type === TYPE.AAAA;
    if (isOfType && !active.has(member)) {
      const tier = way.tiers.find(({ isActive }) => isActive)?.tier;
      return { reason: 'tier', text: `tier ${pool.tierOf(member)}; tier ${tier} answers` };
    }
    return { reason: 'type', text: `has nothing for ${formatType(type)} here` };
  }
  if (result.included === 0) return { reason: 'limit', text: `no room among the ${set.limit} of an answer` };
  if (!isWell) return { reason: 'all-unhealthy', text: `${status}, answered by whenAllUnhealthy` };
  const weight = answers.weightOf(member);
  if (weight === 0) return { reason: 'standby', text: 'weight 0: behind all others' };
  const notes = [
    ...(status === 'warning' ? ['warning'] : []),
    ...(warmth === undefined ? [] : [`warms up (${Math.round(warmth * 100)} % of its weight)`]),
  ];
  return { reason: 'answered', text: [policy?.strategy ?? 'round-robin', ...notes].join('; ') };
}

/** By share, and those alike with one number. */
function ranked(instances: readonly Omit<InstanceExplanation, 'rank'>[]): InstanceExplanation[] {
  const sorted = [...instances].sort(
    (a, b) => byPart(a.share, b.share) || byPart(a.inclusion, b.inclusion) || byId(a.member, b.member),
  );
  let rank = 0;
  return sorted.map((each, i) => {
    const before = sorted[i - 1];
    const isSame =
      before !== undefined && byPart(before.share, each.share) === 0 && byPart(before.inclusion, each.inclusion) === 0;
    if (!isSame) rank = i + 1;
    return { ...each, rank: each.inclusion > 0 ? rank : undefined };
  });
}

/** The larger first. Compared in steps, since being nearly the same does not go on from one to the next. */
function byPart(a: number, b: number): number {
  return Math.round(b / SAME_PART) - Math.round(a / SAME_PART);
}

function byId({ instance: a }: Member, { instance: b }: Member): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function whyTtl(ttlSeconds: number, members: readonly Member[], { policy }: AnsweringService, usual: number): string {
  const instances = members.map(({ instance }) => instance);
  if (ttlSeconds < recordTtlSeconds(policy, instances, usual)) return 'volatileTtl: an instance fails or leaves';
  if (policy?.ttlSeconds !== undefined) return 'the policy';
  const least = instances.find((instance) => instance.ttlSeconds === ttlSeconds);
  return least === undefined ? 'the domain' : `the least of the instances: ${least.id}`;
}

function whyNobody({ name, instances }: AnsweringService, type: number): string {
  if (instances.size === 0) return `service '${name}' has a policy, but no instance`;
  return `no instance of service '${name}' is there to be answered as ${formatType(type)} to this client`;
}
