// explain.ts -- why a question is answered as it is: every instance, in or out, and its share of the answers
//
// It asks what answers are made of: the same branches, pools, record sets and plans. Shares are found by drawing from
// these plans, with turns of its own, so that nobody's turn is taken.

import { isMany, mapped } from '../base/pauses.ts';
import { seededRandom } from '../base/random.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import type { ServiceState } from '../registry/change.ts';
import { type InstanceState, isAnswerable } from '../registry/instance.ts';
import type { Member } from '../registry/member.ts';
import type { Branch, Branches } from '../routing/branches.ts';
import { GENERAL } from '../routing/route.ts';
import type { Client } from './client.ts';
import { type Drawn, drawShares } from './drawn-shares.ts';
import type { NodePool } from './dynamic-node.ts';
import type { ExplainedService, Explanation, InstanceReason, WayExplanation, Why } from './explanation.ts';
import { type PoolAnswers, recordTtlSeconds } from './pool-answers.ts';
import type { PreparedSet } from './prepared-set.ts';
import { QueryDraw } from './query-draw.ts';
import { type Chances, NO_CHANCES, ranked, type Unranked } from './rank-instances.ts';
import { type PortChoice, type RecordKind, recordKind } from './record-kind.ts';
import type { RoutedAnswers } from './routed-answers.ts';
import { type Trace, traceName } from './trace-name.ts';
import { TAGS, unbranched } from './unbranched.ts';
import type { View } from './view.ts';

/** What is asked. */
export interface ExplainedQuestion {
  readonly name: Name;
  readonly type: number;
  readonly client: Client;
}

/**
 * Explain a question to a View, whose services `serviceOf` knows. Pauses often; all it says is of the moment at which it
 * begins. `begun` is told at once where the name leads, and may throw.
 */
export function* explain(
  { name, type, client }: ExplainedQuestion,
  view: View,
  serviceOf: (name: string) => ServiceState | undefined,
  begun: (trace: Trace) => void = () => {},
): Generator<void, Explanation> {
  const draw = new QueryDraw(seededRandom(1));
  draw.begin(client);
  const trace = traceName(name, type, view, draw);
  begun(trace);
  const { dynamic } = trace;
  const state = dynamic?.service === undefined ? undefined : serviceOf(dynamic.service);
  // The service goes on changing; its members and the branches are each replaced when they change.
  const service = state === undefined ? undefined : { name: state.name, policy: state.policy };
  if (dynamic?.pool === undefined || state === undefined || service === undefined) {
    const nothing = { trace, routes: [], ways: [], dependsOnClient: draw.usedClient };
    const rest = yield* unbranched(trace, serviceOf);
    return { ...nothing, service: service ?? rest?.service, instances: rest?.instances ?? [] };
  }
  const members = [...state.instances.values()];
  const { owner, choice } = dynamic.pool;
  const routed = dynamic.pool.answers.for(type, choice);
  const { routes, ways } = routed.branches.explain(draw);
  const looked: Looked[] = [];
  for (const { branch, part } of ways) {
    looked.push(yield* lookAt({ routed, owner, choice }, branch, part, type, draw, trace, service));
  }
  // Members are replaced also when what changed of them does not change answers, so they are told apart by their ids.
  const named = byId(routed.branches.registered);
  const instances = yield* mapped(members, (member) =>
    explainMember(member, looked, named.get(member.instance.id), service),
  );
  const isAnswered = looked.some(({ set }) => set.plan.size > 0);
  return {
    trace: {
      ...trace,
      result: isAnswered ? 'answer' : 'nodata',
      reason: isAnswered ? `service '${service.name}' answers` : whyNobody(service, members.length, type),
    },
    service,
    routes,
    ways: looked.map(({ way }) => way),
    instances: yield* ranked(instances),
    dependsOnClient: draw.usedClient,
  };
}

