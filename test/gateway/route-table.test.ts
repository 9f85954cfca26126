// route-table.test.ts -- which route takes a request, what the instance is asked for, and paths that try to get out

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../src/base/errors.ts';
import { DEFAULT_LIMITS, DEFAULT_RETRIES } from '../../src/gateway/gateway-defaults.ts';
import type { GatewayRoute } from '../../src/gateway/gateway-settings.ts';
import { RequestHead } from '../../src/gateway/request-head.ts';
import { RouteTable } from '../../src/gateway/route-table.ts';

function route(name: string, changes: Partial<GatewayRoute>): GatewayRoute {
  return {
    name,
    hosts: [],
    prefix: '/',
    headers: {},
    service: 'cart-service',
    tags: [],
    port: undefined,
    rewrite: undefined,
    sticky: undefined,
    host: 'client',
    tls: undefined,
    timeoutMs: 30_000,
    idleTimeoutMs: 60_000,
    retries: DEFAULT_RETRIES,
    outliers: undefined,
    limits: DEFAULT_LIMITS,
    ...changes,
  };
}

function head(host: string, url: string, more: readonly string[] = [], method = 'GET'): RequestHead {
  const rawHeaders = host === '' ? [...more] : ['Host', host, ...more];
  return new RequestHead({ method, url, rawHeaders, httpVersionMajor: 1, httpVersionMinor: 1 });
}

const ROUTES: readonly GatewayRoute[] = [
  route('any', {}),
  route('any-api', { prefix: '/api' }),
  route('shop', { hosts: ['shop.example'] }),
  route('shop-api', { hosts: ['Shop.Example'], prefix: '/api/' }),
  route('shop-cart', { hosts: ['shop.example'], prefix: '/api/cart' }),
  route('shop-cart-blue', { hosts: ['shop.example'], prefix: '/api/cart', headers: { 'x-env': 'blue' } }),
  route('shop-cart-blue-two', {
    hosts: ['shop.example'],
    prefix: '/api/cart',
    headers: { 'x-env': 'blue', 'x-two': '2' },
  }),
  route('shop-cart-later', { hosts: ['shop.example'], prefix: '/api/cart' }),
  route('wild', { hosts: ['*.example'] }),
  route('wild-deep', { hosts: ['*.deep.example'] }),
  route('wild-deep-x', { hosts: ['*.deep.example'], prefix: '/x' }),
  route('six', { hosts: ['[2001:DB8::1]'] }),
  route('only-x', { hosts: ['only.test'], prefix: '/x' }),
];

