// explain-details.test.ts -- ranks, shares and reasons of explanations where they are easily wrong

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { atOnce } from '../../src/base/pauses.ts';
import { formatRcode, parseType } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { prefixClient } from '../../src/nameserver/client.ts';
import { explain } from '../../src/nameserver/explain.ts';
import type { Explanation } from '../../src/nameserver/explanation.ts';
import { NameServer } from '../support/name-server.ts';

const CRITICAL = { checks: [{ id: 'c', type: 'heartbeat', interval: '5s', initial: 'critical' }] };

function explained(server: NameServer, question: string, client = '127.0.0.1'): Explanation {
  const [name, type] = question.split(' ');
  const asked = { name: parseName(name!), type: parseType(type!)!, client: prefixClient(parsePrefix(client)!) };
  return atOnce(explain(asked, server.handler.view, (service) => server.registry.service(service)));
}

function reasonsOf({ instances }: Explanation): Record<string, string> {
  return Object.fromEntries(instances.map(({ member, reason }) => [member.instance.id, reason]));
}

function ranksOf({ instances }: Explanation): string {
  return instances.map(({ member, rank }) => `${member.instance.id}:${rank ?? '-'}`).join(' ');
}

describe('members that were replaced without a change of the answers', () => {
  const policies: readonly object[] = [
    {},
    { strategy: 'least-connections' },
    { tiers: [{ match: { tags: ['v2'] } }], affinity: { by: 'zone' } },
    { routes: [{ match: { tags: ['v2'] }, percent: 50 }] },
  ];
  for (const policy of policies) {
    it(`are the same instances: ${JSON.stringify(policy)}`, async () => {
      const server = await NameServer.open({ clientZones: { eu: ['10.1.0.0/16'] } });
      for (const i of [1, 2, 3]) {
        await server.register('web', `web-${i}`, {
          ...{ address: `10.0.0.${i}`, port: 80, leaseTtl: '60s', zone: 'eu', tags: i === 1 ? ['v2'] : [] },
        });
      }
      await server.setPolicy('web', policy);
      const tell = () =>
        explained(server, 'web.service.local. A', '10.1.0.9').instances.map(
          ({ member, reason, rank, share, weight, tier }) => [
            ...[member.instance.id, reason, rank, share, weight, tier],
          ],
        );
      const before = tell();
      assert.ok(
        before.some(([, reason]) => reason === 'answered'),
        'somebody is in',
      );
      // Other objects say the same of the same instances, and nobody is told.
      for (const i of [1, 2, 3]) {
        const state = server.registry.instance(`web-${i}`)!;
        server.registry.setReadings(`web-${i}`, {
          ...{ connections: state.connections, latencyMs: state.latencyMs, warmth: state.warmth },
        });
        assert.notEqual(server.registry.instance(`web-${i}`), state, 'replaced');
      }
      assert.deepEqual(tell(), before);
    });
  }
});

describe('reasons', () => {
  it('say why those of a route are not to be had', async () => {
    const server = await NameServer.open();
    await server.register('web', 'general', { address: '10.0.0.1', port: 80 });
    await server.register('web', 'sick', { address: '10.0.0.2', port: 80, tags: ['v2'], ...CRITICAL });
    await server.register('web', 'left', { address: '10.0.0.3', port: 80, tags: ['v2'] });
    await server.register('web', 'light', { address: '10.0.0.4', port: 80, tags: ['v2'], weight: 0 });
    await server.register('web', 'six', { address: '2001:db8::5', port: 80, tags: ['v2'] });
    await server.registry.setDraining('left', true);
    await server.setPolicy('web', { routes: [{ match: { tags: ['v2'] }, percent: 50 }] });
    const told = explained(server, 'web.service.local. A');
    assert.deepEqual(reasonsOf(told), {
      ...{ general: 'answered', sick: 'status', left: 'status', light: 'route', six: 'type' },
    });
    const texts = Object.fromEntries(told.instances.map(({ member, text }) => [member.instance.id, text]));
    assert.match(texts.light!, /^weight 0: others stand in for route 0/);
    assert.equal(texts.sick, 'unhealthy');
    // Those whom the route does not concern are kept from it by the route alone.
    const routes = [{ match: { tags: ['v2'] }, client: ['10.9.0.0/16'] }];
    await server.setPolicy('web', { routes });
    assert.equal(reasonsOf(explained(server, 'web.service.local. A')).sick, 'route');
  });

  it('tell of the instances behind an alias', async () => {
    const server = await NameServer.open();
    await server.register('db', 'db-1', { address: 'db.example.com', port: 5432 });
    await server.register('db', 'db-2', { address: 'db.example.com', port: 5433, ...CRITICAL });
    for (const type of ['A', 'CNAME']) {
      const told = explained(server, `db.service.local. ${type}`);
      assert.deepEqual([told.trace.result, told.service?.name], ['answer', 'db'], type);
      assert.deepEqual(reasonsOf(told), { 'db-1': 'alias', 'db-2': 'status' }, type);
      assert.equal(ranksOf(told), 'db-1:1 db-2:-', type);
    }
  });

  it('tell of the instances of a service that has no such name', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 2);
    const rows = [
      ['v9.web.service.local. A', 'tags'],
      ['_web._v9.service.local. SRV', 'tags'],
      ['_grpc._tcp.web.service.local. SRV', 'type'],
    ] as const;
    for (const [question, reason] of rows) {
      const told = explained(server, question);
      assert.equal(formatRcode(told.trace.rcode), 'NXDOMAIN', question);
      assert.deepEqual(reasonsOf(told), { 'web-1': reason, 'web-2': reason }, question);
    }
    assert.deepEqual(explained(server, 'nobody.service.local. A').instances, []);
  });
});