/** One way, looked at: what stands there, and how its records came out of the draws. */
interface Looked {
  readonly number: number;
  readonly way: WayExplanation;
  readonly branches: Branches;
  readonly branch: Branch;
  readonly answers: PoolAnswers;
  readonly set: PreparedSet;
  /** By id. */
  readonly drawn: ReadonlyMap<string, Drawn>;
  readonly kind: RecordKind | undefined;
  /** Why a member that is well has no record of the type. */
  readonly lack: string;
  readonly isAddress: boolean;
  /** Ids. */
  readonly answerable: ReadonlySet<string>;
  readonly active: ReadonlySet<string>;
  readonly registered: ReadonlySet<string>;
}

function* lookAt(
  { routed, owner, choice }: Omit<NodePool, 'answers' | 'sets'> & { readonly routed: RoutedAnswers },
  number: number,
  part: number,
  type: number,
  draw: QueryDraw,
  { served }: Trace,
  service: ExplainedService,
): Generator<void, Looked> {
  const set = yield* routed.inSteps(number, type, owner, choice);
  const answers = routed.at(number);
  const holders = yield* answers.holders(type, choice);
  const branch = routed.branches.at(number);
  if (isMany(holders)) yield;
  const { route, source, home, pool } = branch;
  const { ttlSeconds, limit, plan } = set;
  const settings = served!.domain!.settings;
  const drawn = yield* drawShares(set, holders, draw);
  return {
    number,
    way: {
      route: route === GENERAL ? undefined : route,
      part,
      source,
      home,
      tiers: pool.tiers,
      records: plan.size,
      limit,
      ttlSeconds,
      ttlReason: whyTtl(ttlSeconds, holders.flat(), service, settings.ttlSeconds),
    },
    branches: routed.branches,
    branch,
    answers,
    set,
    drawn,
    kind: recordKind(type, choice),
    lack: lackOf(type, choice),
    isAddress: type === TYPE.A || type === TYPE.AAAA,
    answerable: idsOf(pool.answerable),
    active: idsOf(pool.active),
    registered: idsOf(pool.registered),
  };
}

function idsOf(members: readonly Member[]): ReadonlySet<string> {
  return new Set(members.map(({ instance }) => instance.id));
}

function byId(members: readonly Member[]): ReadonlyMap<string, Member> {
  return new Map(members.map((member) => [member.instance.id, member]));
}

/** `named`: the member as answers are made of it; undefined: it has not all tags of the name. */
function explainMember(
  member: InstanceState,
  looked: readonly Looked[],
  named: Member | undefined,
  service: ExplainedService,
): Unranked {
  const { id } = member.instance;
  const chances = { ...NO_CHANCES };
  let best: Why | undefined;
  let at: Looked | undefined;
  for (const each of looked) {
    const drawn = each.drawn.get(id);
    if (drawn !== undefined) addChances(chances, drawn, each.way.part);
    const why = named === undefined ? TAGS : whyHere(named, each, service);
    // The way on which it comes furthest says most.
    if (best !== undefined && DEPTH.indexOf(why.reason) <= DEPTH.indexOf(best.reason)) continue;
    best = why;
    at = each;
  }
  const isIn = chances.inclusion > 0;
  const hasTiers = (at?.branch.pool.tiers.length ?? 0) > 0;
  return {
    member,
    ...(best ?? TAGS),
    ...chances,
    weight: isIn && named !== undefined ? at?.answers.weightOf(named) : undefined,
    tier: hasTiers && named !== undefined ? at?.branch.pool.tierOf(named) : undefined,
    srv: isIn ? at?.drawn.get(id)?.srv : undefined,
  };
}

function addChances(chances: Chances, { first, error, included, place }: Drawn, part: number): void {
  chances.share += first * part;
  chances.error += error * part;
  chances.inclusion += included * part;
  if (included === 0) return;
  chances.reach += part;
  chances.place = Math.min(chances.place, place);
}

/** From what keeps an instance out first to what lets it in. */
const DEPTH: readonly InstanceReason[] = [
  ...(['tags', 'route', 'affinity', 'status', 'suppressed', 'tier', 'type', 'limit'] as const),
  ...(['standby', 'all-unhealthy', 'answered', 'alias'] as const),
];

