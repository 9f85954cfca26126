// validate-check.test.ts -- health checks: what is taken, in which form, and what is said of the rest

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Findings, InputObject } from '../../src/registry/input.ts';
import { type CheckDefaults, readCheck } from '../../src/registry/validate-check.ts';

const DEFAULTS: CheckDefaults = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: true };
const OWNER = { address: '10.0.0.1', port: 8080 };
const TIMING = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3 };

/** The check, or `path: message` of what was found. */
function read(fields: object, owner = OWNER, defaults = DEFAULTS): unknown {
  const findings = new Findings();
  const check = readCheck(InputObject.of(fields, '', findings)!, owner, defaults);
  const found = [...findings.invalid, ...findings.unsupported].map(({ path, message }) => `${path}: ${message}`);
  assert.equal(check === undefined, found.length > 0, 'a check or findings');
  return check ?? found;
}

function table(title: string, rows: readonly [fields: object, expected: unknown][]): void {
  describe(title, () => {
    for (const [fields, expected] of rows) {
      it(JSON.stringify(fields).slice(0, 70), () => assert.deepEqual(read(fields), expected));
    }
  });
}

const http = (more: object) => ({ id: 'http', type: 'http', ...TIMING, ...more });
const tcp = (more: object) => ({ id: 'tcp', type: 'tcp', host: '10.0.0.1', port: 8080, ...TIMING, ...more });

table('a check is taken with what it leaves out', [
  [{ type: 'http' }, http({ url: 'http://10.0.0.1:8080/' })],
  [{ type: 'http', url: '/health?x=1' }, http({ url: 'http://10.0.0.1:8080/health?x=1' })],
  [{ type: 'http', url: '//else.example/' }, http({ url: 'http://10.0.0.1:8080//else.example/' })],
  [{ type: 'http', url: 'https://a.example/b' }, http({ url: 'https://a.example/b' })],
  [{ type: 'tcp' }, tcp({})],
  [{ type: 'tcp', host: 'db.example', port: 1 }, tcp({ host: 'db.example', port: 1 })],
  [{ type: 'tcp', tls: { skipVerify: true } }, tcp({ tls: { skipVerify: true } })],
  [{ type: 'heartbeat' }, { id: 'heartbeat', type: 'heartbeat', ...TIMING }],
  [
    { type: 'exec', args: ['/bin/true'] },
    { id: 'exec', type: 'exec', args: ['/bin/true'], ...TIMING },
  ],
  [
    {
      type: 'tcp',
      id: 'x',
      interval: '100ms',
      timeout: '10ms',
      rise: 1,
      fall: 100,
      initial: 'warning',
      deregisterAfter: '1s',
    },
    {
      ...tcp({}),
      id: 'x',
      intervalMs: 100,
      timeoutMs: 10,
      rise: 1,
      fall: 100,
      initial: 'warning',
      deregisterAfterMs: 1000,
    },
  ],
  [
    {
      type: 'http',
      method: 'POST',
      headers: { 'X-Token': 'ä b' },
      body: 'a\nb',
      expect: { status: [200, '300-399'], body: '^ok{1,3}' },
      tls: { serverName: 'a.example', caFile: '/ca.pem' },
    },
    http({
      url: 'http://10.0.0.1:8080/',
      method: 'POST',
      headers: { 'X-Token': 'ä b' },
      body: 'a\nb',
      expect: { status: [200, '300-399'], body: '^ok{1,3}' },
      tls: { serverName: 'a.example', caFile: '/ca.pem' },
    }),
  ],
]);

it('a short interval bounds the default timeout', () => {
  assert.deepEqual(read({ type: 'tcp', interval: '500ms' }), tcp({ intervalMs: 500, timeoutMs: 500 }));
});

it('a check of an IPv6 instance has its address in brackets', () => {
  const owner = { address: '2001:db8::1', port: 80 };
  assert.deepEqual(read({ type: 'http' }, owner), http({ url: 'http://[2001:db8::1]:80/' }));
  assert.deepEqual(read({ type: 'tcp' }, owner), tcp({ host: '2001:db8::1', port: 80 }));
});

it('exec checks are refused where they are off', () => {
  const refused = ["type: exec checks are off; 'health.allowExec' turns them on"];
  assert.deepEqual(read({ type: 'exec', args: ['/bin/true'] }, OWNER, { ...DEFAULTS, allowExec: false }), refused);
});

