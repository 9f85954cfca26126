// load-config.test.ts -- defaults as promised, and every fault of file and environment found and located at once

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { parseNetwork, parsePrefix } from '../../src/base/ip.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { parseName } from '../../src/dns/name.ts';
import { STREAM_LIMITS } from '../../src/net/connection-table.ts';
import { makeCertificate } from '../support/certificate.ts';
import { FOLDER, load, loadValid, TIME } from '../support/config-text.ts';

const HASH = `sha256:${'0a'.repeat(32)}`;

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
      zonesStatedAt: undefined,
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
      replicas: 2,
      quorum: 'majority',
      allowExec: false,
      allow: [],
      deny: ['link-local', 'multicast', 'unspecified'].flatMap((name) => parseNetwork(name)!),
    },
    gateway: {
      listen: [],
      tls: undefined,
      settings: {
        routes: [],
        trust: [],
        maxRequests: 10_000,
        serverTiming: 'asked',
        accessLog: {
          sample: 1,
          redact: [
            ...['access_token', 'api_key', 'code', 'id_token', 'key', 'password', 'refresh_token', 'secret', 'sig'],
            'token',
          ],
        },
      },
      authorityFiles: [],
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
gateway: { listen: [], tls: { certFile: "", keyFile: "" }, trust: [], maxRequests: 10000, serverTiming: asked, accessLog: { sample: 1 }, routes: [] }
services: []
schedules: []
log: { level: info }
`;

  it('is that of an empty one', () => {
    const { dns, ...rest } = loadValid(text);
    const empty = loadValid('');
    assert.deepEqual({ ...rest, dns: { ...dns, zonesStatedAt: undefined } }, empty);
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
health: { interval: 1s, timeout: 500ms, rise: 1, fall: 1, jitter: 0, concurrency: 9, perHost: 3, damping: { penalty: 0, halfLife: 1m, suppress: 4, reuse: 0.5, max: 4 }, replicas: all, quorum: 3, allowExec: true, allow: [private], deny: [10.0.0.0/8] }
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
      zonesStatedAt: { file: 'rollcall.yaml', line: 7, column: 10 },
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
      replicas: 'all',
      quorum: 3,
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
