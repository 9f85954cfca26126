// client-address.test.ts -- whose request it is: the peer's, or what trusted proxies say, and how sticky keys come of it

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { Trust } from '../../src/gateway/client-address.ts';
import type { StickyBy } from '../../src/gateway/gateway-settings.ts';
import { RequestHead } from '../../src/gateway/request-head.ts';
import { askerFor, cookieValue } from '../../src/gateway/sticky.ts';
import { hashClient } from '../../src/routing/client-hash.ts';

const TRUST = new Trust(['10.0.0.0/8', '2001:db8:1::/48'].flatMap((text) => parseNetwork(text)!));

function head(...rawHeaders: string[]): RequestHead {
  return new RequestHead({
    url: '/',
    rawHeaders: ['Host', 'a', ...rawHeaders],
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  });
}

function clientText(remoteAddress: string | undefined, ...rawHeaders: string[]): string {
  const peer = TRUST.peerOf({ remoteAddress });
  return TRUST.clientOf(peer, head(...rawHeaders)).text;
}

describe('the address of a client', () => {
  const rows: readonly (readonly [name: string, peer: string | undefined, headers: readonly string[], is: string])[] = [
    ['is the peer', '192.0.2.1', [], '192.0.2.1'],
    ['is the peer, mapped', '::ffff:192.0.2.1', [], '192.0.2.1'],
    ['is a neighbour', 'fe80::1%eth0', [], 'fe80::1'],
    ['is not told by a stranger', '192.0.2.1', ['X-Forwarded-For', '198.51.100.1'], '192.0.2.1'],
    ['is told by a proxy', '10.1.1.1', ['X-Forwarded-For', '198.51.100.1'], '198.51.100.1'],
    ['is the proxy when it tells nothing', '10.1.1.1', [], '10.1.1.1'],
    ['is the rightmost that is no proxy', '10.1.1.1', ['X-Forwarded-For', '1.1.1.1, 2.2.2.2 , 10.2.2.2'], '2.2.2.2'],
    [
      'is found over several headers',
      '10.1.1.1',
      ['x-forwarded-for', '2.2.2.2', 'X-Forwarded-For', '10.3.3.3'],
      '2.2.2.2',
    ],
    ['is the leftmost of nothing but proxies', '10.1.1.1', ['X-Forwarded-For', '10.4.4.4,10.5.5.5'], '10.4.4.4'],
    ['ends at what cannot be read', '10.1.1.1', ['X-Forwarded-For', '1.1.1.1, unknown, 10.5.5.5'], '10.5.5.5'],
    ['ends at an empty entry', '10.1.1.1', ['X-Forwarded-For', ''], '10.1.1.1'],
    ['ends at a comma', '10.1.1.1', ['X-Forwarded-For', ','], '10.1.1.1'],
    ['may have a port', '10.1.1.1', ['X-Forwarded-For', '192.0.2.9:4711'], '192.0.2.9'],
    ['may be of IPv6', '10.1.1.1', ['X-Forwarded-For', '2001:DB8::1'], '2001:db8::1'],
    ['may be of IPv6 with a port', '10.1.1.1', ['X-Forwarded-For', '[2001:db8::1]:80'], '2001:db8::1'],
    ['may be behind a proxy of IPv6', '2001:db8:1::5', ['X-Forwarded-For', '192.0.2.1'], '192.0.2.1'],
    ['may be in Forwarded', '10.1.1.1', ['Forwarded', 'for=1.1.1.1, for="[2001:db8::9]:1";proto=https'], '2001:db8::9'],
    ['may be in Forwarded, in any case', '10.1.1.1', ['forwarded', 'proto=http; For=192.0.2.7'], '192.0.2.7'],
    ['may be hidden in Forwarded', '10.1.1.1', ['Forwarded', 'for=_secret'], '10.1.1.1'],
    [
      'is X-Forwarded-For before Forwarded',
      '10.1.1.1',
      ['Forwarded', 'for=1.1.1.1', 'X-Forwarded-For', '2.2.2.2'],
      '2.2.2.2',
    ],
    ['is unknown where the socket has none', undefined, ['X-Forwarded-For', '2.2.2.2'], 'unknown'],
    [
      'is looked for in so many entries only',
      '10.1.1.1',
      ['X-Forwarded-For', `1.1.1.1${',10.0.0.1'.repeat(5000)}`],
      '10.0.0.1',
    ],
  ];
  for (const [name, peer, headers, is] of rows) it(name, () => assert.equal(clientText(peer, ...headers), is));

  it('is 16 octets and a hash, worked out once for a connection', () => {
    const socket = { remoteAddress: '192.0.2.1' };
    const peer = TRUST.peerOf(socket);
    assert.equal(TRUST.peerOf(socket), peer);
    const client = TRUST.clientOf(peer, head());
    assert.equal(TRUST.clientOf(peer, head()), client);
    const octets = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
    assert.deepEqual(client.octets(), octets);
    assert.equal(client.client, hashClient(octets));
    assert.equal(client.isSticky, false);
    assert.equal(client.sticky.isSticky, true);
    assert.equal(client.sticky.client, client.client);
  });
});

