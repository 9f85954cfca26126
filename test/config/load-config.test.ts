// load-config.test.ts -- defaults as promised, and every fault of file and environment found and located at once

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { parseNetwork, parsePrefix } from '../../src/base/ip.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load-config.ts';
import { parseName } from '../../src/dns/name.ts';
import { STREAM_LIMITS } from '../../src/net/connection-table.ts';
import { makeCertificate } from '../support/certificate.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-config-'));
const HASH = `sha256:${'0a'.repeat(32)}`;
after(() => rmSync(FOLDER, { recursive: true }));

function load(text: string | undefined, env: Record<string, string> = {}, cwd = FOLDER): LoadedConfig {
  const file = join(cwd, 'rollcall.yaml');
  if (text === undefined) rmSync(file, { force: true });
  else writeFileSync(file, text);
  return loadConfig({ env, cwd });
}

function loadValid(text: string | undefined, env: Record<string, string> = {}) {
  const { config, problems } = load(text, env);
  assert.deepEqual(problems.map(formatProblem), []);
  return config!;
}

describe('the defaults', () => {
  const expected = {
    dns: {
      listen: [{ address: '127.0.0.1', port: 8600 }],
      tcp: STREAM_LIMITS,
      tls: undefined,
      proxyProtocolFrom: [],
      workers: 'auto',
      domains: [{ name: 'service.local' }],
      advertise: [],
      zonesFolder: join(FOLDER, 'zones'),
      zonesFolderStated: false,
      ttlSeconds: 5,
      volatileTtlSeconds: 1,
      negativeTtlSeconds: 5,
      maxAnswers: 8,
      maxUdpSize: 1232,
      claimLocal: true,
      reverse: [],
      chaos: false,
      cookies: true,
      cookieSecrets: [],
      cookieSecretsFile: undefined,
      nsid: undefined,
      rateLimit: {
        responsesPerSecond: 'auto',
        slip: 2,
        ipv4PrefixBits: 24,
        ipv6PrefixBits: 56,
        exempt: ['loopback', 'private'].flatMap((name) => parseNetwork(name)!),
      },
      transferTo: [],
      clientSubnetFrom: [],
      clientZones: [],
      forward: {
        to: [],
        allow: ['loopback', 'private'].flatMap((name) => parseNetwork(name)!),
        timeoutMs: 2000,
        cacheSize: 10_000,
        staleMs: 86_400_000,
        passSpecial: [],
        stripPrivate: false,
        authorities: undefined,
        authoritiesFile: undefined,
      },
    },
    http: {
      listen: [{ address: '127.0.0.1', port: 8500 }],
      tls: undefined,
      allowHosts: [],
      maxBodyBytes: 256 * 1024,
    },
    auth: { tokens: [] },
    store: { kind: 'lmdb', path: join(FOLDER, 'data') },
    health: {
      intervalMs: 5000,
      timeoutMs: 2000,
      rise: 2,
      fall: 3,
      jitter: 0.1,
      concurrency: 512,
      perHost: 128,
      damping: { penalty: 1, halfLifeMs: 300_000, suppress: 10, reuse: 5, max: 20 },
      allowExec: false,
      allow: [],
      deny: ['link-local', 'multicast', 'unspecified'].flatMap((name) => parseNetwork(name)!),
    },
    services: [],
    schedules: [],
    log: { level: 'info' },
  };

  it('are those of the contract', () => {
    assert.deepEqual(loadValid(undefined), { ...expected, file: undefined });
  });

  for (const [what, text] of [
    ['an empty file', ''],
    ['a file of comments', '# nothing\n'],
    ['empty sections', 'dns:\nhttp: {}\nauth:\n  tokens:\nservices: []\n'],
  ] as const) {
    it(`hold for ${what}`, () => {
      assert.deepEqual(loadValid(text), { ...expected, file: join(FOLDER, 'rollcall.yaml') });
    });
  }
});

