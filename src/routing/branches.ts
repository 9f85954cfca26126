// branches.ts -- the pools that the answers of one name may come from, and which of them a query gets
//
// A query is sent down a branch by its route and its home. What stands behind a branch is worked out when it is first
// asked for after a change; a query only looks up where it belongs.

import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { type Ability, EVERYBODY_ABLE } from './ability.ts';
import { type Homes, homesOf } from './affinity.ts';
import { answerableOf } from './answerable.ts';
import type { ClientZones } from './client-zones.ts';
import { mayLead } from './leading.ts';
import { isMatch } from './match.ts';
import { membersOf, type Pool, poolOf } from './pool.ts';
import { Preference } from './preference.ts';
import { routesInForce } from './rollout.ts';
import { type Asker, clientsOf, GENERAL, type RouteOutcome, RouteTable, type Turns } from './route.ts';

/** Whom a branch's instances are, after falling back. */
export type BranchSource =
  /** Those that its route matches, or for the general pool those that no route does. */
  | 'own'
  /** A route's clients get the general pool: its own instances are not to be had. */
  | 'general'
  /** The instances of all routes: there is nobody else. */
  | 'routes'
  /** Nobody is well anywhere, and `whenAllUnhealthy` is about all instances. */
  | 'everybody';

export interface Branch {
  readonly pool: Pool;
  /** Index of the route; GENERAL for none. */
  readonly route: number;
  readonly source: BranchSource;
  /** Zone or subnet of the client; undefined: it has none here, or there is no affinity. */
  readonly home: string | undefined;
}

/** One way that answers to a client go, for people. */
export interface Way {
  readonly branch: number;
  readonly route: number;
  /** Part of the answers to this client, 0..1. */
  readonly part: number;
}

interface Shared extends Pick<Branch, 'pool' | 'source'> {
  preference(): Preference;
}

/** What does not depend on what is asked for. */
interface Layout {
  /** All instances behind the name. */
  readonly registered: readonly Member[];
  readonly policy: Policy | undefined;
  readonly routes: RouteTable | undefined;
  readonly homes: Homes | undefined;
  /** By route, and at the end the general pool. */
  readonly groups: readonly (readonly Member[])[];
}

/** The branches of a service, or of its instances that have all of `tags`: these bypass routes (contract section 2). */
export function branchesOf(service: AnsweringService, tags: readonly string[], zones: ClientZones): Branches {
  const { policy } = service;
  const registered = membersOf(service, tags);
  const routes = tags.length === 0 ? (policy?.routes ?? []) : [];
  const matched = routes.map(({ match }) => registered.filter(({ instance }) => isMatch(match, instance)));
  const routed = new Set(matched.flat());
  return new Branches({
    registered,
    policy,
    routes: routes.length === 0 ? undefined : new RouteTable(routesInForce(service), service.name, clientsOf(routes)),
    homes: policy?.affinity === undefined ? undefined : homesOf(policy.affinity, registered, zones),
    groups: [...matched, registered.filter((member) => !routed.has(member))],
  });
}

export class Branches {
  /** All instances behind the name. */
  readonly registered: readonly Member[];
  readonly #layout: Layout;
  readonly #policy: Policy | undefined;
  readonly #routes: RouteTable | undefined;
  readonly #homes: Homes | undefined;
  /** By route, and at the end the general pool. */
  readonly #groups: readonly (readonly Member[])[];
  readonly #isAble: Ability;
  #groupSets: readonly ReadonlySet<Member>[] | undefined;
  readonly #shared = new Map<number, Shared>();
  /** By branch, the one that stands for it. */
  readonly #leadsTo = new Map<number, number>();

  /** Of answers that only those who are `able` can be in: others keep no route, tier or home going. */
  constructor(layout: Layout, isAble = EVERYBODY_ABLE) {
    const { registered, policy, routes, homes, groups } = layout;
    this.#layout = layout;
    this.registered = registered;
    this.#policy = policy;
    this.#routes = routes;
    this.#homes = homes;
    this.#groups = groups;
    this.#isAble = isAble;
  }

