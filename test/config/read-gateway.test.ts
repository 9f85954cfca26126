// read-gateway.test.ts -- the gateway and its routes, as they are written in the configuration

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { parseNetwork } from '../../src/base/ip.ts';
import type { GatewayRoute } from '../../src/gateway/gateway-settings.ts';
import { makeCertificate } from '../support/certificate.ts';
import { FOLDER, load, loadValid, NETWORK, TIME } from '../support/config-text.ts';

const certificate = makeCertificate();
const other = makeCertificate();
after(() => {
  certificate.remove();
  other.remove();
});
writeFileSync(join(FOLDER, 'ca.pem'), certificate.cert);
writeFileSync(join(FOLDER, 'empty.pem'), '');

const LISTEN = 'gateway:\n  listen: 127.0.0.1:8080\n';

/** Routes of a configuration without problems. */
function routesOf(...routes: string[]): readonly GatewayRoute[] {
  const text = `${LISTEN}  routes:\n${routes.map((each) => `    - ${each}\n`).join('')}`;
  return loadValid(text).gateway.settings.routes;
}

/** What is wrong with a route that stands on the fourth line, from column 7 on. */
function problemsOf(...routes: string[]): string[] {
  const text = `${LISTEN}  routes:\n${routes.map((each) => `    - ${each}\n`).join('')}`;
  return load(text).problems.map(formatProblem);
}

const DEFAULTS: GatewayRoute = {
  name: 'cart-service',
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
  retries: { attempts: 2, statuses: [502, 503, 504], budget: 0.2 },
  outliers: {
    consecutive: 5,
    errorShare: 0.5,
    minRequests: 20,
    windowMs: 10_000,
    ejectForMs: 10_000,
    maxEjectForMs: 300_000,
    maxEjected: 0.3,
  },
  limits: { maxConnections: 256, maxQueued: 1000, queueTimeoutMs: 1000 },
};

describe('a gateway that says everything', () => {
  it('is read', () => {
    writeFileSync(join(FOLDER, 'gateway.pem'), certificate.cert + certificate.key);
    const { gateway } = loadValid(`
gateway:
  listen: ["127.0.0.1:80", "[::1]:80", "0.0.0.0:0"]
  tls: { certFile: gateway.pem, keyFile: gateway.pem }
  trust: [loopback, 10.0.0.0/8]
  maxRequests: 7
  serverTiming: always
  accessLog: { sample: 0.25, redact: [Token, "x y"] }
  routes:
    - name: cart
      host: [Shop.Example., "*.Shop.Example", "10.0.0.1", "[2001:DB8::1]"]
      prefix: /api/cart/
      headers: { X-Env: blue, x-b: "1 2" }
      service: Cart-Service
      tags: [V2, eu, v2]
      port: HTTP
      rewrite: /v2/
      sticky: { cookie: SID, maxAge: 1d }
      hostHeader: cart.internal:8080
      tls: { caFile: ca.pem, serverName: Cart.Internal }
      timeout: 5s
      idleTimeout: 1m
      retries: { attempts: 0, on: [500, 429, 500], budget: 1 }
      outliers: { consecutive: 0, errorShare: 1, minRequests: 1, window: 1s, ejectFor: 10m, maxEjected: 0 }
      limits: { maxConnections: 1, maxQueued: 0, queueTimeout: 5s }
`);
    assert.deepEqual(gateway, {
      listen: [
        { address: '127.0.0.1', port: 80 },
        { address: '::1', port: 80 },
        { address: '0.0.0.0', port: 0 },
      ],
      tls: { certFile: join(FOLDER, 'gateway.pem'), keyFile: join(FOLDER, 'gateway.pem') },
      settings: {
        trust: [...parseNetwork('loopback')!, ...parseNetwork('10.0.0.0/8')!],
        maxRequests: 7,
        serverTiming: 'always',
        accessLog: { sample: 0.25, redact: ['token', 'x y'] },
        routes: [
          {
            name: 'cart',
            hosts: ['shop.example', '*.shop.example', '10.0.0.1', '[2001:db8::1]'],
            prefix: '/api/cart',
            headers: { 'x-env': 'blue', 'x-b': '1 2' },
            service: 'cart-service',
            tags: ['v2', 'eu'],
            port: 'http',
            rewrite: '/v2',
            sticky: { by: 'cookie', name: 'SID', maxAgeSeconds: 86_400 },
            host: { text: 'cart.internal:8080' },
            tls: { ca: certificate.cert, serverName: 'cart.internal', skipVerify: false },
            timeoutMs: 5000,
            idleTimeoutMs: 60_000,
            retries: { attempts: 0, statuses: [500, 429], budget: 1 },
            outliers: {
              consecutive: 0,
              errorShare: 1,
              minRequests: 1,
              windowMs: 1000,
              ejectForMs: 600_000,
              maxEjectForMs: 600_000,
              maxEjected: 0,
            },
            limits: { maxConnections: 1, maxQueued: 0, queueTimeoutMs: 5000 },
          },
        ],
      },
      authorityFiles: [join(FOLDER, 'ca.pem')],
    });
  });

  it('comes from the environment as well', () => {
    const { gateway } = loadValid(LISTEN, {
      ROLLCALL_GATEWAY_ROUTES: '[{ service: cart-service, tls: { caFile: ca.pem } }]',
      ROLLCALL_GATEWAY_MAXREQUESTS: '5',
      ROLLCALL_GATEWAY_ACCESSLOG_SAMPLE: '0',
    });
    assert.equal(gateway.settings.routes[0]!.tls!.ca, certificate.cert);
    assert.deepEqual([gateway.settings.maxRequests, gateway.settings.accessLog.sample], [5, 0]);
    assert.equal(gateway.listen.length, 1);
  });
});