const TYPES = 'type: must be one of http, tcp, exec, heartbeat, grpc, dns';
const ARGS = 'args: must be strings, the first the absolute path of a program';
const CODES = 'expect.status: must hold codes from 100 to 599 like 200, or ranges like "200-299"';
table('a check is refused', [
  [{}, ['type: is missing']],
  [{ type: 'ping' }, [TYPES]],
  [{ type: 'constructor' }, [TYPES]],
  [{ type: 'grpc' }, ["type: 'grpc' is not supported yet"]],
  [{ type: 'dns' }, ["type: 'dns' is not supported yet"]],
  [{ type: 'tcp', id: 'a b' }, ['id: an id is 1 to 128 of A-Z a-z 0-9 . _ : @ -']],
  [{ type: 'tcp', interval: '99ms' }, ['interval: must be from 0.1s to 86400s']],
  [{ type: 'tcp', timeout: '9ms' }, ['timeout: must be from 0.01s to 3600s']],
  [{ type: 'tcp', rise: 0 }, ['rise: must be a whole number from 1 to 100']],
  [{ type: 'tcp', fall: 101 }, ['fall: must be a whole number from 1 to 100']],
  [{ type: 'tcp', initial: 'healthy' }, ['initial: must be one of passing, warning, critical']],
  [{ type: 'tcp', deregisterAfter: '999ms' }, ['deregisterAfter: must be from 1s to 31536000s']],
  [{ type: 'tcp', schedule: '* * * * *' }, ['schedule: is not supported yet']],
  [{ type: 'http', load: { header: 'x' } }, ['load: is not supported yet']],
  [{ type: 'tcp', url: '/' }, ['url: does not belong to a check of type tcp']],
  [{ type: 'heartbeat', port: 1 }, ['port: does not belong to a check of type heartbeat']],
  [{ type: 'http', args: [] }, ['args: does not belong to a check of type http']],
  [{ type: 'tcp', Host: 'a' }, ['Host: unknown field']],
  [{ type: 'tcp', host: 'a b' }, ['host: must be an IP address or a host name']],
  [{ type: 'tcp', host: '0x7f' }, ['host: must be an IP address or a host name']],
  [{ type: 'tcp', port: 65536 }, ['port: must be a whole number from 1 to 65535']],
  [{ type: 'tcp', tls: { verify: false } }, ['tls.verify: unknown field']],
  [{ type: 'tcp', tls: true }, ['tls: must be an object']],
  [{ type: 'http', url: 'ftp://a/' }, ['url: must begin with http:// or https://']],
  [{ type: 'http', url: 'file:///etc/passwd' }, ['url: must begin with http:// or https://']],
  [{ type: 'http', url: 'health' }, ['url: is not a URL']],
  [{ type: 'http', url: 'http://a b/' }, ['url: is not a URL']],
  [{ type: 'http', url: 'http://u:p@a/' }, ['url: must not contain credentials; use headers']],
  [{ type: 'http', url: '/\r\nHost: b' }, ['url: must not contain control characters']],
  [{ type: 'http', url: `/${'a'.repeat(2048)}` }, ['url: must have 1 to 2048 characters']],
  [{ type: 'http', method: 'DELETE' }, ['method: must be one of GET, HEAD, POST']],
  [{ type: 'http', headers: { 'a b': 'c' } }, ["headers: 'a b' is not a header name"]],
  [{ type: 'http', headers: { a: '€' } }, ["headers: 'a' holds what no header can"]],
  [
    { type: 'http', headers: { a: 'b\r\nc: d' } },
    ['headers.a: must be a string of at most 4096 characters without control characters'],
  ],
  [{ type: 'http', body: 7 }, ['body: must be a string of at most 4096 characters']],
  [{ type: 'http', body: 'x'.repeat(4097) }, ['body: must be a string of at most 4096 characters']],
  [{ type: 'http', expect: { status: [99] } }, [CODES]],
  [{ type: 'http', expect: { status: ['299-200'] } }, [CODES]],
  [{ type: 'http', expect: { status: ['2xx'] } }, [CODES]],
  [{ type: 'http', expect: { status: 200 } }, ['expect.status: must be an array']],
  [{ type: 'http', expect: { json: { a: 1 } } }, ['expect.json: is not supported yet']],
  [{ type: 'http', expect: { Body: 'a' } }, ['expect.Body: unknown field']],
  [{ type: 'http', expect: { body: '(' } }, ['expect.body: is not a regular expression in RE2 syntax']],
  [{ type: 'http', expect: { body: '(a)\\1' } }, ['expect.body: is not a regular expression in RE2 syntax']],
  [{ type: 'http', expect: { body: 'x{600}y{401}' } }, ['expect.body: repeats more than 1000 times in all']],
  [{ type: 'exec' }, ['args: must name a program and its arguments']],
  [{ type: 'exec', args: [] }, ['args: must name a program and its arguments']],
  [{ type: 'exec', args: ['true'] }, [ARGS]],
  [{ type: 'exec', args: ['/bin/true', 7] }, [ARGS]],
  [{ type: 'exec', args: [7] }, [ARGS]],
  [{ type: 'exec', args: ['/bin/true', 'a\0b'] }, [ARGS]],
]);