describe('a configuration that states every default', () => {
  const text = `
dns:
  listen: [127.0.0.1:8600]
  workers: auto
  tls: { listen: [], certFile: "", keyFile: "" }
  proxyProtocol: { from: [] }
  domains: [service.local]
  advertise: []
  zones: ./zones
  ttl: 5s
  negativeTtl: 5s
  maxAnswers: 8
  maxUdpSize: 1232
  claimLocal: true
  reverse: []
  clientSubnet: { from: [] }
  clientZones: {}
  forward: { to: [], allow: [loopback, private], timeout: 2s, cacheSize: 10000, staleFor: 1d, passSpecial: [], stripPrivate: false, caFile: "" }
  transfer: { to: [] }
  rateLimit: { responsesPerSecond: auto, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56, exempt: [loopback, private] }
  cookies: true
  cookieSecrets: []
  cookieSecretsFile: ""
  nsid: ""
  chaos: false
http: { listen: [127.0.0.1:8500], tls: { certFile: "", keyFile: "", clientCaFile: "" }, allowHosts: [], maxBody: 256KiB }
auth: { tokens: [] }
store: { kind: lmdb, path: ./data }
health: { interval: 5s, timeout: 2s, rise: 2, fall: 3, jitter: 0.1, concurrency: 512, allowExec: false, allow: [], deny: [link-local, multicast, unspecified] }
gateway: { listen: [], routes: [] }
services: []
schedules: []
log: { level: info }
`;

  it('is that of an empty one', () => {
    const { dns, ...rest } = loadValid(text);
    const empty = loadValid('');
    assert.deepEqual({ ...rest, dns: { ...dns, zonesFolderStated: false } }, empty);
  });
});

