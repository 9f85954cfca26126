// read-settings.ts -- what a gateway goes by, as it is written in a configuration or handed to the middleware

import type { InputObject } from '../registry/input.ts';
import { readNetworks } from '../registry/input-forms.ts';
import { DEFAULT_GATEWAY } from './gateway-defaults.ts';
import type { GatewayRoute, GatewaySettings } from './gateway-settings.ts';
import { type RouteDraft, readRoute } from './read-route.ts';
import type { AuthorityField } from './read-upstream.ts';

const MAX_ROUTES = 10_000;
const MAX_REQUESTS = 1_000_000;

/** Everything but the access log, of which not all who have routes have one. */
export function readSettings(input: InputObject, authorities: AuthorityField): Omit<GatewaySettings, 'accessLog'> {
  return {
    routes: readRoutes(input, authorities),
    trust: readNetworks(input, 'trust') ?? DEFAULT_GATEWAY.trust,
    maxRequests: input.integer('maxRequests', 1, MAX_REQUESTS) ?? DEFAULT_GATEWAY.maxRequests,
    serverTiming: input.oneOf('serverTiming', ['always', 'asked', 'never']) ?? DEFAULT_GATEWAY.serverTiming,
  };
}

function readRoutes(input: InputObject, authorities: AuthorityField): readonly GatewayRoute[] {
  const drafts: RouteDraft[] = [];
  for (const [index, each] of (input.list('routes', MAX_ROUTES) ?? []).entries()) {
    const object = input.part(each, `routes[${index}]`);
    if (object !== undefined) drafts.push(readRoute(object, authorities));
  }
  const names = nameAll(drafts);
  refuseTwins(drafts, names);
  return drafts.map(({ route }, index) => ({ ...route, name: names[index]! }));
}

/** A name for each: the one stated, or one made of what it is about, with a number where that is taken. */
function nameAll(drafts: readonly RouteDraft[]): readonly string[] {
  const taken = new Set<string>();
  for (const { input, name } of drafts) {
    if (name === undefined) continue;
    if (taken.has(name)) input.fail('name', `'${name}' stands twice`);
    taken.add(name);
  }
  return drafts.map(({ name, route: { service, prefix } }) => {
    if (name !== undefined) return name;
    const base = prefix === '/' ? service : service + prefix;
    let made = base;
    for (let i = 2; taken.has(made); i++) made = `${base} ${i}`;
    taken.add(made);
    return made;
  });
}

/** Of two routes for the very same requests one would never get any. */
function refuseTwins(drafts: readonly RouteDraft[], names: readonly string[]): void {
  const seen = new Map<string, number>();
  for (const [index, { input, route, isSound }] of drafts.entries()) {
    if (!isSound) continue;
    const headers = Object.entries(route.headers).sort(([a], [b]) => (a < b ? -1 : 1));
    let twin: number | undefined;
    for (const host of route.hosts.length === 0 ? [''] : route.hosts) {
      const key = JSON.stringify([host, route.prefix, headers]);
      twin ??= seen.get(key);
      if (!seen.has(key)) seen.set(key, index);
    }
    if (twin !== undefined) input.fail('', `takes the same requests as route '${names[twin]}': one of them gets none`);
  }
}