describe('a route', () => {
  const rows: readonly (readonly [text: string, expected: Partial<GatewayRoute>])[] = [
    ['{ service: cart-service }', {}],
    ['{ service: cart-service, host: [], headers: {}, tags: [], prefix: / }', {}],
    ['{ service: cart-service, prefix: /api/ }', { name: 'cart-service/api', prefix: '/api' }],
    [
      '{ service: cart-service, prefix: "/a%20b/é" }'.replace('é', '%C3%A9'),
      { name: 'cart-service/a%20b/%C3%A9', prefix: '/a%20b/%C3%A9' },
    ],
    ['{ service: cart-service, strip: true }', { rewrite: '/' }],
    ['{ service: cart-service, strip: false, rewrite: /v2 }', { rewrite: '/v2' }],
    ['{ service: cart-service, sticky: client }', { sticky: { by: 'client' } }],
    ['{ service: cart-service, sticky: { header: X-User } }', { sticky: { by: 'header', name: 'x-user' } }],
    [
      '{ service: cart-service, sticky: { cookie: sid } }',
      { sticky: { by: 'cookie', name: 'sid', maxAgeSeconds: undefined } },
    ],
    ['{ service: cart-service, hostHeader: instance }', { host: 'instance' }],
    ['{ service: cart-service, hostHeader: shop.example }', { host: { text: 'shop.example' } }],
    ['{ service: cart-service, hostHeader: "[::1]:80" }', { host: { text: '[::1]:80' } }],
    ['{ service: cart-service, hostHeader: "[::1]" }', { host: { text: '[::1]' } }],
    ['{ service: cart-service, hostHeader: 10.0.0.1 }', { host: { text: '10.0.0.1' } }],
    ['{ service: cart-service, tls: false }', {}],
    ['{ service: cart-service, tls: true }', { tls: { ca: undefined, serverName: undefined, skipVerify: false } }],
    [
      '{ service: cart-service, tls: { skipVerify: true } }',
      { tls: { ca: undefined, serverName: undefined, skipVerify: true } },
    ],
    ['{ service: cart-service, outliers: off }', { outliers: undefined }],
    ['{ service: cart-service, outliers: false }', { outliers: undefined }],
    // One waits for no longer than there is time.
    [
      '{ service: cart-service, timeout: 500ms }',
      { timeoutMs: 500, limits: { ...DEFAULTS.limits, queueTimeoutMs: 500 } },
    ],
    [
      '{ service: cart-service, headers: { __Proto: a, constructor: b } }',
      { headers: { __proto: 'a', constructor: 'b' } },
    ],
  ];
  for (const [text, expected] of rows) {
    it(text, () => assert.deepEqual(routesOf(text), [{ ...DEFAULTS, ...expected }]));
  }

  it('has a name of its own', () => {
    const names = routesOf(
      '{ service: a }',
      '{ service: a, prefix: /x }',
      '{ service: b, host: one.example }',
      '{ service: b, host: two.example }',
      '{ service: b, host: three.example, name: b 2 }',
      '{ service: b, host: four.example, name: __proto__ }',
    ).map(({ name }) => name);
    assert.deepEqual(names, ['a', 'a/x', 'b', 'b 3', 'b 2', '__proto__']);
  });

  it('is told from another by host, prefix or headers', () => {
    assert.equal(
      routesOf(
        '{ service: a }',
        '{ service: a, host: a.example }',
        '{ service: a, host: "*.a.example" }',
        '{ service: a, prefix: /a }',
        '{ service: a, prefix: /A }',
        '{ service: a, headers: { a: b } }',
        '{ service: a, headers: { a: B } }',
        '{ service: a, headers: { a: b, c: d } }',
      ).length,
      8,
    );
  });
});

