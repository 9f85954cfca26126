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
      it(JSON.stringify(fields).slice(0, 70), () => {
        if (expected instanceof RegExp) assert.match(String(read(fields)), expected);
        else assert.deepEqual(read(fields), expected);
      });
    }
  });
}

const http = (more: object) => ({ id: 'http', type: 'http', ...TIMING, ...more });
const own = (more: object) => http({ url: 'http://10.0.0.1:8080/', ...more });
const grpc = (more: object) => ({ id: 'grpc', type: 'grpc', ...TIMING, ...more });
const dns = (more: object) => ({ id: 'dns', type: 'dns', ...TIMING, ...more });
const tcp = (more: object) => ({ id: 'tcp', type: 'tcp', host: '10.0.0.1', port: 8080, ...TIMING, ...more });

table('a check is taken with what it leaves out', [
  [{ type: 'http' }, http({ url: 'http://10.0.0.1:8080/' })],
  [{ type: 'http', url: '/health?x=1' }, http({ url: 'http://10.0.0.1:8080/health?x=1' })],
  [{ type: 'http', url: '//else.example/' }, http({ url: 'http://10.0.0.1:8080//else.example/' })],
  [{ type: 'http', url: 'https://a.example/b' }, http({ url: 'https://a.example/b' })],
  [{ type: 'http', url: '/a', tls: {} }, http({ url: 'https://10.0.0.1:8080/a', tls: {} })],
  [{ type: 'http', headers: { host: 'a.example:8080' } }, own({ headers: { host: 'a.example:8080' } })],
  [{ type: 'http', headers: { Host: '[::1]:80' } }, own({ headers: { Host: '[::1]:80' } })],
  [{ type: 'http', load: { header: 'X-Load' } }, own({ load: { header: 'x-load' } })],
  [{ type: 'http', load: { json: 'a[0].b' } }, own({ load: { json: 'a[0].b' } })],
  [
    { type: 'http', expect: { json: { 'a.b': null, '["x.y"]': [1, { z: 'é' }], $: true } } },
    own({ expect: { json: { 'a.b': null, '["x.y"]': [1, { z: 'é' }], $: true } } }),
  ],
  [{ type: 'tcp', schedule: '*/5 * * * *' }, tcp({ schedule: '*/5 * * * *' })],
  [
    { type: 'tcp', schedule: '@daily', timezone: 'Europe/Berlin' },
    tcp({ schedule: '@daily', timezone: 'Europe/Berlin' }),
  ],
  [{ type: 'grpc' }, grpc({ url: 'grpc://10.0.0.1:8080' })],
  [{ type: 'grpc', port: 1, host: 'a.example' }, grpc({ url: 'grpc://a.example:1' })],
  [{ type: 'grpc', url: '/cart.v1.Cart', tls: {} }, grpc({ url: 'grpcs://10.0.0.1:8080/cart.v1.Cart', tls: {} })],
  [{ type: 'grpc', url: 'grpcs://a.example:1' }, grpc({ url: 'grpcs://a.example:1' })],
  [{ type: 'grpc', url: 'grpc://[::1]:1/a' }, grpc({ url: 'grpc://[::1]:1/a' })],
  [{ type: 'dns', url: '/a.example' }, dns({ url: 'dns://10.0.0.1:8080/a.example' })],
  [{ type: 'dns', url: 'dns://[::1]/a.example.?type=srv' }, dns({ url: 'dns://[::1]/a.example.?type=srv' })],
  [{ type: 'dns', url: 'dns://a.example/_a._tcp.b' }, dns({ url: 'dns://a.example/_a._tcp.b' })],
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
      url: 'https://10.0.0.1:8080/',
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

it('a timeout that is stated may be as long as the interval, and longer beside a schedule', () => {
  const stated = { type: 'tcp', timeout: '7s' };
  assert.deepEqual(read({ ...stated, interval: '7s' }), tcp({ intervalMs: 7000, timeoutMs: 7000 }));
  assert.deepEqual(read({ ...stated, schedule: '@daily' }), tcp({ schedule: '@daily', timeoutMs: 7000 }));
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

const BODY = "body: goes with the method 'POST' only";
const NO_CODES = 'expect.status: must hold at least one code or range; leave it out for 200 to 299';
const TYPES = 'type: must be one of http, tcp, grpc, exec, dns, heartbeat';
const DNS_TYPE = 'url: must end in ?type= and one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, CAA';
const DNS_FORM = 'url: must be like dns://host:port/name?type=A';
const DNS_NAME = 'url: asks for no name: letters, digits, - and _, joined by dots';
const GRPC_FORM = 'url: must be like grpc://host:port or grpcs://host:port/service';
const HOST_IN_URL = 'url: must name an IP address or a host name';
const PATH = 'expect.json: has a path that is not like a.b[0].c or a["odd.key"]';
const VALUE = 'expect.json: has a value that is not JSON of at most 1024 characters';
const LOAD = "load: must have either 'header' or 'json'";
const ARGS = 'args: must be strings, the first the absolute path of a program';
const CODES = 'expect.status: must hold codes from 100 to 599 like 200, or ranges like "200-299"';
table('a check is refused', [
  [{}, ['type: is missing']],
  [{ type: 'ping' }, [TYPES]],
  [{ type: 'constructor' }, [TYPES]],
  [{ type: 'grpc', url: 'http://a:1' }, [GRPC_FORM]],
  [{ type: 'grpc', url: 'grpc://a:1?x' }, [GRPC_FORM]],
  [{ type: 'grpc', url: 'grpc://a' }, ['url: names no port']],
  [{ type: 'grpc', url: 'grpc://a:65536' }, ['url: names a port beyond 65535']],
  [{ type: 'grpc', url: 'grpc://u:p@a:1' }, ['url: must not contain credentials']],
  [{ type: 'grpc', url: 'grpc://a:1/b/c' }, ['url: names no service like cart.v1.Cart']],
  [{ type: 'grpc', url: 'grpc://2852039166:1' }, [HOST_IN_URL]],
  [{ type: 'grpc', url: 'grpc://[fe80::1%25lo]:1' }, ['url: names no host']],
  [{ type: 'grpc', url: 'grpc://a:1', port: 2 }, ["port: cannot stand beside 'url'"]],
  [{ type: 'grpc', url: 'grpc://a:1', tls: {} }, ['tls: needs a grpcs:// url']],
  [{ type: 'grpc', expect: {} }, ['expect: does not belong to a check of type grpc']],
  [{ type: 'dns' }, ['url: is missing']],
  [{ type: 'dns', url: 'dns:a.example' }, [DNS_FORM]],
  [{ type: 'dns', url: 'dns://a@b/c' }, ['url: must not contain credentials']],
  [{ type: 'dns', url: 'dns://a:0/c' }, ['url: names no host']],
  [{ type: 'dns', url: 'dns://0x7f/c' }, [HOST_IN_URL]],
  [{ type: 'dns', url: '/' }, [DNS_NAME]],
  [{ type: 'dns', url: '/a..b' }, [DNS_NAME]],
  [{ type: 'dns', url: `/${'a'.repeat(64)}` }, [DNS_NAME]],
  [{ type: 'dns', url: '/a?type=ANY' }, [DNS_TYPE]],
  [{ type: 'dns', url: '/a?class=CH' }, [DNS_TYPE]],
  [{ type: 'dns', url: '/a', port: 53 }, ['port: does not belong to a check of type dns']],
  [{ type: 'tcp', id: 'a b' }, ['id: an id is 1 to 128 of A-Z a-z 0-9 . _ : @ -']],
  [{ type: 'tcp', interval: '99ms' }, ['interval: must be from 0.1s to 86400s']],
  [{ type: 'tcp', timeout: '9ms' }, ['timeout: must be from 0.01s to 3600s']],
  [{ type: 'tcp', interval: '1s', timeout: '1001ms' }, ['timeout: must not be longer than the interval, 1s']],
  [{ type: 'tcp', timeout: '1h' }, ['timeout: must not be longer than the interval, 5s']],
  [{ type: 'tcp', interval: '5', timeout: '1h' }, ['interval: must be a time with a unit, like "5s" or "500ms"']],
  [{ type: 'heartbeat', timeout: '1s' }, ['timeout: does not belong to a check of type heartbeat']],
  [{ type: 'tcp', rise: 0 }, ['rise: must be a whole number from 1 to 100']],
  [{ type: 'tcp', fall: 101 }, ['fall: must be a whole number from 1 to 100']],
  [{ type: 'tcp', initial: 'healthy' }, ['initial: must be one of passing, warning, critical']],
  [{ type: 'tcp', deregisterAfter: '999ms' }, ['deregisterAfter: must be from 1s to 31536000s']],
  [{ type: 'tcp', schedule: '* * * *' }, /^schedule: is not a cron expression: /],
  [{ type: 'tcp', schedule: '0 0 30 2 *' }, /^schedule: is not a cron expression: /],
  [{ type: 'tcp', schedule: '@daily', interval: '5s' }, ["schedule: cannot stand beside 'interval'"]],
  [{ type: 'tcp', timezone: 'UTC' }, ["timezone: needs a 'schedule'"]],
  [
    { type: 'tcp', schedule: '@daily', timezone: 'Mars/Base' },
    ['timezone: is not a time zone like UTC or Europe/Berlin'],
  ],
  [{ type: 'heartbeat', schedule: '@daily' }, ['schedule: does not belong to a check of type heartbeat']],
  [{ type: 'http', load: {} }, [LOAD]],
  [{ type: 'http', load: { header: 'a', json: 'b' } }, [LOAD]],
  [{ type: 'http', load: { header: 'a b' } }, ['load.header: is not a header name']],
  [{ type: 'http', load: { json: 'a..b' } }, ['load.json: is not like a.b[0].c']],
  [{ type: 'tcp', load: { header: 'x' } }, ['load: does not belong to a check of type tcp']],
  [{ type: 'http', url: 'http://a/', tls: {} }, ['tls: needs an https:// url']],
  [{ type: 'tcp', tls: { caFile: 'ca.pem' } }, ['tls.caFile: must be an absolute path']],
  [{ type: 'tcp', tls: { serverName: 'a b' } }, ['tls.serverName: must be an IP address or a host name']],
  [{ type: 'http', method: 'HEAD', expect: { body: 'a' } }, ['method: HEAD brings no body to look into']],
  [{ type: 'http', headers: { Connection: 'upgrade' } }, ["headers: 'Connection' cannot be set"]],
  [{ type: 'http', headers: { 'Transfer-Encoding': 'chunked' } }, ["headers: 'Transfer-Encoding' cannot be set"]],
  [{ type: 'http', headers: { 'content-length': '0' } }, ["headers: 'content-length' cannot be set"]],
  [{ type: 'http', headers: { Host: 'a, b' } }, ["headers: 'Host' must be a host, or host:port"]],
  [{ type: 'http', headers: { Host: 'a/b' } }, ["headers: 'Host' must be a host, or host:port"]],
  [{ type: 'http', headers: { host: 'a', HOST: 'b' } }, ["headers: 'HOST' stands twice in different case"]],
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
  [{ type: 'http', body: 'x' }, [BODY]],
  [{ type: 'http', method: 'GET', body: '' }, [BODY]],
  [{ type: 'http', method: 'HEAD', body: 'x' }, [BODY]],
  [{ type: 'http', method: 'PUT', body: 'x' }, ['method: must be one of GET, HEAD, POST']],
  [{ type: 'http', url: 'http://a:0/' }, ['url: must not have port 0']],
  [{ type: 'http', expect: { status: [] } }, [NO_CODES]],
  [{ type: 'http', expect: { status: [99] } }, [CODES]],
  [{ type: 'http', expect: { status: ['299-200'] } }, [CODES]],
  [{ type: 'http', expect: { status: ['2xx'] } }, [CODES]],
  [{ type: 'http', expect: { status: 200 } }, ['expect.status: must be an array']],
  [{ type: 'http', expect: { json: {} } }, ['expect.json: must have 1 to 32 paths']],
  [{ type: 'http', expect: { json: { 'a.': 1 } } }, [PATH]],
  [{ type: 'http', expect: { json: JSON.parse('{"__proto__": 1}') } }, [PATH]],
  [{ type: 'http', expect: { json: { a: 'x'.repeat(1023) } } }, [VALUE]],
  [{ type: 'http', expect: { json: { a: Number.NaN } } }, [VALUE]],
  [{ type: 'http', expect: { json: 'a' } }, ['expect.json: must be an object']],
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
