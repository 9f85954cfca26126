// foresight.test.ts -- GET /v1/explain and POST /v1/simulate over HTTP

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';

let server: ApiServer;
before(async () => {
  server = await openApiServer();
  for (const [i, weight] of [1, 3].entries()) {
    await server.call('PUT', `/v1/services/cart/instances/cart-${i + 1}`, {
      address: `10.0.0.${i + 1}`,
      port: 80,
      weight,
    });
  }
  await server.call('PUT', '/v1/services/stepped/instances/s-1', { address: '10.0.1.1', port: 80, tags: ['v2'] });
  await server.call('PUT', '/v1/services/stepped/policy', {
    routes: [{ match: { tags: ['v2'] } }],
    steps: [{ percent: 5, for: '1h' }, { percent: 100 }],
  });
});
after(() => server.close());

describe('GET /v1/explain', () => {
  it('tells the policy, the ways and every instance', async () => {
    const { status, body } = await server.call(
      'GET',
      '/v1/explain?name=Cart.service.local&type=srv&client=10.1.0.0/16',
    );
    assert.equal(status, 200);
    assert.deepEqual(body.question, { name: 'Cart.service.local.', type: 'SRV', client: '10.1.0.0/16' });
    assert.deepEqual(
      [body.result, body.rcode, body.service, body.policy, body.rollout, body.dependsOnClient],
      ['answer', 'NOERROR', 'cart', null, null, false],
    );
    assert.deepEqual(body.zone, { apex: 'service.local.', file: null, dynamic: true });
    assert.deepEqual(body.answers[0], {
      ...{ route: null, part: 1, source: 'own', home: null, tiers: [], records: 2, maxAnswers: 8 },
      ...{ ttl: '5s', ttlReason: 'the domain' },
    });
    assert.deepEqual(body.instances[1], {
      ...{ id: 'cart-2', address: '10.0.0.2', port: 80, status: 'healthy', in: true, reason: 'answered' },
      ...{ text: 'round-robin', rank: 1, share: 0.5, inclusion: 1, weight: 3, weightInForce: 3, warmth: null },
      ...{ connections: null, latencyMs: null, tier: null, srvPriority: 0, srvWeight: 1, zone: null },
    });
  });

  it('tells the step of a rollout', async () => {
    const { body } = await server.call('GET', '/v1/explain?name=stepped.service.local');
    assert.deepEqual([body.rollout.step, body.rollout.percent], [1, 5]);
    assert.deepEqual(body.routes, [{ route: 0, outcome: 'some', part: 0.05 }]);
    assert.deepEqual(
      body.answers.map(({ source, part }: { source: string; part: number }) => [source, part]),
      [
        ['own', 0.05],
        ['routes', 0.95],
      ],
    );
  });

  it('explains names that are not there', async () => {
    for (const [name, result] of [
      ['nobody.service.local', 'nxdomain'],
      ['example.org', 'refused'],
      ['.', 'refused'],
      ['__proto__.service.local', 'nxdomain'],
    ]) {
      const { status, body } = await server.call('GET', `/v1/explain?name=${name}`);
      assert.deepEqual([status, body.result, body.instances], [200, result, []], name);
    }
  });

  for (const client of ['0.0.0.0/0', '::/0']) {
    it(`takes ${client} for a client of which nothing is known`, async () => {
      const { status, body } = await server.call('GET', `/v1/explain?name=cart.service.local&client=${client}`);
      assert.deepEqual([status, body.question.client, body.result], [200, client, 'answer']);
    });
  }

  for (const [query, path] of [
    ['', 'name'],
    ['?name=', 'name'],
    ['?name=a..b', 'name'],
    ['?name=a%20b.service.local', 'name'],
    [`?name=${'a'.repeat(64)}.service.local`, 'name'],
    ['?name=x&name=y', 'name'],
    ['?name=x&type=NOPE', 'type'],
    ['?name=x&client=10.0.0.1/8', 'client'],
    ['?name=x&client=me', 'client'],
    ['?name=x&other=1', 'other'],
  ] as const) {
    it(`refuses ${query}`, async () => {
      const { status, body } = await server.call('GET', `/v1/explain${query}`);
      assert.deepEqual([status, body.error.code], [400, 'invalid']);
      assert.ok(
        body.error.details.some((each: { path: string }) => each.path === path),
        JSON.stringify(body.error.details),
      );
    });
  }
});