describe('what is wrong with a gateway', () => {
  const rows: readonly (readonly [text: string, ...problems: string[]])[] = [
    ['gateway: 5\n', '1:10: gateway: must be an object'],
    ['gateway: { lisen: [] }\n', "1:12: gateway.lisen: unknown key; did you mean 'listen'?"],
    [
      'gateway: { listen: [":80"], trust: [lan], maxRequests: 0, serverTiming: on, accessLog: { sample: 2, redact: ["", 5], x: 1 }, routes: {} }\n',
      `1:21: gateway.listen[0]: ':80' is not an address and a port, like 127.0.0.1:8600 or "[::1]:8600"`,
      `1:37: gateway.trust[0]: 'lan' ${NETWORK}`,
      '1:56: gateway.maxRequests: must be a whole number from 1 to 1000000',
      '1:73: gateway.serverTiming: must be one of always, asked, never',
      '1:98: gateway.accessLog.sample: must be a number from 0 to 1',
      "1:110: gateway.accessLog.redact[0]: '' is not the name of a query parameter",
      '1:114: gateway.accessLog.redact[1]: must be a string (put it in quotes if it looks like anything else)',
      '1:118: gateway.accessLog.x: unknown key',
      '1:134: gateway.routes: must be an array',
    ],
    [
      'http: { listen: 127.0.0.1:80 }\ndns: { listen: ["[::1]:53"] }\ngateway: { listen: ["0.0.0.0:80", "[::]:80", "[::1]:53", 127.0.0.1:81] }\n',
      '3:20: gateway.listen: 0.0.0.0:80 is in http.listen already, as 127.0.0.1:80',
      '3:20: gateway.listen: [::1]:53 is in dns.listen already',
    ],
    ['gateway: { listen: 127.0.0.1:8500 }\n', '1:20: gateway.listen: 127.0.0.1:8500 is in http.listen already'],
    [
      'gateway: { tls: { keyFile: /nowhere } }\n',
      "1:28: gateway.tls.keyFile: cannot be read: ENOENT: no such file or directory, open '/nowhere'",
      '1:12: gateway.tls.certFile: is missing: keyFile is stated',
    ],
  ];
  for (const [text, ...expected] of rows) {
    it(JSON.stringify(text.slice(0, 70)), () => {
      const { config, problems } = load(text);
      const shown = problems.map(formatProblem);
      assert.deepEqual(shown.sort(), expected.map((each) => `rollcall.yaml:${each}`).sort());
      assert.equal(config, undefined);
    });
  }

  it('is a key of another certificate', () => {
    const { problems } = load(`gateway: { tls: { certFile: ${certificate.certFile}, keyFile: ${other.keyFile} } }\n`);
    assert.deepEqual(
      problems.map(({ message }) => message),
      ['gateway.tls.keyFile: does not belong to the certificate'],
    );
  });
});

