// validate-instance.test.ts -- registrations: what is taken, in which form, and what is said of the rest

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type InstanceRules, readInstance, readSingleCheck } from '../../src/registry/validate-instance.ts';
import { anInstance, refusal } from '../support/registrations.ts';

const RULES: InstanceRules = {
  checkDefaults: { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: false },
  domains: ['service.local', 'corp.example'],
};

const LEAST = { service: 'web', address: '10.0.0.1', port: 80 };

function read(fields: object, known = {}) {
  return readInstance({ ...LEAST, ...fields }, known, RULES);
}

/** `path: message` of everything found. */
function problems(fields: unknown, known = {}): string[] {
  const { code, details } = refusal(() => readInstance(fields, known, RULES));
  assert.equal(code, 'invalid');
  return details.map(({ path, message }) => `${path}: ${message}`);
}

describe('a registration', () => {
  it('needs service, address and port; the rest has defaults', () => {
    assert.deepEqual(readInstance(LEAST, {}, RULES), anInstance({ id: 'web-10.0.0.1:80' }));
    assert.deepEqual(problems({}), ['service: is missing', 'address: is missing', 'port: is missing']);
  });
  it('is taken whole', () => {
    const fields = {
      id: 'W1',
      service: 'Web',
      address: '2001:DB8:0:0:0::7',
      port: 65535,
      ports: { Admin: 8080, dns: { port: 53, proto: 'udp' }, metrics: { port: 9090 } },
      tags: ['Prod', 'v2', 'PROD'],
      meta: { Owner: 'team a', empty: '' },
      weight: 0,
      zone: 'eu-1',
      ttl: '0s',
      leaseTtl: '1m30s',
      warmup: '500ms',
      checks: [],
    };
    assert.deepEqual(readInstance(fields, {}, RULES), {
      id: 'W1',
      service: 'web',
      address: '2001:db8::7',
      port: 65535,
      ports: {
        admin: { port: 8080, proto: 'tcp' },
        dns: { port: 53, proto: 'udp' },
        metrics: { port: 9090, proto: 'tcp' },
      },
      tags: ['prod', 'v2'],
      meta: { Owner: 'team a', empty: '' },
      weight: 0,
      zone: 'eu-1',
      ttlSeconds: 0,
      leaseTtlMs: 90_000,
      warmupMs: 500,
      checks: [],
    });
  });
  it('counts null as not stated', () => {
    const none = { ports: null, tags: null, meta: null, weight: null, ttl: null, checks: null, id: null };
    assert.deepEqual(read(none), read({}));
  });
  it('takes service and id from the path, and refuses others in the body', () => {
    const known = { service: 'Web', id: 'w-1' };
    assert.equal(readInstance({ address: '10.0.0.1', port: 80 }, known, RULES).id, 'w-1');
    assert.equal(read({ service: 'WEB', id: 'w-1' }, known).service, 'web');
    const others = { ...LEAST, service: 'mail', id: 'W-1' };
    assert.deepEqual(problems(others, known), [
      "service: is not the 'Web' of the path",
      "id: is not the 'w-1' of the path",
    ]);
    assert.match(problems(LEAST, { service: 'addr' })[0]!, /^service: 'addr' is a reserved/);
    assert.match(problems(LEAST, { id: 'a/b' })[0]!, /^id: an id is 1 to 128/);
  });
  it('is one object', () => {
    for (const value of [null, [], 'web', 7]) assert.deepEqual(problems(value), [': must be an object']);
  });
  it('says everything that is wrong at once', () => {
    const fields = { service: '-', address: '1.2.3.4.5', port: 0, weight: -1, tags: 'a', colour: 1 };
    assert.deepEqual(
      problems(fields).map((each) => each.split(':')[0]),
      ['service', 'address', 'port', 'tags', 'weight', 'colour'],
    );
  });
  it('refuses fields that reach into objects', () => {
    assert.deepEqual(problems(JSON.parse('{"service":"web","address":"10.0.0.1","port":80,"__proto__":{"id":"x"}}')), [
      '__proto__: unknown field',
    ]);
    assert.equal(Object.getPrototypeOf(read({})), Object.prototype);
  });
});

