// hostile-input.test.ts -- poisonous values in every place of every call that writes: refused by name, and nothing kept

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

let server: ApiServer;
before(async () => {
  server = await openApiServer();
  await server.call('PUT', '/v1/services/cart/instances/c-1', { address: '10.0.0.7', port: 80 });
});
after(() => server.close());

const INSTANCE = { address: '10.0.0.7', port: 80 };
const OPERATION = { op: 'register', service: 'cart', id: 'c-9', ...INSTANCE };

/** Text that would end a line, steer a terminal, turn text around, hide, or not survive UTF-8. */
const POISON: Readonly<Record<string, string>> = {
  'a line end': 'a\r\nSet-Cookie: b',
  NUL: 'a\0b',
  'an escape sequence': 'a\u001b[2Jb',
  'a C1 control': 'a\u009bb',
  'an override of direction': 'a\u202eb',
  'a zero-width space': 'a\u200bb',
  'a line separator': 'a\u2028b',
  'a byte order mark': '\ufeffa',
  'half a pair': 'a\ud800b',
  'a soft hyphen': 'a\u00adb',
};

/** Where text goes: into names, headers, logs, files or terminals. */
const TEXTS: readonly (readonly [path: string, method: string, url: string, body: (text: string) => object])[] = [
  ['address', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, address: text })],
  ['zone', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, zone: text })],
  ['tags[0]', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, tags: [text] })],
  ['meta.k', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, meta: { k: text } })],
  ['meta', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, meta: { [text]: 'v' } })],
  ['ports', 'PUT', '/v1/services/cart/instances/c-9', (text) => ({ ...INSTANCE, ports: { [text]: 1 } })],
  ['id', 'POST', '/v1/services/cart/instances', (text) => ({ ...INSTANCE, id: text })],
  ['service', 'POST', '/v1/services/cart/instances', (text) => ({ ...INSTANCE, service: text })],
  ['checks[0].url', 'POST', '/v1/services/cart/instances', (text) => withCheck({ type: 'http', url: `/${text}` })],
  ['checks[0].id', 'POST', '/v1/services/cart/instances', (text) => withCheck({ type: 'tcp', id: text })],
  ['checks[0].host', 'POST', '/v1/services/cart/instances', (text) => withCheck({ type: 'tcp', host: text })],
  ['checks[0].headers.a', 'POST', '/v1/services/cart/instances', (text) => withHeaders({ a: text })],
  ['checks[0].headers', 'POST', '/v1/services/cart/instances', (text) => withHeaders({ [text]: 'a' })],
  ['zone', 'PATCH', '/v1/instances/c-1', (text) => ({ zone: text })],
  ['meta.k', 'PATCH', '/v1/instances/c-1', (text) => ({ meta: { k: text } })],
  ['reason', 'PUT', '/v1/instances/c-1/maintenance', (text) => ({ enabled: true, reason: text })],
  ['status', 'PUT', '/v1/instances/c-1/heartbeat', (text) => ({ status: text })],
  ['host', 'PUT', '/v1/instances/c-1/checks/x', (text) => ({ type: 'tcp', host: text })],
  ['strategy', 'PUT', '/v1/services/cart/policy', (text) => ({ strategy: text })],
  ['operations[0].id', 'POST', '/v1/batch', (text) => ({ operations: [{ op: 'deregister', id: text }] })],
  ['operations[0].op', 'POST', '/v1/batch', (text) => ({ operations: [{ op: text, id: 'x' }] })],
  ['operations[0].service', 'POST', '/v1/batch', (text) => ({ operations: [{ ...OPERATION, service: text }] })],
  ['operations[0].zone', 'POST', '/v1/batch', (text) => ({ operations: [{ ...OPERATION, zone: text }] })],
];

const withCheck = (check: object): object => ({ ...INSTANCE, checks: [check] });
const withHeaders = (headers: object): object => withCheck({ type: 'http', headers });

describe('poisonous text', () => {
  for (const [path, method, url, body] of TEXTS) {
    it(`${method} ${url}: ${path}`, async () => {
      for (const [what, text] of Object.entries(POISON)) {
        const { sequence } = server.registry;
        const reply = await server.call(method, url, body(text));
        assert.deepEqual([reply.status, reply.body.error.code], [400, 'invalid'], what);
        const paths: string[] = reply.body.error.details.map((each: { path: string }) => each.path);
        assert.ok(
          paths.some((each) => each.startsWith(path)),
          `${what}: ${paths}`,
        );
        // What is refused must not come back where it does harm either.
        assert.doesNotMatch(JSON.stringify(reply.body), /[\p{Cc}\p{Cf}\u2028\u2029]/u, what);
        assert.equal(server.registry.sequence, sequence, what);
      }
    });
  }
});

const WRITES: readonly (readonly [method: string, url: string])[] = [
  ['PUT', '/v1/services/cart/instances/c-9'],
  ['POST', '/v1/services/cart/instances'],
  ['PATCH', '/v1/instances/c-1'],
  ['PUT', '/v1/instances/c-1/heartbeat'],
  ['PUT', '/v1/instances/c-1/maintenance'],
  ['PUT', '/v1/instances/c-1/checks/x'],
  ['PUT', '/v1/services/cart/policy'],
  ['POST', '/v1/batch'],
];

/** Bodies that no call takes. */
const BODIES: Readonly<Record<string, string>> = {
  'a list': '[]',
  'a number': '1',
  text: '"a"',
  'no JSON': '{"a":',
  'two values': '{} {}',
  'a number without end': '1e999',
  'a comment': '{/*a*/}',
  'bare text': '\u00ff',
  ['__proto__']: '{"__proto__":{"isStatic":true}}',
  '__proto__, escaped': '{"__pr\\u006fto__":{}}',
  '__proto__, deep': '{"meta":{"__proto__":"x"},"operations":[{"__proto__":[]}]}',
  constructor: '{"constructor":{"prototype":{}}}',
  'a key twice': '{"weight":1,"weight":2}',
  'a key twice, escaped': '{"weight":1,"w\\u0065ight":2}',
  'nested without end': `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  'lists without end': `{"tags":${'['.repeat(5000)}${']'.repeat(5000)}}`,
  'an unknown field': '{"isStatic":true}',
  'a name of JavaScript': '{"toString":1,"hasOwnProperty":1}',
};

describe('poisonous bodies', () => {
  for (const [method, url] of WRITES) {
    it(`${method} ${url}`, async () => {
      for (const [what, body] of Object.entries(BODIES)) {
        const { sequence } = server.registry;
        const { status, body: reply } = await server.call(method, url, body);
        assert.equal(status, 400, `${what}: ${JSON.stringify(reply)}`);
        assert.match(reply.error.code, /^invalid(_json)?$/, what);
        assert.equal(server.registry.sequence, sequence, what);
      }
      const huge = await server.call(method, url, `{"zone":"${'x'.repeat(70_000)}"}`);
      assert.deepEqual([huge.status, huge.body.error.code], [413, 'too_large']);
      const wrongType = await server.call(method, url, '{}', { 'content-type': 'text/plain' });
      assert.deepEqual([wrongType.status, wrongType.body.error.code], [415, 'unsupported_media_type']);
    });
  }

  it('left nothing behind', () => {
    assert.equal(({} as { isStatic?: unknown }).isStatic, undefined);
    assert.deepEqual(
      [...server.registry.instances()].map(({ instance }) => instance.id),
      ['c-1'],
    );
  });
});
