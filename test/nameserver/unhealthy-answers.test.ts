// unhealthy-answers.test.ts -- answers of a service that is not well: whenAllUnhealthy, warningWeight, volatile TTLs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { memberNews, newsOf, tellMember } from '../../src/nameserver/news.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { AnsweringService } from '../../src/registry/member.ts';
import { isVolatile, membersOf, type Pool, poolOf } from '../../src/routing/pool.ts';
import { NameServer } from '../support/name-server.ts';

const NAME = 'web.service.local.';

async function setUp(policy: object | undefined, volatileTtlSeconds?: number) {
  const volatile = volatileTtlSeconds === undefined ? {} : { volatileTtlSeconds };
  const server = await NameServer.open({ domains: [{ name: 'service.local', ttlSeconds: 60, ...volatile }] });
  const early = new Replica(new Cursors(createCursorMemory(64)));
  server.registry.onChange((change) => {
    const serviceOf = (name: string) => server.registry.service(name);
    early.apply(structuredClone(newsOf(change, serviceOf, () => 0)));
  });
  const checks = [{ id: 'alive', type: 'tcp' }];
  for (const n of [1, 2, 3]) {
    await server.register('web', `web-${n}`, {
      address: `10.0.0.${n}`,
      port: 80,
      tags: [n < 3 ? 'old' : 'new'],
      checks,
    });
  }
  await server.setPolicy('web', policy);
  const report = (...outcomes: readonly ('passing' | 'warning' | 'critical')[]) => {
    for (const [i, outcome] of outcomes.entries()) server.report(`web-${i + 1}`, outcome);
  };
  /** Last octets of the addresses that are answered, in order; every shard must know the same. */
  const answered = (name = NAME) => {
    const { answers } = server.ask(`${name} A`);
    return answers
      .map(({ type, rdata }) => formatRdata(type, rdata).at(-1))
      .sort()
      .join('');
  };
  const tagged = (service: AnsweringService, tags: string[]) => poolOf(membersOf(service, tags), service.policy);
  const ids = (pool: Pool) => pool.answerable.map(({ instance }) => instance.id);
  const replicasAgree = () => {
    const state = server.registry.service('web')!;
    const members = Array.from(state.instances.values(), tellMember);
    const late = new Replica(new Cursors(createCursorMemory(64)));
    late.apply(structuredClone({ op: 'policy', service: 'web', policy: state.policy, place: 0 }));
    late.apply(structuredClone({ op: 'members', service: 'web', place: 0, members }));
    for (const tags of [[], ['old'], ['new']]) {
      const expected = ids(tagged(state, tags));
      for (const replica of [early, late]) {
        assert.equal(isVolatile(tagged(replica.service('web')!, tags)), isVolatile(tagged(state, tags)), 'volatile');
      }
      assert.deepEqual(ids(tagged(early.service('web')!, tags)), expected, 'a shard that heard of every change');
      assert.deepEqual(ids(tagged(late.service('web')!, tags)), expected, 'a shard that began later');
    }
  };
  return { server, early, report, answered, replicasAgree };
}