/** Why a member is in the answers of one way, or is not. */
function whyHere(member: Member, looked: Looked, service: ExplainedService): Why {
  const { way, branch, answers, set, drawn, lack, kind, answerable, active, registered, isAddress } = looked;
  const { status, warmth, instance } = member;
  const { id } = instance;
  const isWell = isAnswerable(status);
  if (!registered.has(id)) return whyElsewhere(member, looked);
  if (!answerable.has(id) && !isWell) return { reason: 'status', text: status };
  if (kind?.has(instance) === false) return { reason: 'type', text: lack };
  if (!answerable.has(id)) {
    if (answerable.size > 0 && way.home !== undefined)
      return { reason: 'affinity', text: `others of ${way.home} are nearer to this client` };
    return { reason: 'suppressed', text: 'too few are well (minHealthyFraction, whenAllUnhealthy)' };
  }
  const result = drawn.get(id);
  if (result === undefined) {
    if (isAddress && !active.has(id)) {
      const tier = way.tiers.find(({ isActive }) => isActive)?.tier;
      return { reason: 'tier', text: `tier ${branch.pool.tierOf(member)}; tier ${tier} answers` };
    }
    return { reason: 'type', text: lack };
  }
  if (result.included === 0)
    return { reason: 'limit', text: `rarely or never room among the ${set.limit} of an answer` };
  if (!isWell) return { reason: 'all-unhealthy', text: `${status}, answered by whenAllUnhealthy` };
  if (answers.weightOf(member) === 0) return { reason: 'standby', text: 'weight 0: behind all others' };
  const notes = [
    ...(status === 'warning' ? ['warning'] : []),
    ...(warmth === undefined ? [] : [`warms up (${Math.round(warmth * 100)} % of its weight)`]),
  ];
  return { reason: 'answered', text: [service.policy?.strategy ?? 'round-robin', ...notes].join('; ') };
}

/** Why a member is none of those that one way is answered from. */
function whyElsewhere(member: Member, { number, way, branches, kind, lack }: Looked): Why {
  const { status, instance } = member;
  const taken = way.route === undefined ? 'the general pool' : `route ${way.route}`;
  switch (branches.whyNotOwn(number, member)) {
    case 'far':
      return { reason: 'affinity', text: `pinned: not of ${way.home ?? 'any home of this client'}` };
    case 'other':
      return { reason: 'route', text: `this client is answered from ${taken}` };
    case undefined:
      // Others stand in, for this is not to be had.
      if (!isAnswerable(status)) return { reason: 'status', text: status };
      if (kind?.has(instance) === false) return { reason: 'type', text: lack };
      return { reason: 'route', text: `weight 0: others stand in for ${taken}` };
  }
}

function lackOf(type: number, choice: PortChoice | undefined): string {
  switch (type) {
    case TYPE.A:
      return 'has no IPv4 address';
    case TYPE.AAAA:
      return 'has no IPv6 address';
    case TYPE.SRV:
      return choice === undefined ? 'has no port' : `has no ${choice.proto} port '${choice.name}'`;
    case TYPE.TXT:
      return 'has no metadata';
    default:
      return `has nothing for ${formatType(type)}`;
  }
}

function whyTtl(ttlSeconds: number, members: readonly Member[], { policy }: ExplainedService, usual: number): string {
  const instances = members.map(({ instance }) => instance);
  if (ttlSeconds < recordTtlSeconds(policy, instances, usual)) return 'volatileTtl: an instance fails or leaves';
  if (policy?.ttlSeconds !== undefined) return 'the policy';
  const least = instances.find((instance) => instance.ttlSeconds === ttlSeconds);
  return least === undefined ? 'the domain' : `the least of the instances: ${least.id}`;
}

function whyNobody({ name }: ExplainedService, instances: number, type: number): string {
  if (instances === 0) return `service '${name}' has a policy, but no instance`;
  return `no instance of service '${name}' is there to be answered as ${formatType(type)} to this client`;
}