describe('ranks', () => {
  const open = async (policy: object) => {
    const server = await NameServer.open();
    for (const i of [1, 2, 3, 4]) {
      await server.register('web', `web-${i}`, { address: `10.0.0.${i}`, port: 80, weight: i });
    }
    await server.register('web', 'a-standby', { address: '10.0.0.9', port: 80, weight: 0 });
    await server.setPolicy('web', policy);
    return server;
  };

  for (const strategy of ['failover', 'hash']) {
    it(`are the places of the answer: ${strategy}`, async () => {
      const server = await open({ strategy });
      const answered = server
        .ask('web.service.local. A', { client: '10.1.2.3' })
        .answers.map((record) => formatRecord(record).split(/\s+/).at(-1)!);
      const told = explained(server, 'web.service.local. A', '10.1.2.3');
      assert.deepEqual(
        told.instances.map(({ member }) => member.instance.address),
        answered,
      );
      assert.deepEqual(
        told.instances.map(({ rank }) => rank),
        [1, 2, 3, 4, 5],
      );
      assert.match(ranksOf(explained(server, 'web.service.local. SRV')), /:1 \S+:2 \S+:3 \S+:4 a-standby:5$/);
      assert.match(ranksOf(told), /a-standby:5$/);
    });
  }

  const rows: readonly (readonly [policy: object, ranks: string])[] = [
    [{}, 'web-1:1 web-2:1 web-3:1 web-4:1 a-standby:5'],
    [{ strategy: 'random' }, 'web-1:1 web-2:1 web-3:1 web-4:1 a-standby:5'],
    [{ strategy: 'weighted' }, 'web-4:1 web-3:2 web-2:3 web-1:4 a-standby:5'],
    [{ strategy: 'failover', maxAnswers: 2 }, 'web-4:1 web-3:2 a-standby:- web-1:- web-2:-'],
  ];
  for (const [policy, ranks] of rows) {
    it(`${JSON.stringify(policy)}: ${ranks}`, async () => {
      assert.equal(ranksOf(explained(await open(policy), 'web.service.local. A')), ranks);
    });
  }
});

describe('shares', () => {
  it('are exact where the plan can tell', async () => {
    const server = await NameServer.open();
    await server.register('web', 'heavy', { address: '10.0.0.1', port: 80, weight: 65_535 });
    await server.register('web', 'light', { address: '10.0.0.2', port: 80, weight: 1 });
    await server.setPolicy('web', { strategy: 'weighted', maxAnswers: 1 });
    const { instances } = explained(server, 'web.service.local. A');
    assert.deepEqual(
      instances.map(({ member, reason, share }) => [member.instance.id, reason, share]),
      [
        ['heavy', 'answered', 65_535 / 65_536],
        ['light', 'answered', 1 / 65_536],
      ],
    );
  });

  const policies: readonly object[] = [
    {},
    { strategy: 'random' },
    { strategy: 'weighted', oneSubnetPerAnswer: true },
    { strategy: 'random', tiers: [{ match: { tags: ['v2'] } }] },
  ];
  for (const policy of policies) {
    it(`of many come to 1 and are all there: ${JSON.stringify(policy)}`, async () => {
      const server = await NameServer.open();
      const count = 2000;
      await server.registerMany('web', count);
      await server.setPolicy('web', policy);
      const { instances } = explained(server, 'web.service.local. A');
      const sum = instances.reduce((total, { share }) => total + share, 0);
      assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
      for (const { share, rank } of instances) {
        assert.ok(Math.abs(share - 1 / count) < 1e-9, `${share}`);
        assert.equal(rank, 1);
      }
    });
  }

  it('of a tiny canary are above 0', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 3);
    for (const i of [1, 2, 3]) {
      await server.register('web', `canary-${i}`, { address: `10.0.9.${i}`, port: 80, tags: ['v2'] });
    }
    await server.setPolicy('web', { routes: [{ match: { tags: ['v2'] }, percent: 0.01 }] });
    const canary = explained(server, 'web.service.local. A').instances.filter(({ rank }) => rank === 4);
    assert.equal(canary.length, 3);
    for (const { share } of canary) assert.ok(Math.abs(share - 0.0001 / 3) < 1e-8, `${share}`);
  });
});