describe('a service of which nobody is well', () => {
  const rows: readonly (readonly [mode: string | undefined, after: string, held: string])[] = [
    [undefined, '', ''],
    ['empty', '', ''],
    ['all', '123', '23'],
    ['last-known', '2', '2'],
  ];
  for (const [whenAllUnhealthy, after, held] of rows) {
    it(`with ${whenAllUnhealthy ?? 'no policy'}: answers '${after}'`, async () => {
      const { server, report, answered, replicasAgree } = await setUp(
        whenAllUnhealthy === undefined ? undefined : { whenAllUnhealthy },
      );
      report('passing', 'passing', 'critical');
      assert.equal(answered(), '12');
      report('critical', 'passing');
      assert.equal(answered(), '2');
      report('critical', 'critical');
      assert.equal(answered(), after);
      replicasAgree();
      await server.registry.setMaintenance('web-1', 'disk');
      assert.equal(answered(), held);
      replicasAgree();
      report('critical', 'passing');
      assert.equal(answered(), '2');
      replicasAgree();
    });
  }

  it('last-known goes by name: each tag has its own', async () => {
    const { server, report, answered, replicasAgree } = await setUp({ whenAllUnhealthy: 'last-known' });
    report('passing', 'passing', 'passing');
    report('critical', 'critical', 'critical');
    assert.deepEqual([answered(), answered(`old.${NAME}`), answered(`new.${NAME}`)], ['3', '2', '3']);
    replicasAgree();
    await server.registry.deregister('web-3');
    assert.equal(answered(), '2');
  });

  it('below its fraction it is answered like one of which nobody is', async () => {
    const { server, report, answered, replicasAgree } = await setUp({
      minHealthyFraction: 0.5,
      whenAllUnhealthy: 'all',
    });
    report('passing', 'passing', 'passing');
    report('critical', 'passing', 'passing');
    assert.equal(answered(), '23');
    report('critical', 'critical', 'passing');
    assert.equal(answered(), '123');
    replicasAgree();
    await server.setPolicy('web', { minHealthyFraction: 0.5 });
    assert.equal(answered(), '');
    await server.setPolicy('web', { minHealthyFraction: 0.5, whenAllUnhealthy: 'last-known' });
    assert.equal(answered(), '23');
    replicasAgree();
  });
});

describe('instances that warn', () => {
  it('weigh less as the policy says, in SRV and in turns', async () => {
    const { server, report } = await setUp({ strategy: 'weighted', warningWeight: 0.5 });
    report('passing', 'warning', 'passing');
    const weights = server.ask(`${NAME} SRV`).answers.map(({ type, rdata }) => formatRdata(type, rdata).split(' ')[1]);
    assert.deepEqual(weights.toSorted(), ['1', '2', '2']);
    const firsts = Array.from({ length: 50 }, () => {
      const [first] = server.ask(`${NAME} A`).answers;
      return formatRdata(first!.type, first!.rdata).at(-1);
    });
    assert.equal(firsts.filter((each) => each === '2').length, 10);
  });
});

describe('the TTL of a service', () => {
  const ttlOf = (server: NameServer) => server.ask(`${NAME} A`).answers[0]?.ttlSeconds;
  // As server.ts and the shards hear of it.
  const fail = ({ server, early }: Awaited<ReturnType<typeof setUp>>, failing: boolean) => {
    const result = { outcome: 'passing', output: '', latencyMs: 1, failing } as const;
    assert.equal(server.registry.reportResult('web-1', 'alive', result), true);
    server.handler.view.serviceChanged('web');
    early.apply(structuredClone(memberNews(server.registry.instance('web-1')!, 0)));
  };

  it('is lowered while an instance is failing or draining, and only then', async () => {
    const set = await setUp(undefined, 1);
    const { server, report, replicasAgree } = set;
    report('passing', 'passing', 'critical');
    assert.equal(ttlOf(server), 60, 'one that has failed is no news');
    fail(set, true);
    assert.equal(ttlOf(server), 1);
    replicasAgree();
    fail(set, false);
    assert.equal(ttlOf(server), 60);
    await server.registry.setDraining('web-2', true);
    assert.equal(ttlOf(server), 1);
    await server.registry.setDraining('web-2', false);
    assert.equal(ttlOf(server), 60);
  });

  it('is lowered below that of the policy, never raised, and left alone without the setting', async () => {
    for (const [volatile, policy, expected] of [
      [1, { ttl: '30s' }, 1],
      [1, { ttl: '0s' }, 0],
      [30, { ttl: '5s' }, 5],
      [undefined, undefined, 60],
    ] as const) {
      const set = await setUp(policy, volatile);
      set.report('passing', 'passing', 'passing');
      fail(set, true);
      assert.equal(ttlOf(set.server), expected);
    }
  });

  it('of other services stays as it is', async () => {
    const set = await setUp(undefined, 1);
    const { server, report } = set;
    await server.register('mail', 'mail-1', { address: '10.0.1.1', port: 25 });
    report('passing', 'passing', 'passing');
    fail(set, true);
    assert.equal(server.ask('mail.service.local. A').answers[0]?.ttlSeconds, 60);
  });
});
