// route.ts -- which route takes an answer: by whom it concerns, and by its share
//
// The shares of the routes that concern a client lie one behind the other on a line from 0 to 100 %, as far as there is
// room. There are two such lines: on that of the sticky routes a client has its place, on that of the others an answer.
// The first route in whose share they fall takes the answer; what falls in none is the general pool's. Growing a share
// leaves those in it who were in it already. Routes are bits of a number here, so there are at most 31
// (registry/validate-routes.ts allows fewer).

import { parsePrefix } from '../base/ip.ts';
import type { Route } from '../registry/policy.ts';
import { type ClientNetwork, pointOf, saltOf } from './client-hash.ts';
import { ALL_BITS, NetworkMap } from './network-map.ts';

/** No route: the general pool. */
export const GENERAL = -1;

/** The line that shares lie on is 2^32 long. */
const WHOLE = 2 ** 32;
const PER_PERCENT = 100;
/** Odd, near the golden ratio of the whole: multiples of it fall evenly into every share (Weyl). */
const STRIDE = 0x9e3779b1;

/** Who asks, as the choice of a route sees it. Looking at it makes the answer one for this client. */
export interface Asker extends ClientNetwork {
  /** Unsigned 32-bit hash of the octets. */
  readonly client: number;
}

/** Whose turn it is to be drawn. */
export interface Turns {
  /** Counts up and wraps at 2^32. */
  next(): number;
}

/** The part of the line that is a route's; nothing where `to` is `from`. */
interface Share {
  readonly route: number;
  readonly isSticky: boolean;
  readonly from: number;
  readonly to: number;
}

/** What a route does for one client, for people. */
export interface RouteOutcome {
  /** Index in the policy. */
  readonly route: number;
  /**
   * `client`: the client is not of those it concerns. `share`: its share passes the client by. `earlier`: routes in
   * front of it take everything. `all` or `some`: it takes that part of the answers.
   */
  readonly outcome: 'client' | 'share' | 'earlier' | 'all' | 'some';
  /** Part of the answers to this client that it takes, 0..1. */
  readonly part: number;
}

/** The routes of one service. */
export class RouteTable {
  readonly #routes: readonly Route[];
  readonly #salt: number;
  /** Bits of the routes that concern everybody. */
  readonly #everybody: number;
  /** Bits of the others by network. */
  readonly #clients: NetworkMap | undefined;
  readonly #shares = new Map<number, readonly Share[]>();
  /** The same where every route is sticky. */
  readonly #stickyShares = new Map<number, readonly Share[]>();

  /**
   * `service` makes the clients of a sticky route others than those of the next service. `clients`: those of the same
   * routes, when they are laid out already (`clientsOf`).
   */
  constructor(routes: readonly Route[], service: string, clients = clientsOf(routes)) {
    this.#routes = routes;
    this.#salt = saltOf(service);
    this.#everybody = routes.reduce((bits, { client }, i) => (client === undefined ? bits | (1 << i) : bits), 0);
    this.#clients = clients;
  }

  /**
   * The route that takes this answer; GENERAL when none does. A turn is taken only where one decides. `isSticky`: every
   * route is sticky for this client.
   */
  choose(asker: Asker, turns: Turns, isSticky = false): number {
    const shares = this.#sharesOf(asker, isSticky);
    let drawn = -1;
    for (let i = 0; i < shares.length; i++) {
      const { route, isSticky, from, to } = shares[i]!;
      if (to - from === WHOLE) return route;
      if (to === from) continue;
      if (!isSticky && drawn < 0) drawn = Math.imul(turns.next(), STRIDE) >>> 0;
      const point = isSticky ? pointOf(asker.client, this.#salt) : drawn;
      if (point >= from && point < to) return route;
    }
    return GENERAL;
  }

  /** What each route does for a client, and which part of its answers is the general pool's. */
  explain(asker: Asker): { routes: RouteOutcome[]; general: number } {
    const shares = this.#sharesOf(asker);
    let general = 1;
    const routes = this.#routes.map((_, route): RouteOutcome => {
      const share = shares.find((each) => each.route === route);
      if (share === undefined) return { route, outcome: 'client', part: 0 };
      if (general === 0) return { route, outcome: 'earlier', part: 0 };
      const part = this.#partOf(share, asker, general);
      general = Math.max(0, general - part);
      if (part === 0) return { route, outcome: 'share', part };
      return { route, outcome: part === 1 ? 'all' : 'some', part };
    });
    return { routes, general };
  }

  /** `left`: the part of the answers that comes as far as this share. Shares of draws do not overlap. */
  #partOf({ isSticky, from, to }: Share, asker: Asker, left: number): number {
    if (!isSticky) return (to - from) / WHOLE;
    const point = pointOf(asker.client, this.#salt);
    return point >= from && point < to ? left : 0;
  }

  #sharesOf(asker: ClientNetwork, isSticky = false): readonly Share[] {
    const bits = this.#everybody | (this.#clients?.lookup(asker) ?? 0);
    const laidOut = isSticky ? this.#stickyShares : this.#shares;
    let shares = laidOut.get(bits);
    if (shares === undefined) {
      shares = layOut(this.#routes, bits, isSticky);
      laidOut.set(bits, shares);
    }
    return shares;
  }
}

/** Instances come and go, and percents move, more often than networks are stated. */
const CLIENTS = new WeakMap<readonly Route[], NetworkMap | undefined>();

/** By network, the bits of the routes that concern its clients; undefined when all routes concern everybody. */
export function clientsOf(routes: readonly Route[]): NetworkMap | undefined {
  if (CLIENTS.has(routes)) return CLIENTS.get(routes);
  const networks = routes.flatMap(({ client = [] }, i) =>
    client.flatMap((text) => {
      const prefix = parsePrefix(text);
      return prefix === undefined ? [] : [{ prefix, value: 1 << i }];
    }),
  );
  const clients = networks.length === 0 ? undefined : new NetworkMap(networks, ALL_BITS);
  CLIENTS.set(routes, clients);
  return clients;
}

/** The shares of the routes in `bits`; `areSticky`: all of them are, whatever they say. */
function layOut(routes: readonly Route[], bits: number, areSticky: boolean): readonly Share[] {
  const shares: Share[] = [];
  const taken = { clients: 0, answers: 0 };
  for (const [route, { percent = 100, sticky = false }] of routes.entries()) {
    if ((bits & (1 << route)) === 0) continue;
    const isSticky = sticky || areSticky;
    const line = isSticky ? 'clients' : 'answers';
    const from = pointAt(taken[line]);
    taken[line] += Math.round(percent * PER_PERCENT);
    shares.push({ route, isSticky, from, to: pointAt(taken[line]) });
  }
  return shares;
}

/** Where so many hundredths of a percent end on a line. */
function pointAt(hundredths: number): number {
  return Math.round((Math.min(hundredths, 100 * PER_PERCENT) / (100 * PER_PERCENT)) * WHOLE);
}