describe('the default id', () => {
  it('is service, address and port, in canonical form', () => {
    assert.equal(read({ service: 'WEB', address: '2001:db8:0::1' }).id, 'web-2001:db8::1:80');
    assert.equal(read({ address: 'Host.Example.' }).id, 'web-host.example:80');
  });
  it('must be stated when it would be too long', () => {
    const address = `${'a'.repeat(60)}.`.repeat(3).slice(0, -1);
    assert.deepEqual(problems({ ...LEAST, address }), ['id: must be stated: the address is too long for a default id']);
    assert.equal(read({ address, id: 'x' }).address, address);
  });
});

describe('an address', () => {
  const good: readonly [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['2001:0DB8::0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['::FFFF:0a00:0007', '10.0.0.7'],
    ['::1', '::1'],
    ['Cart.Example.COM.', 'cart.example.com'],
    ['other.service.local', 'other.service.local'],
    ['webx.service.local', 'webx.service.local'],
    ['web.service.local.example', 'web.service.local.example'],
  ];
  for (const [text, canonical] of good)
    it(`${text} is ${canonical}`, () => assert.equal(read({ address: text }).address, canonical));

  const neither = 'address: must be an IP address or a host name';
  const own = 'address: must not be a name in or below the service itself';
  const bad: readonly [unknown, string][] = [
    ['fe80::1%eth0', neither],
    ['010.0.0.1', neither],
    ['10.0.0', neither],
    ['0x7f000001', neither],
    ['2130706433', neither],
    ['::ffff:10.0.0.256', neither],
    ['1:2:3', neither],
    ['[::1]', neither],
    ['10.0.0.1:80', neither],
    ['a b', neither],
    ['..', neither],
    ['ü.example', neither],
    ['0.0.0.0', "address: '0.0.0.0' is not an address one can connect to"],
    ['::', "address: '::' is not an address one can connect to"],
    ['::ffff:0.0.0.0', "address: '0.0.0.0' is not an address one can connect to"],
    ['web.service.local', own],
    ['WEB.Service.Local.', own],
    ['v1.web.service.local', own],
    ['web.corp.example', own],
    ['a\r\nb', 'address: must not contain control characters'],
    ['', 'address: must have 1 to 253 characters'],
    [`${'a.'.repeat(127)}a`, 'address: must have 1 to 253 characters'],
    [7, 'address: must be a string'],
  ];
  for (const [address, message] of bad) {
    it(`${JSON.stringify(address)?.slice(0, 40)} is refused`, () =>
      assert.deepEqual(problems({ ...LEAST, address }), [message]));
  }
});

describe('the other fields', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
  const ports = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1]));
  const whole = (from: number, to: number) => `must be a whole number from ${from} to ${to}`;
  const label = 'a tag is 1 to 63 letters, digits, - or _, with a letter or digit at both ends';
  const name = 'a port name is 1 to 15 letters, digits and single hyphens inside, with at least one letter';
  const rows: readonly [fields: object, expected: string][] = [
    [{ port: '80' }, `port: ${whole(1, 65535)}`],
    [{ port: 65536 }, `port: ${whole(1, 65535)}`],
    [{ weight: 65536 }, `weight: ${whole(0, 65535)}`],
    [{ weight: 0.5 }, `weight: ${whole(0, 65535)}`],
    [{ tags: ['ok', 'not ok'] }, `tags[1]: ${label}`],
    [{ tags: [7] }, 'tags[0]: must be a string'],
    [{ tags: ['tcp'] }, "tags[0]: 'tcp' is a reserved tag"],
    [{ tags: Array.from({ length: 65 }, (_, i) => `t${i}`) }, 'tags: has 65 elements (at most 64)'],
    [{ meta: many(65) }, 'meta: has 65 keys (at most 64)'],
    [{ meta: { 'a=b': 'x' } }, "meta: the key 'a=b' holds '=', which ends a key in TXT records"],
    [{ address: '224.0.0.1' }, "address: '224.0.0.1' is not an address one can connect to"],
    [{ address: '255.255.255.255' }, "address: '255.255.255.255' is not an address one can connect to"],
    [{ address: 'ff02::1' }, "address: 'ff02::1' is not an address one can connect to"],
    [
      { meta: { a: 'x'.repeat(1024), b: 'x'.repeat(1024), c: 'x'.repeat(1024), d: 'x'.repeat(1024) } },
      'meta: has 4108 octets in all (at most 4096)',
    ],
    [
      { meta: { a: 'x'.repeat(1025) } },
      'meta.a: must be a string of at most 1024 characters without control characters',
    ],
    [{ ports: ports(33) }, 'ports: has 33 ports (at most 32)'],
    [{ ports: { a_b: 1 } }, `ports.a_b: ${name}`],
    [{ ports: { '\n': 1 } }, `ports.?: ${name}`],
    [{ ports: { http: 0 } }, `ports.http: ${whole(1, 65535)}`],
    [{ ports: { http: {} } }, 'ports.http.port: is missing'],
    [{ ports: { http: { port: 1, proto: 'sctp' } } }, 'ports.http.proto: must be one of tcp, udp'],
    [{ ports: { http: { port: 1, x: 1 } } }, 'ports.http.x: unknown field'],
    [{ ports: { http: [1] } }, 'ports.http: must be an object'],
    [{ ports: { http: 1, HTTP: 2 } }, 'ports.HTTP: stands twice in different case'],
    [{ ports: [80] }, 'ports: must be an object'],
    [{ zone: 'z'.repeat(129) }, 'zone: must have 1 to 128 characters'],
    [{ ttl: 5 }, 'ttl: must be a time with a unit, like "5s" or "500ms"'],
    [{ ttl: '1.5s' }, 'ttl: must be whole seconds'],
    [{ ttl: '1d1s' }, 'ttl: must be from 0s to 86400s'],
    [{ leaseTtl: '999ms' }, 'leaseTtl: must be from 1s to 31536000s'],
    [{ leaseTtl: '366d' }, 'leaseTtl: must be from 1s to 31536000s'],
    [{ warmup: '25h' }, 'warmup: must be from 0s to 86400s'],
    [{ checks: {} }, 'checks: must be an array'],
    [{ checks: [null] }, 'checks[0]: must be an object'],
    [{ checks: Array(33).fill({ type: 'heartbeat' }) }, 'checks: has 33 elements (at most 32)'],
    [{ Port: 80 }, 'Port: unknown field'],
  ];
  for (const [fields, expected] of rows) {
    it(`${JSON.stringify(fields).slice(0, 50)} is refused`, () =>
      assert.deepEqual(problems({ ...LEAST, ...fields }), [expected]));
  }
  it('may be as big as they are allowed to be', () => {
    const tags = Array.from({ length: 64 }, (_, i) => `t${i}`);
    const instance = read({ tags, meta: many(64), ports: ports(32), ttl: '1d', leaseTtl: '365d', warmup: '1d' });
    assert.equal(instance.tags.length + Object.keys(instance.meta).length + Object.keys(instance.ports).length, 160);
    assert.deepEqual(
      [instance.ttlSeconds, instance.leaseTtlMs, instance.warmupMs],
      [86_400, 31_536_000_000, 86_400_000],
    );
  });
});

