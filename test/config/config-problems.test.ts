// config-problems.test.ts -- what is wrong with a configuration is told with its place, all at once

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatProblem } from '../../src/base/errors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { FOLDER, load, NETWORK, TIME } from '../support/config-text.ts';

const HASH = `sha256:${'0a'.repeat(32)}`;

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
    [
      'dns: { listen: ["localhost:53"] }\n',
      `1:17: dns.listen[0]: 'localhost:53' is not an address and a port, like 127.0.0.1:8600 or "[::1]:8600"`,
    ],
    ['dns: { listen: [] }\n', '1:16: dns.listen: must name at least one address and port'],
    [
      'http: { listen: "localhost:80" }\n',
      `1:17: http.listen: 'localhost:80' is not an address and a port, like 127.0.0.1:8600 or "[::1]:8600"`,
    ],
    ['http: { listen: [] }\n', '1:17: http.listen: must name at least one address and port'],
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
      'health:\n  replicas: 0\n  quorum: most\n',
      '2:13: health.replicas: must be a whole number from 1 to 100',
      '3:11: health.quorum: must be majority or a whole number from 1 to 100',
    ],
    ['health: { replicas: 1.5 }\n', '1:21: health.replicas: must be a whole number from 1 to 100'],
    ['health: { replicas: "2" }\n', '1:21: health.replicas: must be all or a whole number from 1 to 100'],
    ['health: { quorum: 3 }\n', '1:19: health.quorum: must not be more than replicas, which is 2'],
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
    ['store: { kind: etcd }\n', '1:1: store.endpoints: is missing: where etcd is, like http://10.0.0.1:2379'],
    [
      'store: { kind: etcd, endpoints: ["http://a:1", "https://b:2", "c:3"], prefix: x/, tls: { certFile: c }, password: p, staleAfter: 1m, node: "a b" }\n',
      '1:48: store.endpoints[1]: must be of the same scheme as the one before, all http or all https',
      "1:63: store.endpoints[2]: 'c:3' is not a URL of a host and a port, like https://10.0.0.1:2379",
      '1:79: store.prefix: must be one to four parts of letters, digits, ".", "_" and "-", each after a slash, like /rollcall',
      '1:88: store.tls: is for endpoints that begin with https:',
      '1:100: store.tls.certFile: needs a keyFile',
      '1:115: store.password: needs a username',
      '1:140: store.node: must be 1 to 64 letters, digits, ".", "_" and "-", beginning and ending with a letter or digit',
    ],
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
