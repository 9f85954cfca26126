// sticky.ts -- what makes a client the same client for a route: its address, a header, or a cookie that it is given

import { randomBytes } from 'node:crypto';
import { saltOf } from '../routing/client-hash.ts';
import type { PickAsker } from '../routing/picker.ts';
import type { ClientAddress } from './client-address.ts';
import type { StickyBy } from './gateway-settings.ts';
import type { RequestHead } from './request-head.ts';

/** Longer keys are as good as none: what is hashed for a request is bounded. */
const MAX_KEY = 256;
const COOKIE_OCTETS = 16;

/** A client that an instance is picked for. */
export interface StickyAsker extends PickAsker {
  /** A `Set-Cookie` for the reply, for a client that had no cookie yet. */
  readonly setCookie?: string;
}

/** What an instance is picked by. `isSecure`: the client came by https. */
export function askerFor(
  sticky: StickyBy | undefined,
  client: ClientAddress,
  head: RequestHead,
  isSecure: boolean,
): StickyAsker {
  if (sticky === undefined) return client;
  if (sticky.by === 'client') return client.sticky;
  if (sticky.by === 'header') {
    const key = head.values(sticky.name)[0];
    return key === undefined || key === '' ? client.sticky : keyAsker(client, key.slice(0, MAX_KEY));
  }
  const known = cookieValue(head.cookie, sticky.name);
  if (known !== undefined) return keyAsker(client, known);
  const value = randomBytes(COOKIE_OCTETS).toString('base64url');
  const age = sticky.maxAgeSeconds === undefined ? '' : `; Max-Age=${sticky.maxAgeSeconds}`;
  const secure = isSecure ? '; Secure' : '';
  const setCookie = `${sticky.name}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure}`;
  return { ...keyAsker(client, value), setCookie };
}

/** A client that is known by a key; its address still decides which routes concern it. */
function keyAsker(client: ClientAddress, key: string): PickAsker {
  return { octets: () => client.octets(), knownBits: 128, client: saltOf(key), isSticky: true };
}

/** The first cookie of a name; undefined when there is none, or one that is empty or too long. */
export function cookieValue(cookies: string | undefined, name: string): string | undefined {
  if (cookies === undefined) return undefined;
  let at = 0;
  while (at < cookies.length) {
    let end = cookies.indexOf(';', at);
    if (end < 0) end = cookies.length;
    while (cookies[at] === ' ' || cookies[at] === '\t') at++;
    if (cookies.startsWith(name, at) && cookies[at + name.length] === '=') {
      const value = cookies.slice(at + name.length + 1, end).trim();
      return value === '' || value.length > MAX_KEY ? undefined : value;
    }
    at = end + 1;
  }
  return undefined;
}
