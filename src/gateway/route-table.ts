// route-table.ts -- which route takes a request: by host, then by path, then by headers, then in order
//
// A route of the very host goes before those of the longest wildcard, and these before those of any host; where none
// of them takes the request, the next ones are asked. Among routes of one host the longest prefix decides, among those
// of one prefix the number of headers, and then the order of the configuration.
//
// Paths are compared octet for octet, in whole segments, and passed on as they came. No path may lead out of its
// prefix: `..` is refused as a segment, with dots and slashes percent-encoded as well. `.` and empty segments stay.

import { CodedError } from '../base/errors.ts';
import { canonicalHost } from './authority.ts';
import type { GatewayRoute } from './gateway-settings.ts';
import type { RequestHead } from './request-head.ts';

/** The route of a request. */
export interface RouteMatch {
  readonly route: GatewayRoute;
  /** Place of the route in the configuration. */
  readonly index: number;
  /** Path and query for the instance. */
  readonly target: string;
}

const SLASH = 0x2f;
/** `..` between what some program takes for the ends of a segment; `;` begins parameters (`..;/` of servlets). */
const DOT_DOT = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){2}(?:$|[/\\;]|%2f|%5c|%3b|%00)/i;

interface Candidate {
  readonly route: GatewayRoute;
  readonly index: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Octets of the path that are replaced. */
  readonly cut: number;
  /** By what; undefined: the path stays. */
  readonly base: string | undefined;
}

export class RouteTable {
  readonly #exact = new Map<string, PrefixTable>();
  /** Keyed by what names must end with, `.example.com`. */
  readonly #wildcards = new Map<string, PrefixTable>();
  readonly #any = new PrefixTable();

  constructor(routes: readonly GatewayRoute[]) {
    for (const [index, route] of routes.entries()) {
      if (route.hosts.length === 0) this.#any.add(route, index);
      for (const host of new Set(route.hosts)) {
        if (host === '*') this.#any.add(route, index);
        else if (host.startsWith('*.')) tableOf(this.#wildcards, canonicalHost(host.slice(1))).add(route, index);
        else tableOf(this.#exact, canonicalHost(host)).add(route, index);
      }
    }
  }

  /** The route that takes a request; undefined when none does. Throws CodedError `bad_request` for paths with `..`. */
  find(head: RequestHead): RouteMatch | undefined {
    const { target } = head;
    const query = target.indexOf('?');
    const length = query < 0 ? target.length : query;
    checkPath(query < 0 ? target : target.slice(0, query));
    const found = this.#find(head, target, length);
    return found === undefined ? undefined : { ...found, target: rewritten(found, target) };
  }

  #find(head: RequestHead, target: string, length: number): Candidate | undefined {
    const { host } = head.authority;
    const exact = this.#exact.get(host)?.find(head, target, length);
    if (exact !== undefined) return exact;
    if (this.#wildcards.size > 0) {
      // At least one label stands for the star.
      for (let dot = host.indexOf('.', 1); dot > 0; dot = host.indexOf('.', dot + 1)) {
        const found = this.#wildcards.get(host.slice(dot))?.find(head, target, length);
        if (found !== undefined) return found;
      }
    }
    return this.#any.find(head, target, length);
  }
}

/** Routes of one host. */
class PrefixTable {
  /** Keyed by prefix, without the slash at its end; those of `/` by the empty text. */
  readonly #byPrefix = new Map<string, Candidate[]>();
  /** Of the prefixes, longest first: however many segments a path has, only these are looked at. */
  #lengths: readonly number[] = [];

  add(route: GatewayRoute, index: number): void {
    const prefix = trimmed(route.prefix);
    const headers = Object.entries(route.headers);
    const base = route.rewrite === undefined ? undefined : trimmed(route.rewrite);
    const candidates = this.#byPrefix.get(prefix) ?? [];
    candidates.push({ route, index, headers, cut: prefix.length, base });
    candidates.sort((a, b) => b.headers.length - a.headers.length || a.index - b.index);
    this.#byPrefix.set(prefix, candidates);
    const lengths = new Set(Array.from(this.#byPrefix.keys(), (each) => each.length));
    this.#lengths = [...lengths].sort((a, b) => b - a);
  }

  /** `length`: of the path in front of the query. */
  find(head: RequestHead, target: string, length: number): Candidate | undefined {
    for (const each of this.#lengths) {
      if (each > length || (each < length && target.charCodeAt(each) !== SLASH)) continue;
      const candidates = this.#byPrefix.get(each === 0 ? '' : target.slice(0, each));
      if (candidates === undefined) continue;
      for (const candidate of candidates) if (hasHeaders(head, candidate.headers)) return candidate;
    }
    return undefined;
  }
}

function tableOf(tables: Map<string, PrefixTable>, key: string): PrefixTable {
  let table = tables.get(key);
  if (table === undefined) {
    table = new PrefixTable();
    tables.set(key, table);
  }
  return table;
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, '');
}

function hasHeaders(head: RequestHead, headers: Candidate['headers']): boolean {
  for (const [name, value] of headers) if (!head.values(name).includes(value)) return false;
  return true;
}

function checkPath(path: string): void {
  if (!path.includes('..') && !path.includes('%')) return;
  if (DOT_DOT.test(path)) throw new CodedError('bad_request', 'the path has a `..` segment');
}

function rewritten({ cut, base }: Candidate, target: string): string {
  if (base === undefined) return target;
  const rest = target.slice(cut);
  // `//host` would be a reference to another server for whoever reads it as a URL (RFC 3986 section 4.2).
  if (base === '') return `/${rest.replace(/^\/+/, '')}`;
  return base + rest;
}
