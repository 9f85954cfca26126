// branches.ts -- the pools that the answers of one name may come from, and which of them a query gets
//
// A query is sent down a branch by its route and its home. What stands behind a branch is worked out when it is first
// asked for after a change; a query only looks up where it belongs.

import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { type Homes, homesOf } from './affinity.ts';
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

export class Branches {
  /** All instances behind the name. */
  readonly registered: readonly Member[];
  readonly #policy: Policy | undefined;
  readonly #routes: RouteTable | undefined;
  readonly #homes: Homes | undefined;
  /** By route, and at the end the general pool. */
  readonly #groups: readonly (readonly Member[])[];
  #groupSets: readonly ReadonlySet<Member>[] | undefined;
  readonly #shared = new Map<number, Shared>();
  /** By branch, the one that stands for it. */
  readonly #leadsTo = new Map<number, number>();

  /** Of a service, or of its instances that have all of `tags`: these bypass routes (contract section 2). */
  constructor(service: AnsweringService, tags: readonly string[], zones: ClientZones) {
    const { policy } = service;
    this.registered = membersOf(service, tags);
    this.#policy = policy;
    const routes = tags.length === 0 ? (policy?.routes ?? []) : [];
    this.#routes =
      routes.length === 0 ? undefined : new RouteTable(routesInForce(service), service.name, clientsOf(routes));
    this.#homes = policy?.affinity === undefined ? undefined : homesOf(policy.affinity, this.registered, zones);
    const matched = routes.map(({ match }) => this.registered.filter(({ instance }) => isMatch(match, instance)));
    const routed = new Set(matched.flat());
    this.#groups = [...matched, this.registered.filter((member) => !routed.has(member))];
  }

  /** There is one branch, whoever asks. */
  get isFixed(): boolean {
    return this.#routes === undefined && this.#homes === undefined;
  }

  /** The branch of this answer, or one with the same instances; a turn is taken only when one decides. */
  choose(asker: Asker, turns: Turns): number {
    const route = this.#routes === undefined ? GENERAL : this.#routes.choose(asker, turns);
    const branch = this.#number(route, this.#homes === undefined ? 0 : this.#homes.of(asker));
    return this.#leadsTo.get(branch) ?? this.#follow(branch);
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
      const { members, source } = this.#resolve(groups, route);
      return { pool: poolOf(members, this.#policy), route, source, home: homes?.names[home] };
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
      const { members, source } = this.#resolve(this.#groups, route);
      const pool = poolOf(members, this.#policy);
      let made: Preference | undefined;
      shared = { pool, source, preference: () => (made ??= new Preference(pool, this.#policy)) };
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

  /** The members of a route or of the general pool, or those that stand in when none of them is to be had. */
  #resolve(
    groups: readonly (readonly Member[])[],
    route: number,
  ): { members: readonly Member[]; source: BranchSource } {
    const general = groups.at(-1)!;
    const own = route === GENERAL ? general : groups[route]!;
    if (groups.length === 1) return { members: own, source: 'own' };
    const everybody = new Set(groups.flat());
    const all = this.registered.filter((member) => everybody.has(member));
    const generals = new Set(general);
    const routed = all.filter((member) => !generals.has(member));
    const isWell = ({ status }: Member): boolean => isAnswerable(status);
    const isLeading = (member: Member): boolean => isWell(member) && mayLead(member, this.#policy);
    const isGood = all.some(isLeading) ? isLeading : isWell;
    if (own.some(isGood)) return { members: own, source: 'own' };
    if (general.some(isGood)) return { members: general, source: 'general' };
    if (routed.some(isGood)) return { members: routed, source: 'routes' };
    return { members: all, source: 'everybody' };
  }
}