describe('the ids of the checks', () => {
  const ids = (checks: object[]) => read({ checks }).checks.map(({ id }) => id);
  it('are their types, numbered from the second on', () => {
    const http = { type: 'http' };
    assert.deepEqual(ids([http, { type: 'tcp' }, http, http]), ['http', 'tcp', 'http-2', 'http-3']);
  });
  it('that are stated come first, wherever they stand', () => {
    assert.deepEqual(
      ids([{ type: 'http' }, { type: 'tcp', id: 'http-2' }, { type: 'http' }, { type: 'tcp', id: 'http' }]),
      ['http-3', 'http-2', 'http-4', 'http'],
    );
  });
  it('may not be stated twice', () => {
    const checks = [
      { type: 'http', id: 'a' },
      { type: 'tcp', id: 'b' },
      { type: 'tcp', id: 'a' },
    ];
    assert.deepEqual(problems({ ...LEAST, checks }), ["checks[2].id: 'a' stands twice"]);
  });
  it('come from the path for a check on its own', () => {
    const check = (id: string, stated?: string) =>
      readSingleCheck({ type: 'tcp', ...(stated ? { id: stated } : {}) }, id, anInstance(), RULES.checkDefaults);
    assert.equal(check('alive').id, 'alive');
    assert.equal(check('alive', 'alive').id, 'alive');
    assert.deepEqual(refusal(() => check('alive', 'other')).details, [
      { path: 'id', message: "is not the 'alive' of the path" },
    ]);
    assert.equal(refusal(() => check('a b')).details[0]!.path, 'id');
    assert.equal(refusal(() => readSingleCheck([], 'a', anInstance(), RULES.checkDefaults)).code, 'invalid');
  });
});