describe('the route of a request', () => {
  const table = new RouteTable(ROUTES);
  const rows: readonly (readonly [string, string, string, (readonly string[])?])[] = [
    ['shop.example', '/', 'shop'],
    ['SHOP.example.', '/', 'shop'],
    ['shop.example:8080', '/', 'shop'],
    ['shop.example.:8080', '/?/api', 'shop'],
    ['shop.example', '/apis', 'shop'],
    ['shop.example', '/API', 'shop'],
    ['shop.example', '//api', 'shop'],
    ['shop.example', '/api', 'shop-api'],
    ['shop.example', '/api?x=/api/cart', 'shop-api'],
    ['shop.example', '/api/', 'shop-api'],
    ['shop.example', '/api/cart/1', 'shop-cart'],
    ['shop.example', '/api/cart', 'shop-cart'],
    ['shop.example', '/api/carts', 'shop-api'],
    ['shop.example', '/api/cart', 'shop-cart-blue', ['X-Env', 'blue']],
    ['shop.example', '/api/cart', 'shop-cart', ['X-Env', 'Blue']],
    ['shop.example', '/api/cart', 'shop-cart-blue', ['X-Env', 'red', 'x-env', 'blue']],
    ['shop.example', '/api/cart', 'shop-cart-blue-two', ['x-two', '2', 'X-Env', 'blue']],
    ['a.example', '/', 'wild'],
    ['a.b.example', '/', 'wild'],
    ['example', '/', 'any'],
    ['.example', '/', 'any'],
    ['deep.example', '/', 'wild'],
    ['a.deep.example', '/y', 'wild-deep'],
    ['a.b.deep.example', '/x/y', 'wild-deep-x'],
    ['other.test', '/', 'any'],
    ['', '/api/x', 'any-api'],
    ['[2001:db8::1]:80', '/', 'six'],
    ['[2001:db8:0::1]', '/', 'six'],
    ['[2001:db8::2]', '/', 'any'],
    ['only.test', '/x/1', 'only-x'],
    // The routes of a host do not keep those of any host from the rest of its paths.
    ['only.test', '/api', 'any-api'],
    ['constructor', '/__proto__', 'any'],
  ];
  for (const [host, url, expected, more] of rows) {
    it(`of ${host} ${url} ${more?.join(' ') ?? ''} is ${expected}`, () => {
      const match = table.find(head(host, url, more));
      assert.equal(match?.route.name, expected);
      assert.equal(match?.route, ROUTES[match?.index ?? -1]);
      assert.equal(match?.target, url);
    });
  }

  it('is that of the request line where it has a host, and of :authority in HTTP/2', () => {
    const absolute = head('other.test', 'http://shop.example/api/cart?x=1');
    assert.equal(absolute.authority.text, 'shop.example');
    assert.equal(table.find(absolute)?.route.name, 'shop-cart');
    assert.equal(table.find(absolute)?.target, '/api/cart?x=1');
    assert.equal(head('a', 'HTTPS://shop.example?x').target, '/?x');
    const rawHeaders = [':method', 'GET', ':path', '/api', ':authority', 'shop.example'];
    const http2 = new RequestHead({ url: '/api', rawHeaders, httpVersionMajor: 2, httpVersionMinor: 0 });
    assert.equal(table.find(http2)?.route.name, 'shop-api');
  });

  it('is none where nothing fits', () => {
    const few = new RouteTable([route('a', { hosts: ['a.test'], prefix: '/a' })]);
    assert.equal(few.find(head('b.test', '/a')), undefined);
    assert.equal(few.find(head('a.test', '/')), undefined);
    assert.equal(few.find(head('x.a.test', '/a')), undefined);
    assert.equal(table.find(head('shop.example', '*', [], 'OPTIONS')), undefined);
    assert.equal(new RouteTable([]).find(head('a', '/')), undefined);
  });

  it('costs no more for a path of very many segments', () => {
    const many = new RouteTable(
      Array.from({ length: 500 }, (_, i) => route(`r${i}`, { prefix: `/${'a'.repeat(i % 40)}b${i}` })),
    );
    const request = head('a', '/x'.repeat(8000));
    const begun = process.cpuUsage();
    for (let i = 0; i < 1000; i++) assert.equal(many.find(request), undefined);
    const { user } = process.cpuUsage(begun);
    assert.ok(user < 2_000_000, `${user} us for 1,000 requests`);
  });
});

describe('what the instance is asked for', () => {
  const rows: readonly (readonly [prefix: string, rewrite: string, url: string, expected: string])[] = [
    ['/api', '/', '/api/x?q=/api', '/x?q=/api'],
    ['/api', '/', '/api', '/'],
    ['/api', '/', '/api?q', '/?q'],
    ['/api', '/', '/api/', '/'],
    ['/api', '/', '/api//evil.test/x', '/evil.test/x'],
    ['/api/', '/', '/api/x', '/x'],
    ['/api', '/v2', '/api/x', '/v2/x'],
    ['/api', '/v2/', '/api/x', '/v2/x'],
    ['/api', '/v2', '/api', '/v2'],
    ['/api', '/v2', '/api?q=%2F', '/v2?q=%2F'],
    ['/api', '/v2', '/api//x', '/v2//x'],
    ['/', '/v2', '/', '/v2/'],
    ['/', '/v2', '/x%20y', '/v2/x%20y'],
    ['/a', '/b', '/a/%61/./x;p=1', '/b/%61/./x;p=1'],
  ];
  for (const [prefix, rewrite, url, expected] of rows) {
    it(`for ${url}, with ${prefix} as ${rewrite}, is ${expected}`, () => {
      assert.equal(new RouteTable([route('r', { prefix, rewrite })]).find(head('a', url))?.target, expected);
    });
  }
});

