// every-node.test.ts -- what a client gets for good is the same on every node, whatever happened there before

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';

const CLIENTS = Array.from({ length: 150 }, (_, n) => (n % 3 === 0 ? `2001:db8::${n}` : `10.${n}.${(n * 7) % 250}.9`));
const IDS = ['a', 'b', 'c', 'd', 'v2-a', 'v2-b'];
const POLICIES = [
  { strategy: 'hash', maxAnswers: 2, routes: [{ match: { tags: ['v2'] }, percent: 30, sticky: true }] },
  {
    ...{ strategy: 'subset', maxAnswers: 2, routes: [{ match: { tags: ['v2'] }, sticky: true }] },
    steps: [{ percent: 30, for: '1h' }, { percent: 100 }],
  },
];

async function register({ call }: ApiServer, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const [at, tags] = [IDS.indexOf(id), id.startsWith('v2') ? ['v2'] : []];
    const body = { address: `10.9.0.${at + 1}`, port: 80, weight: at + 1, tags };
    assert.ok((await call('PUT', `/v1/services/cart/instances/${id}`, body)).status < 300, id);
  }
}

/** What each client gets: the parts of the ways, and of each instance. */
async function outcomes({ call }: ApiServer): Promise<unknown[]> {
  const told: unknown[] = [];
  for (const client of CLIENTS) {
    const { status, body } = await call('GET', `/v1/explain?name=cart.service.local&client=${client}`);
    assert.equal(status, 200, JSON.stringify(body));
    const instances = body.instances as { id: string; in: boolean; rank: number; share: number }[];
    const shown = instances.map(({ id, in: isIn, rank, share }) => [id, isIn, rank, share]);
    told.push([client, body.routes, shown.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))]);
  }
  return told;
}

for (const policy of POLICIES) {
  it(`with a sticky canary and ${policy.strategy}`, async (t) => {
    const [one, other] = [await openApiServer(), await openApiServer()];
    t.after(() => Promise.all([one.close(), other.close()]));
    await one.call('PUT', '/v1/services/cart/policy', policy);
    await register(one, IDS);
    // Another order, other revisions, instances that came and went, other services, another policy before.
    await other.call('PUT', '/v1/services/aaa/instances/z', { address: '10.9.0.1', port: 80 });
    await register(other, IDS.toReversed());
    await other.call('PUT', '/v1/services/cart/instances/gone', { address: '10.9.0.99', port: 80 });
    await other.call('PUT', '/v1/services/cart/policy', { strategy: 'random' });
    await other.call('DELETE', '/v1/instances/gone');
    await register(other, ['c', 'v2-a']);
    await other.call('PUT', '/v1/services/cart/policy', policy);
    const [here, there] = [await outcomes(one), await outcomes(other)];
    assert.deepEqual(there, here);
    const taken = here.filter((each) => JSON.stringify(each).includes('"outcome":"all"')).length;
    assert.ok(taken > 20 && taken < 80, `${taken} of ${CLIENTS.length} clients are in the canary of 30 %`);
  });
}