describe('what is wrong with a route', () => {
  const rows: readonly (readonly [text: string, ...problems: string[]])[] = [
    ['5', '4:7: gateway.routes[0]: must be an object'],
    ['{}', '4:7: gateway.routes[0].service: is missing'],
    ['{ service: a, strp: true }', "4:21: gateway.routes[0].strp: unknown key; did you mean 'strip'?"],
    ['{ service: a, name: "" }', '4:27: gateway.routes[0].name: must have 1 to 64 characters'],
    ['{ service: addr }', "4:18: gateway.routes[0].service: 'addr' is a reserved service name"],
    [
      '{ service: a, host: [a.example, A.example, "a.example:80", "*", "*.*.b", "", fe80::1%eth0, "10.0.0.256"] }',
      "4:39: gateway.routes[0].host[1]: 'a.example' stands twice",
      ...['a.example:80', '*', '*.*.b', '', 'fe80::1%eth0', '10.0.0.256'].map((host, index) => {
        const column = [50, 66, 71, 80, 84, 98][index];
        return `4:${column}: gateway.routes[0].host[${index + 2}]: '${host}' is not a host name, *.name or address (without a port)`;
      }),
    ],
    ['{ service: a, prefix: api }', '4:29: gateway.routes[0].prefix: must begin with /'],
    ['{ service: a, prefix: "/a?b" }', '4:29: gateway.routes[0].prefix: must be a path alone, without a query'],
    ['{ service: a, prefix: "/a#b" }', '4:29: gateway.routes[0].prefix: must be a path alone, without a query'],
    ['{ service: a, prefix: //a }', '4:29: gateway.routes[0].prefix: must not contain //'],
    ['{ service: a, prefix: /a/../b }', '4:29: gateway.routes[0].prefix: must not contain . or .. as a segment'],
    ['{ service: a, prefix: /. }', '4:29: gateway.routes[0].prefix: must not contain . or .. as a segment'],
    ...['/ä', '/a b', '/a%2', '/a%c3', '/a\\b', '/<'].map(
      (path) =>
        [
          `{ service: a, prefix: ${path} }`,
          '4:29: gateway.routes[0].prefix: holds what must be escaped in a path, like %20 for a space (capital letters)',
        ] as const,
    ),
    ...['/%61', '/%2E%2E', '/a%2Fb', '/%7E', '/%5C', '/%00'].map(
      (path) =>
        [
          `{ service: a, prefix: "${path}" }`,
          '4:29: gateway.routes[0].prefix: has an escape that no request can be compared with',
        ] as const,
    ),
    ['{ service: a, rewrite: v2 }', '4:30: gateway.routes[0].rewrite: must begin with /'],
    [
      '{ service: a, strip: true, rewrite: /v2 }',
      '4:28: gateway.routes[0].strip: does not go with rewrite, which replaces the prefix',
    ],
    [
      '{ service: a, headers: { "a b": c, Host: d, x: " e", X: f, y: 1 } }',
      "4:30: gateway.routes[0].headers: 'a b' is not a header name",
      "4:30: gateway.routes[0].headers: 'x' stands twice",
      "4:48: gateway.routes[0].headers.Host: belongs into the route's host",
      '4:54: gateway.routes[0].headers.x: must be what a header can hold, without spaces at the ends',
      '4:69: gateway.routes[0].headers.y: must be a string of at most 1024 characters without control characters',
    ],
    [
      '{ service: a, tags: [tcp, 5] }',
      "4:28: gateway.routes[0].tags[0]: 'tcp' is a reserved tag",
      '4:33: gateway.routes[0].tags[1]: must be a string',
    ],
    ['{ service: a, port: 8080 }', '4:27: gateway.routes[0].port: must be a string'],
    [
      '{ service: a, sticky: yes }',
      '4:29: gateway.routes[0].sticky: must be client, { cookie: NAME } or { header: NAME }',
    ],
    ['{ service: a, sticky: [client] }', '4:29: gateway.routes[0].sticky: must be an object'],
    [
      '{ service: a, sticky: { cookie: "a=b", header: x, maxAge: 1500ms } }',
      '4:29: gateway.routes[0].sticky: must name either a cookie or a header',
      "4:39: gateway.routes[0].sticky.cookie: 'a=b' is not a name: letters, digits, - and _ make one",
      '4:65: gateway.routes[0].sticky.maxAge: must be whole seconds',
    ],
    [
      '{ service: a, sticky: { header: x, maxAge: 1d } }',
      '4:50: gateway.routes[0].sticky.maxAge: goes with a cookie only',
    ],
    ...['http://a', 'a:0', 'a:65536', 'a/b', '"[a]"', 'a b'].map(
      (host) =>
        [
          `{ service: a, hostHeader: ${host} }`,
          '4:33: gateway.routes[0].hostHeader: must be client, instance, or a host like shop.example or shop.example:8080',
        ] as const,
    ),
    ['{ service: a, tls: on }', '4:26: gateway.routes[0].tls: must be an object'],
    [
      '{ service: a, tls: { caFile: empty.pem, serverName: 10.0.0.1, skipVerify: true, x: 1 } }',
      `4:36: gateway.routes[0].tls.caFile: cannot use ${join(FOLDER, 'empty.pem')}: there is no certificate in it`,
      '4:59: gateway.routes[0].tls.serverName: must be a host name',
      '4:81: gateway.routes[0].tls.skipVerify: does not go with caFile: nothing is verified',
      '4:87: gateway.routes[0].tls.x: unknown key',
    ],
    [
      '{ service: a, timeout: 5, idleTimeout: 1ms }',
      `4:30: gateway.routes[0].timeout: ${TIME}`,
      '4:46: gateway.routes[0].idleTimeout: must be from 0.1s to 86400s',
    ],
    [
      '{ service: a, retries: { attempts: 11, on: [404, 600, "502"], budget: 1.5, attemps: 1 } }',
      '4:42: gateway.routes[0].retries.attempts: must be a whole number from 0 to 10',
      '4:51: gateway.routes[0].retries.on[0]: must be a status from 500 to 599, or one of 408, 425, 429',
      '4:56: gateway.routes[0].retries.on[1]: must be a status from 500 to 599, or one of 408, 425, 429',
      '4:61: gateway.routes[0].retries.on[2]: must be a status from 500 to 599, or one of 408, 425, 429',
      '4:77: gateway.routes[0].retries.budget: must be a number from 0 to 1',
      "4:82: gateway.routes[0].retries.attemps: unknown key; did you mean 'attempts'?",
    ],
    ['{ service: a, outliers: on }', '4:31: gateway.routes[0].outliers: must be off or an object'],
    [
      '{ service: a, outliers: { consecutive: -1, errorShare: 0, ejectFor: 2s, maxEjectFor: 1s, maxEjected: 30 } }',
      '4:46: gateway.routes[0].outliers.consecutive: must be a whole number from 0 to 1000000',
      '4:62: gateway.routes[0].outliers.errorShare: must be a number from 0.01 to 1',
      '4:92: gateway.routes[0].outliers.maxEjectFor: must not be shorter than ejectFor',
      '4:108: gateway.routes[0].outliers.maxEjected: must be a number from 0 to 1',
    ],
    [
      '{ service: a, timeout: 1s, limits: { maxConnections: 0, queueTimeout: 2s } }',
      '4:60: gateway.routes[0].limits.maxConnections: must be a whole number from 1 to 65535',
      '4:77: gateway.routes[0].limits.queueTimeout: must not be longer than the timeout of the route',
    ],
  ];
  for (const [text, ...expected] of rows) {
    it(text, () => {
      assert.deepEqual(
        problemsOf(text),
        expected.map((each) => `rollcall.yaml:${each}`),
      );
    });
  }

  it('is another one of its name, or for its requests', () => {
    assert.deepEqual(
      problemsOf(
        '{ service: a, name: one }',
        '{ service: b, name: one, host: b.example }',
        '{ service: c, host: [c.example, b.example] }',
        '{ service: d, prefix: /, headers: {} }',
        '{ service: e, prefix: /e, headers: { X: "1", y: "2" } }',
        '{ service: f, prefix: /e/, headers: { Y: "2", x: "1" } }',
      ),
      [
        "5:27: gateway.routes[1].name: 'one' stands twice",
        "6:7: gateway.routes[2]: takes the same requests as route 'one': one of them gets none",
        "7:7: gateway.routes[3]: takes the same requests as route 'one': one of them gets none",
        "9:7: gateway.routes[5]: takes the same requests as route 'e/e': one of them gets none",
      ].map((each) => `rollcall.yaml:${each}`),
    );
  });
});

describe('a gateway that passes nothing on', () => {
  it('is warned about', () => {
    for (const [text, ...expected] of [
      [LISTEN, '2:11: warning: gateway.listen: without gateway.routes every request is answered with 404'],
      [
        'gateway: { routes: [{ service: a }] }\n',
        '1:20: warning: gateway.routes: nothing comes to them: gateway.listen names no endpoint',
      ],
      [`${LISTEN}  routes: [{ service: a }]\n`],
      [''],
    ] as const) {
      const { config, problems } = load(text);
      assert.ok(config !== undefined, text);
      assert.deepEqual(
        problems.map(formatProblem),
        expected.map((each) => `rollcall.yaml:${each}`),
      );
    }
  });
});