describe('a configuration that says everything', () => {
  it('is read', () => {
    const made = makeCertificate();
    writeFileSync(join(FOLDER, 'cert.pem'), `${made.cert}${made.key}`);
    made.remove();
    const config = loadValid(`
dns:
  listen: ["127.0.0.1:53", "[::1]:53", "0.0.0.0:0"]
  workers: 0
  domains: [Service.Local., { name: eu.example, ttl: 1m, negativeTtl: 0s, maxAnswers: 3 }]
  advertise: [192.0.2.1, "2001:DB8::1"]
  zones: my/zones
  ttl: 1h
  volatileTtl: 2s
  negativeTtl: 30s
  maxAnswers: 4
  maxUdpSize: 1400
  claimLocal: false
  reverse: [10.1.0.0/16, 10.0.0.0/8, "2001:db8::/32"]
  chaos: { id: eu-1 }
  cookies: false
  cookieSecrets: [0123456789ABCDEF0123456789abcdef, "00112233445566778899001122334455"]
  nsid: eu-1 é
  rateLimit: { responsesPerSecond: 50, slip: 1, ipv4Prefix: 20, ipv6Prefix: 48, exempt: [loopback] }
  transfer: { to: [10.0.0.53] }
  tcp: { maxConnections: 9, maxPerSource: 3, idleTimeout: 20s, firstQueryTimeout: 2s, writeTimeout: 1s }
  tls: { listen: ["127.0.0.1:853"], certFile: cert.pem, keyFile: cert.pem }
  proxyProtocol: { from: [10.9.0.0/16] }
  forward: { to: [192.0.2.9], allow: [loopback], timeout: 1s, cacheSize: 7, staleFor: 0s, passSpecial: [test], stripPrivate: true }
  clientSubnet: { from: [loopback, 192.0.2.53] }
  clientZones: { eu-west: [10.1.0.0/16, "2001:db8::/32"], Rack 7: 10.2.0.0/16 }
http:
  listen: 127.0.0.1:8080
  tls: { certFile: cert.pem, keyFile: cert.pem, clientCaFile: cert.pem }
  allowHosts: [Rollcall.Example, "[::1]"]
  maxBody: 1MiB
auth:
  tokens:
    - { id: deploy, hash: "${HASH.toUpperCase().replace('SHA', 'sha')}", allow: ["services:write:Cart-*", operator] }
store: { kind: lmdb, path: /var/lib/rollcall }
health: { interval: 1s, timeout: 500ms, rise: 1, fall: 1, jitter: 0, concurrency: 9, perHost: 3, damping: { penalty: 0, halfLife: 1m, suppress: 4, reuse: 0.5, max: 4 }, allowExec: true, allow: [private], deny: [10.0.0.0/8] }
services:
  - { service: Cart, address: 10.0.0.7, port: 80, checks: [{ type: tcp }] }
schedules:
  - { name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin, action: { maintenance: on, service: Cart } }
  - { name: morning, cron: "0 0 5 * * *", action: { maintenance: false, instance: cart-1 } }
log: { level: debug }
`);
    const cert = join(FOLDER, 'cert.pem');
    assert.deepEqual(config.dns, {
      listen: [
        { address: '127.0.0.1', port: 53 },
        { address: '::1', port: 53 },
        { address: '0.0.0.0', port: 0 },
      ],
      workers: 0,
      domains: [
        { name: 'service.local' },
        { name: 'eu.example', ttlSeconds: 60, negativeTtlSeconds: 0, maxAnswers: 3 },
      ],
      advertise: ['192.0.2.1', '2001:db8::1'],
      zonesFolder: join(FOLDER, 'my/zones'),
      zonesFolderStated: true,
      ttlSeconds: 3600,
      volatileTtlSeconds: 2,
      negativeTtlSeconds: 30,
      maxAnswers: 4,
      maxUdpSize: 1400,
      claimLocal: false,
      reverse: [parsePrefix('10.0.0.0/8')!, parsePrefix('2001:db8::/32')!],
      chaos: { id: 'eu-1' },
      cookies: false,
      cookieSecrets: ['0123456789abcdef0123456789abcdef', '00112233445566778899001122334455'],
      cookieSecretsFile: undefined,
      nsid: 'eu-1 é',
      rateLimit: {
        responsesPerSecond: 50,
        slip: 1,
        ipv4PrefixBits: 20,
        ipv6PrefixBits: 48,
        exempt: parseNetwork('loopback')!,
      },
      transferTo: [parsePrefix('10.0.0.53')!],
      tcp: {
        maxConnections: 9,
        maxPerSource: 3,
        idleTimeoutMs: 20_000,
        firstQueryTimeoutMs: 2000,
        writeTimeoutMs: 1000,
      },
      tls: { listen: [{ address: '127.0.0.1', port: 853 }], certFile: cert, keyFile: cert },
      proxyProtocolFrom: [parsePrefix('10.9.0.0/16')!],
      forward: {
        to: [{ endpoint: { address: '192.0.2.9', port: 53 }, tls: undefined }],
        allow: parseNetwork('loopback')!,
        timeoutMs: 1000,
        cacheSize: 7,
        staleMs: 0,
        passSpecial: [parseName('test.')],
        stripPrivate: true,
        authorities: undefined,
        authoritiesFile: undefined,
      },
      clientSubnetFrom: ['127.0.0.0/8', '::1', '192.0.2.53'].map((text) => parsePrefix(text)!),
      clientZones: [
        { zone: 'eu-west', networks: [parsePrefix('10.1.0.0/16')!, parsePrefix('2001:db8::/32')!] },
        { zone: 'Rack 7', networks: [parsePrefix('10.2.0.0/16')!] },
      ],
    });
    assert.deepEqual(config.http, {
      listen: [{ address: '127.0.0.1', port: 8080 }],
      tls: { certFile: cert, keyFile: cert, clientCaFile: cert },
      allowHosts: ['rollcall.example', '::1'],
      maxBodyBytes: 1024 ** 2,
    });
    const token = { id: 'deploy', sha256: '0a'.repeat(32), allow: ['services:write:cart-*', 'operator'] };
    assert.deepEqual(config.auth.tokens, [token]);
    assert.deepEqual(config.store, { kind: 'lmdb', path: '/var/lib/rollcall' });
    assert.deepEqual(config.health, {
      intervalMs: 1000,
      timeoutMs: 500,
      rise: 1,
      fall: 1,
      jitter: 0,
      concurrency: 9,
      perHost: 3,
      damping: { penalty: 0, halfLifeMs: 60_000, suppress: 4, reuse: 0.5, max: 4 },
      allowExec: true,
      allow: parseNetwork('private'),
      deny: parseNetwork('10.0.0.0/8'),
    });
    assert.equal(config.services[0]!.id, 'cart-10.0.0.7:80');
    assert.deepEqual(config.services[0]!.checks[0]!.intervalMs, 1000);
    assert.deepEqual(config.schedules, [
      {
        name: 'nightly',
        cron: '0 2 * * *',
        timezone: 'Europe/Berlin',
        maintenance: 'on',
        target: { service: 'cart' },
      },
      { name: 'morning', cron: '0 0 5 * * *', timezone: undefined, maintenance: 'off', target: { instance: 'cart-1' } },
    ]);
    assert.equal(config.log.level, 'debug');
  });

  it('follows anchors', () => {
    const { dns } = loadValid('dns:\n  ttl: &short 3s\n  negativeTtl: *short\n');
    assert.equal(dns.negativeTtlSeconds, 3);
  });

  it('refuses ids that are taken, and says where', () => {
    const text =
      'services:\n  - { id: a, service: a, address: 10.0.0.1, port: 1 }\n  - { id: b, service: a, address: a.b, port: 1 }\n';
    loadValid(text);
    const { config, problems } = loadConfig({ env: {}, cwd: FOLDER, isTaken: (id) => id === 'b' });
    assert.equal(config, undefined);
    const found = "rollcall.yaml:3:5: services[1]: the id 'b' is registered through the API already";
    assert.deepEqual(problems.map(formatProblem), [found]);
  });

  it('lowers the default timeout to a shorter interval', () => {
    assert.equal(loadValid('health: { interval: 1s }').health.timeoutMs, 1000);
  });
});