describe('POST /v1/simulate', () => {
  it('compares a policy with the present one', async () => {
    const wish = { service: 'Cart', policy: { strategy: 'weighted' }, clients: 200, requestsPerSecond: 2, seed: 7 };
    const { status, body } = await server.call('POST', '/v1/simulate', wish);
    assert.equal(status, 200);
    assert.deepEqual(
      [body.service, body.clients, body.duration, body.type, body.picks, body.seed],
      ['cart', 200, '60s', 'A', 'first', 7],
    );
    assert.deepEqual([body.now.strategy, body.policy.strategy], ['round-robin', 'weighted']);
    assert.equal(body.now.requests, body.policy.requests, 'both meet the same requests');
    const [light, heavy] = body.instances;
    assert.ok(Math.abs(light.policy.share - 0.25) < 0.03, `weight 1 has ${light.policy.share}`);
    assert.ok(heavy.difference > 0.2, `weight 3 gets ${heavy.difference} more`);
    assert.deepEqual((await server.call('POST', '/v1/simulate', wish)).body, body, 'the same for the same seed');
    const { body: read } = await server.call('GET', '/v1/services/cart');
    assert.equal(read.policy, null, 'nothing is applied');
  });

  it('says why nothing is answered', async () => {
    await server.call('PUT', '/v1/services/db/instances/db-1', { address: 'db.example.com', port: 5432 });
    const { body } = await server.call('POST', '/v1/simulate', { service: 'db', clients: 3 });
    assert.equal(body.now.unanswered, body.now.requests);
    assert.match(body.now.unansweredReason, /^service 'db' is an alias of db\.example\.com/);
    const answered = await server.call('POST', '/v1/simulate', { service: 'cart', clients: 3 });
    assert.equal(answered.body.now.unansweredReason, null);
  });

  it('shows the present alone where no policy is given', async () => {
    const { body } = await server.call('POST', '/v1/simulate', {
      ...{ service: 'cart', duration: '20s', serviceTime: '50ms', serviceTimes: { 'cart-1': '1s' } },
      failures: [{ instance: 'cart-2', at: '5s', for: '5s' }],
    });
    assert.deepEqual([body.policy, body.moved, body.instances[0].policy], [null, null, null]);
    assert.ok(body.now.failed > 0, 'some have it cached');
  });

  it('runs one at a time, and lets others be answered meanwhile', async () => {
    const large = { service: 'cart', clients: 10_000, requestsPerSecond: 0.8, policy: {} };
    const first = server.call('POST', '/v1/simulate', large);
    // The first has begun when it is what a second one is refused for.
    const deadlineMs = performance.now() + 20_000;
    let second = await server.call('POST', '/v1/simulate', large);
    while (second.status === 200 && performance.now() < deadlineMs) {
      second = await server.call('POST', '/v1/simulate', large);
    }
    assert.deepEqual([second.status, second.body.error.code], [429, 'rate_limited']);
    assert.equal((await server.call('GET', '/v1/services')).status, 200);
    assert.equal((await first).status, 200);
  });

  const rows: readonly (readonly [body: unknown, expected: string, path?: string])[] = [
    [{}, '400 invalid', 'service'],
    [[], '400 invalid'],
    [{ service: 'nobody' }, '404 unknown_service'],
    [{ service: '../x' }, '400 invalid', 'service'],
    [{ service: 'cart', clients: 0 }, '400 invalid', 'clients'],
    [{ service: 'cart', duration: 60 }, '400 invalid', 'duration'],
    [{ service: 'cart', duration: '2h' }, '400 invalid', 'duration'],
    [{ service: 'cart', clients: 10_000, requestsPerSecond: 1 }, '400 invalid', ''],
    [{ service: 'cart', type: 'TXT' }, '400 invalid', 'type'],
    [{ service: 'cart', picks: 'last' }, '400 invalid', 'picks'],
    [{ service: 'cart', network: 'here' }, '400 invalid', 'network'],
    [{ service: 'cart', policy: { strategy: 'best' } }, '400 invalid', 'policy.strategy'],
    [{ service: 'cart', policy: { bogus: 1 } }, '400 invalid', 'policy.bogus'],
    [{ service: 'cart', policy: { routes: [{}] } }, '400 invalid', 'policy.routes[0].match'],
    [{ service: 'cart', policy: 'weighted' }, '400 invalid', 'policy'],
    [{ service: 'cart', serviceTimes: { 'cart-9': '1s' } }, '400 invalid', 'serviceTimes.cart-9'],
    [{ service: 'cart', failures: [{ instance: 'cart-9' }] }, '400 invalid', 'failures[0].instance'],
    [{ service: 'cart', failures: [{}] }, '400 invalid', 'failures[0].instance'],
    [{ service: 'cart', speed: 1 }, '400 invalid', 'speed'],
  ];
  for (const [body, expected, path] of rows) {
    it(`refuses ${JSON.stringify(body)}`, async () => {
      const reply = await server.call('POST', '/v1/simulate', body);
      assert.equal(`${reply.status} ${reply.body.error.code}`, expected);
      const paths = reply.body.error.details.map((each: { path: string }) => each.path);
      if (path !== undefined) assert.ok(paths.includes(path), JSON.stringify(reply.body.error));
    });
  }
});

