// rollout.test.ts -- progressive canaries over HTTP: shown with the policy, moved by hand, told to those who watch

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

const POLICY = '/v1/services/cart/policy';
const ROLLOUT = '/v1/services/cart/rollout';
const STEPPED = {
  routes: [{ match: { tags: ['canary'] } }],
  steps: [
    { route: 0, percent: 1, for: '1h' },
    { route: 0, percent: 100 },
  ],
};

describe('a rollout', () => {
  let server: ApiServer;
  const call: ApiServer['call'] = (...args) => server.call(...args);
  const act = async (action: unknown) => {
    const { status, body } = await call('POST', ROLLOUT, { action });
    return [status, body.error?.code ?? `${body.state} ${body.step} ${body.percent}`];
  };
  before(async () => {
    server = await openApiServer();
  });
  after(() => server?.close());

  it('is there when its policy has steps', async () => {
    assert.deepEqual(
      [(await call('GET', ROLLOUT)).body.error.code, (await act('pause'))[1]],
      ['unknown_rollout', 'unknown_rollout'],
    );
    await call('PUT', POLICY, { routes: STEPPED.routes });
    assert.equal((await call('GET', ROLLOUT)).status, 404);
    assert.equal('rollout' in (await call('GET', POLICY)).body, false);
    const put = await call('PUT', POLICY, STEPPED);
    const { rollout, ...policy } = put.body;
    assert.deepEqual(policy, STEPPED);
    assert.deepEqual([rollout.state, rollout.step, rollout.steps, rollout.percent], ['running', 1, 2, 1]);
    assert.equal(rollout.waiting, 'no canary instance is answerable');
    await call('PUT', '/v1/services/cart/instances/canary', {
      address: '10.0.0.9',
      port: 80,
      tags: STEPPED.routes[0]!.match.tags,
    });
    assert.match((await call('GET', ROLLOUT)).body.waiting, /more at this step/);
    await call('DELETE', '/v1/instances/canary');
  });

  it('is moved by hand, and says where it is then', async () => {
    assert.deepEqual(await act('pause'), [200, 'paused 1 1']);
    assert.deepEqual(await act('resume'), [200, 'running 1 1']);
    assert.deepEqual(await act('rollback'), [200, 'rolled-back 1 0']);
    assert.deepEqual(await act('resume'), [409, 'rollout_over']);
    assert.equal((await call('GET', POLICY)).body.rollout.percent, 0);
    assert.deepEqual(await act('restart'), [200, 'running 1 1']);
    for (const wrong of ['stop', 7, undefined, 'toString']) assert.deepEqual(await act(wrong), [400, 'invalid']);
    assert.equal((await call('POST', ROLLOUT, { action: 'pause', now: true })).status, 400);
    const restart = async (step: unknown) => {
      const { status, body } = await call('POST', ROLLOUT, { action: 'restart', step });
      return [status, body.error?.details[0].path ?? `${body.state} ${body.step} ${body.percent}`];
    };
    assert.deepEqual(await restart(2), [200, 'done 2 100']);
    for (const wrong of [0, 3, 33, 1.5, '1']) assert.deepEqual(await restart(wrong), [400, 'step'], String(wrong));
    assert.equal((await call('POST', ROLLOUT, { action: 'pause', step: 1 })).body.error.details[0].path, 'step');
    assert.deepEqual(await restart(1), [200, 'running 1 1']);
  });

  it('comes back with a policy that was read and changed, and keeps its place', async () => {
    await act('pause');
    const read = await call('GET', POLICY);
    const headers = { 'if-match': read.headers.get('etag')! };
    const put = await call('PUT', POLICY, { ...read.body, maxAnswers: 2 }, headers);
    assert.deepEqual([put.status, put.body.rollout.state, put.body.maxAnswers], [200, 'paused', 2]);
  });

  it('is in the history, with who moved it', async () => {
    const { body } = await call('GET', '/v1/services/cart/history');
    const moves = body.changes.filter((each: object) => 'rollout' in each);
    const [latest] = moves;
    assert.deepEqual(
      [latest.kind, latest.by.kind, latest.rollout, latest.reason],
      ['policy', 'local', { state: 'paused', step: 1, percent: 1 }, 'paused by hand'],
    );
    assert.equal('policy' in latest, false);
  });

  it('is told to those who watch and wait', async () => {
    const { index } = (await call('GET', '/v1/services/cart')).body;
    const waiting = call('GET', `/v1/services/cart?index=${index}&wait=10s`);
    await act('rollback');
    assert.ok((await waiting).body.index > index, 'the index passed');
    const text = await server.raw(
      `GET /v1/watch?service=cart&since=${await firstEvent()} HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`,
      300,
    );
    assert.match(text, /"rollout":\{"state":"rolled-back","step":1,"percent":0\},"reason":"rolled back by hand"/);
  });

  async function firstEvent(): Promise<string> {
    const id = (await call('GET', '/v1/services')).headers.get('x-rollcall-event-id')!;
    return `${id.split('.')[0]}.${Number(id.split('.')[1]) - 1}`;
  }
});

describe('an instance', () => {
  it('shows what balancing goes by, and an export leaves it out', async () => {
    const server = await openApiServer();
    await server.call('PUT', '/v1/services/cart/instances/a', { address: '10.0.0.1', port: 80 });
    const shown = async () => {
      const { balancedBy, warmth } = (await server.call('GET', '/v1/instances/a')).body;
      return { balancedBy, warmth };
    };
    assert.deepEqual(await shown(), { balancedBy: undefined, warmth: undefined });
    server.registry.setReadings('a', { connections: 3, warmth: 0.2 });
    assert.deepEqual(await shown(), { balancedBy: { connections: 3, latencyMs: null }, warmth: 0.2 });
    await server.close();
  });
});