describe('a path', () => {
  const table = new RouteTable([route('api', { prefix: '/api', rewrite: '/v2' }), route('any', {})]);
  const refused = [
    '/api/../admin',
    '/..',
    '/../',
    '/api/%2e%2e/admin',
    '/api/.%2E/admin',
    '/api/%2e./admin',
    '/api/..%2fadmin',
    '/api%2F..%2Fadmin',
    '/api/..\\admin',
    '/api\\..\\admin',
    '/api/..%5Cadmin',
    '/api/..;/admin',
    '/api/..;x=1/admin',
    '/api/..%3b/admin',
    '/api/..%00/admin',
    '/api/x/..?q',
  ];
  for (const url of refused) {
    it(`${url} is refused`, () => assert.throws(() => table.find(head('a', url)), { code: 'bad_request' }));
  }

  const taken = ['/a..b', '/..a', '/a../b', '/...', '/?..', '/x?a=/../b', '/a%2e%2eb', '/%252e%252e/x', '/./x', '/.'];
  for (const url of taken) {
    it(`${url} is taken as it is`, () => assert.equal(table.find(head('a', url))?.target, url));
  }

  it('never gets out of what its prefix became, however it is written', () => {
    const segment = fc.constantFrom(
      '..',
      '.',
      '',
      'a',
      '%2e',
      '%2E%2e',
      '.%2e',
      '%2f',
      '%5c',
      ';',
      'admin',
      '..;',
      '%',
    );
    const separator = fc.constantFrom('/', '//', '%2f', '%5C', '\\');
    fc.assert(
      fc.property(fc.array(fc.tuple(separator, segment), { maxLength: 8 }), (parts) => {
        const url = `/api/${parts.map(([slash, text]) => slash + text).join('')}`;
        let target: string;
        try {
          target = table.find(head('a', url))!.target;
        } catch (error) {
          assert.ok(error instanceof CodedError && error.code === 'bad_request', String(error));
          return;
        }
        assert.ok(target.startsWith('/v2/'), target);
        // As a server reads it that decodes once, takes backslashes for slashes and cuts parameters off.
        const decoded = target
          .replace(/%2e/gi, '.')
          .replace(/%2f|%5c|\\/gi, '/')
          .replace(/;[^/]*/g, '');
        const { pathname } = new URL(`http://a${decoded}`);
        assert.ok(pathname.startsWith('/v2/'), `${url} became ${target}, which reads as ${pathname}`);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a request that cannot be routed', () => {
  const rows: readonly (readonly [string, () => unknown])[] = [
    ['two Host headers', () => head('a', '/', ['host', 'a'])],
    ['a Host with a space', () => head('a b', '/')],
    ['a Host with a user', () => head('user@a', '/')],
    ['a Host with a path', () => head('a/b', '/')],
    ['a Host with a port too high', () => head('a:65536', '/')],
    ['a Host that is too long', () => head('a'.repeat(300), '/')],
    ['a fragment', () => head('a', '/x#y')],
    ['another scheme', () => head('a', 'ftp://a/x')],
    ['a URL with a user', () => head('a', 'http://user@a/x')],
    ['no path', () => head('a', 'x')],
    ['* in a GET', () => head('a', '*')],
    [
      'Host and :authority that differ',
      () =>
        new RequestHead({
          url: '/',
          rawHeaders: [':authority', 'a', 'host', 'b'],
          httpVersionMajor: 2,
          httpVersionMinor: 0,
        }),
    ],
  ];
  for (const [name, make] of rows) it(`has ${name}`, () => assert.throws(make, { code: 'bad_request' }));

  it('has more headers than are looked at', () => {
    const more = Array.from({ length: 129 }, (_, i) => [`X-${i}`, 'v']).flat();
    assert.throws(() => head('a', '/', more), { code: 'headers_too_large' });
    assert.doesNotThrow(() => head('a', '/', more.slice(2)));
  });
});
