// validate-routes.ts -- the routes of policies from untrusted input

import { type IpPrefix, parsePrefix, prefixContains } from '../base/ip.ts';
import { InputObject } from './input.ts';
import type { Route } from './policy.ts';
import { readMatch } from './validate-match.ts';

const MAX_ROUTES = 16;
const MAX_NETWORKS = 256;
const HUNDREDTHS = 100;
const CLOSE = 1e-6;

/** A route, with its networks taken apart; undefined: it concerns everybody. */
interface ReadRoute {
  readonly route: Route;
  readonly networks: readonly IpPrefix[] | undefined;
}

/** The field `routes`; undefined when not stated. What is wrong goes to the input's findings. */
export function readRoutes(input: InputObject): readonly Route[] | undefined {
  const list = input.list('routes', MAX_ROUTES);
  if (list === undefined) return undefined;
  if (list.length === 0) return input.fail('routes', 'must have at least one route');
  const wrongBefore = input.findings.invalid.length;
  const routes = list.map((value, index) => {
    const each = InputObject.of(value, input.at(`routes[${index}]`), input.findings);
    return each === undefined ? undefined : readRoute(each);
  });
  if (!routes.every((each) => each !== undefined) || input.findings.invalid.length > wrongBefore) return undefined;
  // Steps move the percents, so what these are now says nothing.
  if (!input.has('steps')) checkShares(input, routes);
  return routes.map(({ route }) => route);
}

function readRoute(input: InputObject): ReadRoute | undefined {
  const match = readMatch(input);
  const networks = readNetworks(input);
  const percent = readPercent(input);
  const sticky = input.boolean('sticky');
  input.finish();
  if (match === undefined) return undefined;
  const route = {
    match,
    ...(networks === undefined ? {} : { client: input.raw('client') as readonly string[] }),
    ...(percent === undefined ? {} : { percent }),
    ...(sticky === undefined ? {} : { sticky }),
  };
  return { route, networks };
}

/** The field `percent`, 0..100 in steps of 0.01; undefined when not stated. */
export function readPercent(input: InputObject): number | undefined {
  const percent = input.number('percent', 0, 100);
  return percent === undefined || isHundredths(percent) ? percent : input.fail('percent', 'must be in steps of 0.01');
}

function readNetworks(input: InputObject): readonly IpPrefix[] | undefined {
  const list = input.list('client', MAX_NETWORKS);
  if (list === undefined) return undefined;
  if (list.length === 0) return input.fail('client', 'must have at least one network: without any it concerns nobody');
  return list.flatMap((each, index) => {
    const prefix = typeof each === 'string' ? parsePrefix(each) : undefined;
    if (prefix !== undefined) return [prefix];
    input.fail(`client[${index}]`, 'must be a network like "10.0.0.0/8", without host bits, or an address');
    return [];
  });
}

/** A route that comes behind others for all of its clients must find as much left as it wants. */
function checkShares(input: InputObject, routes: readonly ReadRoute[]): void {
  for (const [index, { route, networks }] of routes.entries()) {
    const before = routes.slice(0, index).filter((each) => concernsAllOf(each.networks, networks));
    const taken = before.reduce((sum, each) => sum + hundredthsOf(each.route), 0);
    if (taken === 0 || taken + hundredthsOf(route) <= 100 * HUNDREDTHS) continue;
    const shown = taken / HUNDREDTHS;
    input.fail(`routes[${index}].percent`, `comes to more than 100 with the ${shown} of the routes before it`);
  }
}

/** Does a route for `wide` concern everybody whom one for `narrow` does? */
function concernsAllOf(wide: readonly IpPrefix[] | undefined, narrow: readonly IpPrefix[] | undefined): boolean {
  if (wide === undefined) return true;
  return narrow?.every((each) => wide.some((other) => containsPrefix(other, each))) ?? false;
}

function containsPrefix(wide: IpPrefix, narrow: IpPrefix): boolean {
  return wide.length <= narrow.length && prefixContains(wide, { ...narrow, text: '' });
}

function hundredthsOf({ percent = 100 }: Route): number {
  return Math.round(percent * HUNDREDTHS);
}

function isHundredths(percent: number): boolean {
  return Math.abs(percent * HUNDREDTHS - Math.round(percent * HUNDREDTHS)) < CLOSE;
}