const NETWORK =
  'is not a network like 10.0.0.0/8 without host bits, nor one of loopback, private, link-local, multicast, unspecified';
const TIME = 'must be a time with a unit, like "5s" or "500ms"';

describe('problems in the file', () => {
  const rows: readonly (readonly [text: string, ...problems: string[]])[] = [
    // The text itself.
    ['dns: [1', '1:8: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['log:\n  level: info\nlog:\n  level: warn\n', '3:1: the key stands twice'],
    ['log:\n\tlevel: info\n', '2:1: tabs are not allowed as indentation'],
    ['--- {}\n--- {}\n', '2:1: holds a second document; only one is read'],
    ['dns:\n  ttl: *never\n', "2:8: there is no anchor 'never' before this"],
    ['dns: !secret\n  ttl: 5s\n', '1:6: Unresolved tag: !secret'],
    ['? [a, b]\n: c\n', '1:3: a key must be a plain word'],
    ['- dns\n', '1:1: must be an object'],
    [
      `services: ${'['.repeat(40)}${']'.repeat(40)}\n`,
      // The list is at depth 1, and 32 more are allowed.
      '1:43: is nested too deeply',
    ],
    ['a: &a [*a]\n', '1:7: is nested too deeply'],
    // Keys.
    ['dsn:\n  ttl: 5s\n', "1:1: dsn: unknown key; did you mean 'dns'?"],
    ['dns:\n  negativettl: 5s\n', "2:3: dns.negativettl: unknown key; did you mean 'negativeTtl'?"],
    ['dns:\n  xyzzy: 5s\n', '2:3: dns.xyzzy: unknown key'],
    ['__proto__: { dns: 1 }\n', '1:1: __proto__: unknown key'],
    [
      'services:\n  - { service: a, address: 10.0.0.1, port: 1, tag: [x] }\n',
      "2:47: services[0].tag: unknown key; did you mean 'tags'?",
    ],
    // Types and ranges, all at once.
    [
      'dns:\n  ttl: 5\n  negativeTtl: 1500ms\n  maxAnswers: 0\n  claimLocal: yes\n  workers: many\n',
      `2:8: dns.ttl: ${TIME}`,
      '3:16: dns.negativeTtl: must be whole seconds',
      '4:15: dns.maxAnswers: must be a whole number from 1 to 1000',
      '5:15: dns.claimLocal: must be true or false',
      '6:12: dns.workers: must be auto or a whole number from 0 to 256',
    ],
    ['dns: { ttl: 2d }\n', '1:13: dns.ttl: must be from 0s to 86400s'],
    ['dns: 5\n', '1:6: dns: must be an object'],
    [
      'dns:\n  cookies: 1\n  nsid: [x]\n  cookieSecrets: [short, 00112233445566778899001122334455, AA112233445566778899aabbccddeeff, aa112233445566778899aabbccddeeff]\n',
      '2:12: dns.cookies: must be true or false',
      '3:9: dns.nsid: must be a string',
      '4:19: dns.cookieSecrets[0]: must be 32 hexadecimal digits',
      '4:26: dns.cookieSecrets[1]: must be a string (put it in quotes if it looks like anything else)',
      '4:94: dns.cookieSecrets[3]: stands twice',
    ],
    [
      'dns: { nsid: ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé }\n',
      '1:14: dns.nsid: has more than 128 octets in UTF-8',
    ],
    ['dns: { maxUdpSize: 100000 }\n', '1:20: dns.maxUdpSize: must be a whole number from 512 to 4096'],
    [
      'dns:\n  listen: [localhost:53, 127.0.0.1:53, 127.0.0.1:53, 5353]\n',
      `2:12: dns.listen[0]: 'localhost:53' is not an address and a port, like 127.0.0.1:8600 or "[::1]:8600"`,
      '2:40: dns.listen[2]: 127.0.0.1:53 stands twice',
      '2:54: dns.listen[3]: must be a string (put it in quotes if it looks like anything else)',
    ],
    ['dns: { listen: [] }\n', '1:16: dns.listen: must name at least one address and port'],
    [
      'dns:\n  domains: [a.b, A.B., "a..b", "x y", {ttl: 5s}, 7, .]\n',
      "2:18: dns.domains[1]: 'a.b' stands twice",
      "2:24: dns.domains[2]: 'a..b' is not a domain name: empty label in 'a..b'",
      "2:32: dns.domains[3]: 'x y' is not a domain name: unprintable character in name 'x y'",
      '2:39: dns.domains[4].name: is missing',
      '2:50: dns.domains[5]: must be a domain name, or an object with name, ttl, negativeTtl, maxAnswers',
      '2:53: dns.domains[6]: must be the name of a domain below the root',
    ],
    ['dns: { advertise: [ns1] }\n', "1:20: dns.advertise[0]: 'ns1' is not an IP address"],
    [
      'http:\n  maxBody: 4096\n  allowHosts: ["a:80"]\n  tls: { certFile: /no/such.pem }\n',
      '2:12: http.maxBody: must be a size with a unit, like "256KiB" or "1MiB"',
      "3:16: http.allowHosts[0]: 'a:80' is not a host name (without a port)",
      '4:3: http.tls.keyFile: is missing: certFile is stated',
      "4:20: http.tls.certFile: cannot be read: ENOENT: no such file or directory, open '/no/such.pem'",
    ],
    ['http: { maxBody: 1GiB }\n', '1:18: http.maxBody: must be from 1KiB to 64MiB'],
    [
      `auth:\n  tokens:\n    - { id: a, hash: "${HASH}", allow: [operator] }\n    - { id: a, hash: "${HASH}", allow: [operator] }\n`,
      "4:13: auth.tokens[1].id: 'a' stands twice",
      '4:22: auth.tokens[1].hash: belongs to another token already',
    ],
    [
      'auth:\n  tokens:\n    - id: b\n      hash: sha256:12\n      allow: ["services:delete:x", "services:read:"]\n    - allow: []\n',
      "4:13: auth.tokens[0].hash: must be sha256: and 64 hexadecimal digits; see 'rollcall token'",
      "5:15: auth.tokens[0].allow[0]: 'services:delete:x' is not a scope: services:read:<glob>, services:write:<glob>, policies:write:<glob> or operator",
      "5:36: auth.tokens[0].allow[1]: 'services:read:' is not a scope: services:read:<glob>, services:write:<glob>, policies:write:<glob> or operator",
      '6:7: auth.tokens[1].id: is missing',
      '6:7: auth.tokens[1].hash: is missing',
      '6:14: auth.tokens[1].allow: must hold at least one scope',
    ],
    [
      'health:\n  interval: 50ms\n  timeout: 10s\n  jitter: 0.9\n  deny: [10.0.0.1/8, lan]\n',
      '2:13: health.interval: must be from 0.1s to 86400s',
      '3:12: health.timeout: must not be longer than the interval',
      '4:11: health.jitter: must be a number from 0 to 0.5',
      "5:10: health.deny[0]: '10.0.0.1/8' is not a network like 10.0.0.0/8 without host bits, nor one of loopback, private, link-local, multicast, unspecified",
      "5:22: health.deny[1]: 'lan' is not a network like 10.0.0.0/8 without host bits, nor one of loopback, private, link-local, multicast, unspecified",
    ],
    [
      'schedules:\n  - { name: n, cron: "61 * * * *", timezone: Mars/Base, action: { maintenance: maybe } }\n',
      '2:22: schedules[0].cron: is not a cron expression: minute: 61 is a invalid expression for minute',
      '2:46: schedules[0].timezone: is not a time zone like UTC or Europe/Berlin',
      '2:65: schedules[0].action: must name either a service or an instance',
      '2:80: schedules[0].action.maintenance: must be on or off',
    ],
    [
      'services:\n  - { service: a, address: 10.0.0.1, port: 1 }\n  - { service: a, address: 10.0.0.1, port: 1 }\n  - { service: addr, address: c.service.local, port: 0 }\n',
      "3:5: services[1]: the id 'a-10.0.0.1:1' stands twice",
      "4:16: services[2].service: 'addr' is a reserved service name",
      '4:54: services[2].port: must be a whole number from 1 to 65535',
    ],
    [
      'services:\n  - { service: a, address: 10.0.0.1, port: 1, checks: [{ type: exec, args: [true] }] }\n',
      '2:76: services[0].checks[0].args: must be strings, the first the absolute path of a program',
    ],
    ['log: { level: loud }\n', '1:15: log.level: must be one of trace, debug, info, warn, error, fatal, silent'],
    ['store: { kind: redis }\n', '1:16: store.kind: must be one of lmdb, memory, etcd'],
    ['store: { prefix: /x }\n', '1:18: store.prefix: belongs to the store of kind etcd only'],
    [
      'dns:\n  domains: []\n  reverse: [10.0.0.1/8, 10.0.0.0/8]\n  chaos: { version: 1, name: x }\n',
      '3:12: dns.reverse: needs a domain that the names of addresses lead to',
      `3:13: dns.reverse[0]: '10.0.0.1/8' ${NETWORK}`,
      '4:21: dns.chaos.version: must be a string',
      '4:24: dns.chaos.name: unknown key',
    ],
    [
      `dns:\n  reverse: [${Array.from({ length: 9 }, (_, i) => `10.0.${i}.128/25`).join(', ')}]\n  chaos: yes please\n`,
      '2:12: dns.reverse: comes to 1152 zones (at most 1024); a network that ends inside a label is many',
      '3:10: dns.chaos: must be true or false',
    ],
    // The contract's, not built yet.
    [
      'dns:\n  tls: { listen: ["0.0.0.0:853"] }\n  proxyProtocol: { from: [10.0.0.1/8] }\n  tcp: { maxConnections: 0, idleTimeout: 10 }\n',
      '2:3: dns.tls.certFile: is missing: TLS needs a certificate',
      "3:27: dns.proxyProtocol.from[0]: '10.0.0.1/8' is not a network like 10.0.0.0/8 without host bits, nor one of loopback, private, link-local, multicast, unspecified",
      '4:26: dns.tcp.maxConnections: must be a whole number from 1 to 100000',
      '4:42: dns.tcp.idleTimeout: must be a time with a unit, like "5s" or "500ms"',
    ],
    [
      'dns:\n  listen: ["127.0.0.1:853"]\n  tls: { listen: ["127.0.0.1:853"], certFile: /no/such.pem }\n  dnssec: {}\n',
      '3:3: dns.tls.keyFile: is missing: certFile is stated',
      '3:18: dns.tls.listen: 127.0.0.1:853 is in dns.listen already, without TLS',
      "3:47: dns.tls.certFile: cannot be read: ENOENT: no such file or directory, open '/no/such.pem'",
      '4:11: dns.dnssec: is not supported yet',
    ],
    [
      'dns:\n  clientSubnet: { from: [10.0.0.1/8], to: [] }\n  forward: { to: [9.9.9.x], timeout: 5 }\n  transfer: { to: [x], notify: [] }\n  rateLimit: { responsesPerSecond: -1, slip: x }\n',
      `2:26: dns.clientSubnet.from[0]: '10.0.0.1/8' ${NETWORK}`,
      '2:39: dns.clientSubnet.to: unknown key',
      `3:19: dns.forward.to[0]: '9.9.9.x' is not a resolver like 9.9.9.9, "[2620:fe::9]:53" or tls://1.1.1.1:853#cloudflare-dns.com`,
      `3:38: dns.forward.timeout: ${TIME}`,
      `4:20: dns.transfer.to[0]: 'x' ${NETWORK}`,
      '4:32: dns.transfer.notify: is not supported yet',
      '5:36: dns.rateLimit.responsesPerSecond: must be a whole number from 0 to 1000000',
      '5:46: dns.rateLimit.slip: must be a whole number from 0 to 100',
    ],
    [
      'dns:\n  clientZones: { eu: [10.0.0.0/8, 10.1.0.0/16, 10.0.0.0/8], us: [10.1.0.0/16], EU: [lan], "": 5 }\n',
      "2:16: dns.clientZones: has a zone '', whose name must have 1 to 128 characters",
      '2:22: dns.clientZones.eu: has a network that stands twice',
      "2:65: dns.clientZones.us: has a network that is in 'eu' too",
      "2:84: dns.clientZones.EU: is the zone 'eu' in other letters",
      `2:85: dns.clientZones.EU[0]: 'lan' ${NETWORK}`,
    ],
    ['dns: { clientZones: [eu] }\n', '1:21: dns.clientZones: must be an object'],
    [
      'gateway: { listen: ["127.0.0.1:80"], routes: [{ host: a }] }\nstore: { kind: etcd, endpoints: ["http://127.0.0.1:2379"] }\n',
      '1:20: gateway.listen: is not supported yet',
      '1:46: gateway.routes: is not supported yet',
      "2:16: store.kind: 'etcd' is not supported yet",
    ],
  ];
  for (const [text, ...expected] of rows) {
    it(JSON.stringify(text.slice(0, 70)), () => {
      const { config, problems } = load(text);
      assert.deepEqual(
        problems.map(formatProblem),
        expected.map((each) => `rollcall.yaml:${each}`),
      );
      assert.equal(config, undefined);
    });
  }

  it('end even for aliases that multiply', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(8)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    const { problems } = load(lines.join('\n'));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!.message, /unfolds to too many values/);
  });

  it('end even for a text of brackets', () => {
    const { problems } = load('['.repeat(20_000));
    assert.ok(problems.length > 0);
    assert.match(problems.map(formatProblem).join(), /nested too deeply/);
  });

  it('name the file as it was given, and one that cannot be read', () => {
    const rows = [
      ['none.yaml', 'none.yaml: cannot be read: there is no such file'],
      ['.', '.: cannot be read: it is a folder'],
      ['latin.yaml', 'latin.yaml: cannot be read: it is not UTF-8 text'],
    ] as const;
    writeFileSync(join(FOLDER, 'latin.yaml'), Buffer.from([0xe9]));
    for (const [file, expected] of rows) {
      const { config, problems } = loadConfig({ file, env: {}, cwd: FOLDER });
      assert.deepEqual(problems.map(formatProblem), [expected]);
      assert.equal(config, undefined);
    }
  });
});