describe('tokens', () => {
  it('see what they may read, and the same words whether or not the rest exists', async (t) => {
    const tokens = [tokenEntry('carts', 'services:read:cart*'), tokenEntry('all', 'services:read:*')];
    const guarded = await openApiServer({ access: { tokens, allowHosts: [] } });
    t.after(() => guarded.close());
    const admit = (name: string) => ({ authorization: `Bearer ${name}` });
    const register = async (service: string) => guarded.registry.setPolicy(service, { strategy: 'random' });
    await register('cart');
    await register('secret');
    const explain = async (token: string, name: string) =>
      (await guarded.call('GET', `/v1/explain?name=${name}`, undefined, admit(token))).status;
    assert.equal(await explain('carts', 'cart.service.local'), 200);
    assert.equal(await explain('carts', 'cart-none.service.local'), 200);
    assert.equal(await explain('carts', 'tag.cart.service.local'), 200);
    assert.equal(await explain('carts', '_http._tcp.cart.service.local'), 200);
    for (const name of ['secret', 'nobody', 'cart.secret', '_secret._tcp', 'cart.nobody', '10-0-0-1.addr']) {
      const { status, body } = await guarded.call(
        'GET',
        `/v1/explain?name=${name}.service.local`,
        undefined,
        admit('carts'),
      );
      assert.deepEqual(
        [status, body.error.message],
        [403, "token 'id-carts' may not read the service of this name, if there is one"],
      );
      assert.equal(await explain('all', `${name}.service.local`), 200, name);
    }
    assert.equal((await guarded.call('GET', '/v1/explain?name=cart.service.local')).status, 401);
    const simulate = async (token: string, service: string) =>
      (await guarded.call('POST', '/v1/simulate', { service }, admit(token))).status;
    assert.deepEqual(
      [await simulate('carts', 'secret'), await simulate('carts', 'nobody'), await simulate('carts', 'CART')],
      [403, 403, 200],
    );
    assert.equal(await simulate('all', 'secret'), 200);
  });
});