describe('a sticky key', () => {
  const client = TRUST.peerOf({ remoteAddress: '192.0.2.1' }).address;
  const other = TRUST.peerOf({ remoteAddress: '192.0.2.2' }).address;
  const cookie: StickyBy = { by: 'cookie', name: 'sid', maxAgeSeconds: 86_400 };

  it('is the address when the route has none, and then routes are as sticky as the policy says', () => {
    assert.equal(askerFor(undefined, client, head(), false), client);
    assert.equal(askerFor({ by: 'client' }, client, head(), false), client.sticky);
  });

  it('is a header, whatever the address; without it the address', () => {
    const by: StickyBy = { by: 'header', name: 'x-user' };
    const a = askerFor(by, client, head('X-User', 'anna'), false);
    const b = askerFor(by, other, head('x-user', 'anna'), false);
    assert.equal(a.client, b.client);
    assert.notEqual(a.client, askerFor(by, client, head('X-User', 'bert'), false).client);
    assert.equal(a.isSticky, true);
    assert.deepEqual(b.octets(), other.octets());
    assert.equal(askerFor(by, client, head('X-User', ''), false), client.sticky);
  });

  it('is a cookie, set for a client that has none', () => {
    const first = askerFor(cookie, client, head(), false);
    const match = /^sid=([A-Za-z0-9_-]{22}); Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/.exec(first.setCookie!);
    assert.ok(match !== null, first.setCookie ?? 'none');
    const next = askerFor(cookie, other, head('Cookie', `x=1; sid=${match[1]}`), false);
    assert.equal(next.client, first.client);
    assert.equal(next.setCookie, undefined);
    assert.notEqual(askerFor(cookie, client, head(), false).client, first.client);
    const session = askerFor({ ...cookie, maxAgeSeconds: undefined }, client, head(), true);
    assert.match(session.setCookie!, /^sid=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  });

  it('is a cookie that HTTP/2 sent in pieces', () => {
    const pieces = new RequestHead({
      url: '/',
      rawHeaders: [':authority', 'a', 'cookie', 'a=1', 'cookie', 'sid=abc'],
      httpVersionMajor: 2,
      httpVersionMinor: 0,
    });
    assert.equal(pieces.cookie, 'a=1; sid=abc');
    assert.equal(askerFor(cookie, client, pieces, true).setCookie, undefined);
  });

  const cookies: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['sid=a', 'a'],
    ['x=sid=b; sid=a', 'a'],
    ['xsid=b;sid=a', 'a'],
    ['sid2=b; sid=a; sid=c', 'a'],
    [' \tsid=a ; x', 'a'],
    ['sid', undefined],
    ['sid=', undefined],
    ['sid=; sid=a', undefined],
    [`sid=${'a'.repeat(257)}`, undefined],
    [';;; ;', undefined],
    ['x="; sid=a"', 'a"'],
    ['SID=a', undefined],
  ];
  for (const [text, value] of cookies) {
    it(`of ${JSON.stringify(text?.slice(0, 30))} is ${value}`, () => assert.equal(cookieValue(text, 'sid'), value));
  }
});