  /** The branches of answers that only those who are able can be in: these ones where that makes no difference. */
  answering(isAble: Ability): Branches {
    if (this.isPlain) return this;
    const able = this.registered.filter(isAble).length;
    return able === 0 || able === this.registered.length ? this : new Branches(this.#layout, isAble);
  }

  /**
   * Why a member is none of those that a branch has of its own: a client that is pinned is `far` from it, it is of
   * `other` routes, or neither: undefined.
   */
  whyNotOwn(branch: number, member: Member): 'far' | 'other' | undefined {
    const { route, home } = this.#partsOf(branch);
    if (this.#policy?.affinity?.mode === 'pin' && !this.#homes?.members[home]?.includes(member)) return 'far';
    return this.#groups.at(route)?.includes(member) ? undefined : 'other';
  }

  /** There is one branch, whoever asks. */
  get isFixed(): boolean {
    return this.#routes === undefined && this.#homes === undefined;
  }

  /** There is one branch, and one tier in it. */
  get isPlain(): boolean {
    return this.isFixed && this.#policy?.tiers === undefined;
  }

  /**
   * The branch of this answer, or one with the same instances; a turn is taken only when one decides. `isSticky`: every
   * route is sticky for this client.
   */
  choose(asker: Asker, turns: Turns, isSticky = false): number {
    const route = this.#routes === undefined ? GENERAL : this.#routes.choose(asker, turns, isSticky);
    const branch = this.#number(route, this.#homes === undefined ? 0 : this.#homes.of(asker));
    return this.#leadsTo.get(branch) ?? this.#follow(branch);
  }

  /**
   * Where to go on, in order, when nobody of a branch can be used after all: outside of the home, in the general pool,
   * and at last with everybody. Pinned clients stay in their home.
   */
  behind(branch: number): readonly number[] {
    const { route, home } = this.#partsOf(branch);
    const homes = home === 0 || this.#policy?.affinity?.mode === 'pin' ? [home] : [home, 0];
    const everybody = this.#groups.length - 1;
    const next = [route, GENERAL, everybody].flatMap((each) => homes.map((at) => this.#number(each, at)));
    const distinct = new Set(next.map((each) => this.#leadsTo.get(each) ?? this.#follow(each)));
    distinct.delete(branch);
    return [...distinct];
  }

  /** Names a branch among those of its service, over changes of the instances. Empty for the general pool. */
  nameOf(branch: number): string {
    const { route, home } = this.#partsOf(branch);
    const homeName = this.#homes?.names[home];
    const parts = [route === GENERAL ? '' : `route:${route}`, homeName === undefined ? '' : `home:${homeName}`];
    return parts.filter(Boolean).join(' ');
  }

  /** What stands behind a branch. */
  at(branch: number): Branch {
    const { route, home } = this.#partsOf(branch);
    const homes = this.#homes;
    const near = homes?.members[home] ?? [];
    if (this.#policy?.affinity?.mode === 'pin') {
      // Pinned clients may have nobody else, so it is among these that a route is to be had or not.
      this.#groupSets ??= this.#groups.map((group) => new Set(group));
      const groups = this.#groupSets.map((group) => near.filter((member) => group.has(member)));
      const { members, source } = this.#resolve(near, groups, route);
      return { pool: poolOf(members, this.#policy, this.#isAble), route, source, home: homes?.names[home] };
    }
    const { pool, source, preference } = this.#sharedBy(route);
    return { pool: near.length === 0 ? pool : preference().for(near), route, source, home: homes?.names[home] };
  }

  /** The branch with the same instances behind it that is asked for instead: they need not be made ready twice. */
  #follow(branch: number): number {
    const { route, home } = this.#partsOf(branch);
    let target = branch;
    if (this.#policy?.affinity?.mode !== 'pin') {
      const { pool, source, preference } = this.#sharedBy(route);
      const targetRoute = source === 'general' ? GENERAL : route;
      const isAlike = home === 0 || preference().for(this.#homes!.members[home]!) === pool;
      target = this.#number(targetRoute, isAlike ? 0 : home);
    }
    this.#leadsTo.set(branch, target);
    return target;
  }

  /** What the branches of a route have in common, where clients are not pinned. */
  #sharedBy(route: number): Shared {
    let shared = this.#shared.get(route);
    if (shared === undefined) {
      const { members, source } = this.#resolve(this.registered, this.#groups, route);
      const pool = poolOf(members, this.#policy, this.#isAble);
      let made: Preference | undefined;
      const homes = this.#homes?.names.length ?? 1;
      shared = { pool, source, preference: () => (made ??= new Preference(pool, this.#policy, homes, this.#isAble)) };
      this.#shared.set(route, shared);
    }
    return shared;
  }

  /** The pool of all instances, whatever the routes and whoever asks. */
  whole(): Pool {
    return poolOf(this.registered, this.#policy);
  }

  /** Where the answers to a client go and why. */
  explain(asker: Asker): { routes: readonly RouteOutcome[]; ways: readonly Way[] } {
    const home = this.#homes?.of(asker) ?? 0;
    const { routes, general } = this.#routes?.explain(asker) ?? { routes: [], general: 1 };
    const taken = [...routes, { route: GENERAL, part: general }].filter(({ part }) => part > 0);
    return { routes, ways: taken.map(({ route, part }) => ({ branch: this.#number(route, home), route, part })) };
  }

  #number(route: number, home: number): number {
    return (route + 1) * (this.#homes?.names.length ?? 1) + home;
  }

  #partsOf(branch: number): { route: number; home: number } {
    const homes = this.#homes?.names.length ?? 1;
    return { route: Math.floor(branch / homes) - 1, home: branch % homes };
  }

  /**
   * The members of a route or of the general pool, or those that stand in when none of them is to be had. All in `groups`
   * are among the `registered`. Only where nobody well is able to be in the answer, those stand in who have somebody
   * able among them by `whenAllUnhealthy`.
   */
  #resolve(
    registered: readonly Member[],
    groups: readonly (readonly Member[])[],
    route: number,
  ): { members: readonly Member[]; source: BranchSource } {
    // No route's number, but that of all of them together: see `behind`.
    if (route === groups.length - 1) return { members: registered, source: 'everybody' };
    const general = groups.at(-1)!;
    const own = route === GENERAL ? general : groups[route]!;
    if (groups.length === 1) return { members: own, source: 'own' };
    const everybody = new Set(groups.flat());
    const all = registered.filter((member) => everybody.has(member));
    const generals = new Set(general);
    const routed = all.filter((member) => !generals.has(member));
    const inOrder = [
      { members: own, source: 'own' },
      { members: general, source: 'general' },
      { members: routed, source: 'routes' },
      { members: all, source: 'everybody' },
    ] as const;
    const firstWith = (isAble: Ability) => {
      const isWell = (member: Member): boolean => isAnswerable(member.status) && isAble(member);
      const isLeading = (member: Member): boolean => isWell(member) && mayLead(member, this.#policy);
      const isGood = all.some(isLeading) ? isLeading : isWell;
      return inOrder.find(({ members }) => members.some(isGood));
    };
    const usual = firstWith(EVERYBODY_ABLE) ?? inOrder[3];
    if (this.#isAble === EVERYBODY_ABLE) return usual;
    const isAnswered = ({ members }: { members: readonly Member[] }): boolean =>
      answerableOf(members, this.#policy).some(this.#isAble);
    return firstWith(this.#isAble) ?? [usual, ...inOrder].find(isAnswered) ?? usual;
  }
}
