// preconditions.test.ts -- writes that hold only while something is as the caller knows it, and what nobody may write

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { anInstance } from '../support/registrations.ts';

const PATH = '/v1/services/web/instances/a';
const BODY = { address: '10.0.0.1', port: 80 };

describe('registrations on conditions', () => {
  let server: ApiServer;
  before(async () => {
    server = await openApiServer();
  });
  after(async () => await server.close());

  it('follow If-Match and If-None-Match', async () => {
    assert.equal((await server.call('PUT', PATH, BODY, { 'if-match': '*' })).status, 412, 'there is none yet');
    const created = await server.call('PUT', PATH, BODY, { 'if-none-match': '*' });
    assert.equal(created.status, 201);
    assert.equal(
      (await server.call('PUT', PATH, BODY, { 'if-none-match': '*' })).body.error.code,
      'precondition_failed',
    );
    const tag = created.headers.get('etag')!;
    const replaced = await server.call('PUT', PATH, { ...BODY, weight: 2 }, { 'if-match': tag });
    assert.deepEqual([replaced.status, replaced.body.weight], [200, 2]);
    const late = await server.call('PUT', PATH, { ...BODY, weight: 3 }, { 'if-match': tag });
    assert.deepEqual([late.status, late.body.error.code], [412, 'precondition_failed']);
    assert.equal(server.registry.instance('a')?.instance.weight, 2);
  });
});

describe('instances from the configuration', () => {
  let server: ApiServer;
  before(async () => {
    server = await openApiServer();
    server.registry.setStatic([anInstance({ id: 'fixed' })]);
  });
  after(async () => await server.close());

  const rows: [method: string, path: string, body?: unknown][] = [
    ['PUT', '/v1/services/web/instances/fixed', BODY],
    ['PATCH', '/v1/instances/fixed', { weight: 2 }],
    ['DELETE', '/v1/instances/fixed'],
    ['POST', '/v1/instances/fixed/drain'],
    ['DELETE', '/v1/instances/fixed/drain'],
    ['PUT', '/v1/instances/fixed/maintenance', { enabled: true }],
    ['PUT', '/v1/instances/fixed/checks/alive', { type: 'heartbeat' }],
  ];
  for (const [method, path, body] of rows) {
    it(`are not written by ${method} ${path}`, async () => {
      const reply = await server.call(method, path, body);
      assert.deepEqual([reply.status, reply.body.error.code], [409, 'read_only']);
    });
  }
  it('take heartbeats, which say how they are', async () => {
    assert.equal((await server.call('PUT', '/v1/instances/fixed/heartbeat', {})).status, 200);
  });
});