describe('the environment', () => {
  it('overrides the file, key by key', () => {
    const config = loadValid('dns: { ttl: 9s, negativeTtl: 9s }\n', {
      ROLLCALL_DNS_NEGATIVETTL: '1s',
      ROLLCALL_DNS_LISTEN: '[127.0.0.1:53, "[::1]:53"]',
      ROLLCALL_HTTP_LISTEN: '127.0.0.1:0',
      ROLLCALL_STORE_KIND: 'memory',
      ROLLCALL_HEALTH_ALLOWEXEC: 'true',
      ROLLCALL_LOG: '{ level: warn }',
      ROLLCALL_AUTH_TOKENS: `[{ id: a, hash: "${HASH}", allow: ["services:read:*"] }]`,
      ROLLCALL_DNS_WORKERS: '',
      OTHER: 'x',
    });
    assert.equal(config.dns.ttlSeconds, 9);
    assert.equal(config.dns.negativeTtlSeconds, 1);
    assert.equal(config.dns.workers, 'auto');
    assert.deepEqual(
      config.dns.listen.map(({ address }) => address),
      ['127.0.0.1', '::1'],
    );
    assert.deepEqual(config.http.listen, [{ address: '127.0.0.1', port: 0 }]);
    assert.deepEqual(config.store, { kind: 'memory' });
    assert.equal(config.health.allowExec, true);
    assert.equal(config.log.level, 'warn');
    assert.equal(config.auth.tokens[0]!.id, 'a');
  });

  it('replaces a section as a whole before single keys', () => {
    const env = { ROLLCALL_DNS_TTL: '2s', ROLLCALL_DNS: '{ maxAnswers: 3 }' };
    const { dns } = loadValid('dns: { negativeTtl: 9s }', env);
    assert.deepEqual([dns.maxAnswers, dns.ttlSeconds, dns.negativeTtlSeconds], [3, 2, 5]);
  });

  it('has its problems located, beside those of the file', () => {
    const { problems } = load('dns: { ttl: 5 }\n', {
      ROLLCALL_DNS_NEGATIVETTL: '5',
      ROLLCALL_DNS_LISTEN: '[x, y',
      ROLLCALL_DNS_DOMAINS: '[a.b, {nam: c}]',
      ROLLCALL_DNS_LISTENS: '[]',
      ROLLCALL_PORT: 'tcp://10.0.0.1:8500',
      ROLLCALL_HTTP: 'http://127.0.0.1:8500',
      ROLLCALL_TOKEN: 'secret',
    });
    assert.deepEqual(problems.map(formatProblem), [
      'environment ROLLCALL_DNS_LISTEN: Flow sequence must end with a ]',
      'environment ROLLCALL_DNS_LISTENS: warning: is not the name of any key; did you mean ROLLCALL_DNS_LISTEN?',
      'environment ROLLCALL_PORT: warning: is not the name of any key',
      'environment ROLLCALL_DNS_DOMAINS: dns.domains[1].name: is missing',
      "environment ROLLCALL_DNS_DOMAINS: dns.domains[1].nam: unknown key; did you mean 'name'?",
      `environment ROLLCALL_DNS_NEGATIVETTL: dns.negativeTtl: ${TIME}`,
      `rollcall.yaml:1:13: dns.ttl: ${TIME}`,
    ]);
  });
});

