// validate-routes.ts -- the routes of policies from untrusted input

import { parsePrefix } from '../base/ip.ts';
import { InputObject } from './input.ts';
import type { Route } from './policy.ts';
import { readMatch } from './validate-match.ts';

const MAX_ROUTES = 16;
const MAX_NETWORKS = 256;
const HUNDREDTHS = 100;
const CLOSE = 1e-6;

/**
 * The field `routes`; undefined when not stated, or an empty list. What is wrong goes to the input's findings. Percents
 * may come to more than 100: routes have what those before them leave.
 */
export function readRoutes(input: InputObject): readonly Route[] | undefined {
  const list = input.list('routes', MAX_ROUTES);
  if (list === undefined || list.length === 0) return undefined;
  const routes = list.map((value, index) => {
    const each = InputObject.of(value, input.at(`routes[${index}]`), input.findings);
    return each === undefined ? undefined : readRoute(each);
  });
  return routes.every((each) => each !== undefined) ? routes : undefined;
}

function readRoute(input: InputObject): Route | undefined {
  const match = readMatch(input);
  const client = readNetworks(input);
  const percent = readPercent(input);
  const sticky = input.boolean('sticky');
  input.finish();
  if (match === undefined) return undefined;
  return {
    match,
    ...(client === undefined ? {} : { client }),
    ...(percent === undefined ? {} : { percent }),
    ...(sticky === undefined ? {} : { sticky }),
  };
}

/** The field `percent`, 0..100 in steps of 0.01; undefined when not stated. */
export function readPercent(input: InputObject): number | undefined {
  const percent = input.number('percent', 0, 100);
  return percent === undefined || isHundredths(percent) ? percent : input.fail('percent', 'must be in steps of 0.01');
}

/** The field `client`. An empty list is none: a route for nobody would only keep its instances from everybody. */
function readNetworks(input: InputObject): readonly string[] | undefined {
  const list = input.list('client', MAX_NETWORKS);
  if (list === undefined || list.length === 0) return undefined;
  return list.filter((each, index): each is string => {
    if (typeof each === 'string' && parsePrefix(each) !== undefined) return true;
    input.fail(`client[${index}]`, 'must be a network like "10.0.0.0/8", without host bits, or an address');
    return false;
  });
}

function isHundredths(percent: number): boolean {
  return Math.abs(percent * HUNDREDTHS - Math.round(percent * HUNDREDTHS)) < CLOSE;
}