describe('relative paths', () => {
  it("start from the file's folder, from cwd in the environment and in defaults", () => {
    const sub = join(FOLDER, 'etc');
    mkdirSync(sub, { recursive: true });
    writeFileSync(join(sub, 'r.yaml'), 'dns: { zones: z }\n');
    const env = { ROLLCALL_STORE_PATH: 'd' };
    const { config, files } = loadConfig({ file: 'etc/r.yaml', env, cwd: FOLDER });
    assert.equal(config!.dns.zonesFolder, join(sub, 'z'));
    assert.deepEqual(config!.store, { kind: 'lmdb', path: join(FOLDER, 'd') });
    assert.equal(config!.file, join(sub, 'r.yaml'));
    assert.deepEqual(files, [join(sub, 'r.yaml')]);
    const defaults = loadConfig({ file: 'etc/r.yaml', env: { ROLLCALL_DNS: '{}' }, cwd: FOLDER });
    assert.equal(defaults.config!.dns.zonesFolder, join(FOLDER, 'zones'));
    assert.deepEqual(defaults.config!.store, { kind: 'lmdb', path: join(FOLDER, 'data') });
  });
});

describe('a server that others can reach', () => {
  const open = 'http:\n  listen: ["127.0.0.1:1", "0.0.0.0:8500"]\n';

  it('is warned about without tokens, and may run', () => {
    const { config, problems } = load(open);
    assert.deepEqual(problems.map(formatProblem), [
      'rollcall.yaml:2:11: warning: http.listen: without auth.tokens only callers on this machine are let in, also at 0.0.0.0:8500',
    ]);
    assert.notEqual(config, undefined);
  });

  it('is fine with tokens', () => {
    loadValid(`${open}auth: { tokens: [{ id: a, hash: "${HASH}", allow: [operator] }] }\n`);
  });
});
