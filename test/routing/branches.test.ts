// branches.test.ts -- whose instances a client gets, with routes, homes and those that stand in

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { branchesOf } from '../../src/routing/branches.ts';
import { ClientZones, NO_CLIENT_ZONES } from '../../src/routing/client-zones.ts';
import { askerAt, countingTurns, idsOf, serviceFrom } from '../support/routing.ts';

const CANARY: Policy = { routes: [{ match: { tags: ['v2'] }, client: ['10.0.0.0/8'] }] };
const INSIDE = '10.0.0.1';
const OUTSIDE = '192.0.2.1';

function gotBy(client: string, members: string, policy: Policy, tags: string[] = [], zones = NO_CLIENT_ZONES): string {
  const branches = branchesOf(serviceFrom(members, policy), tags, zones);
  return idsOf(branches.at(branches.choose(askerAt(client), countingTurns())).pool.answerable);
}

describe('a canary', () => {
  const rows: readonly (readonly [what: string, members: string, inside: string, outside: string, more?: Policy])[] = [
    ['is apart from the general pool', 'a/h b/h/v2 c/h d/w/v2', 'b d', 'a c'],
    ['falls back to the general pool', 'a/h b/u/v2', 'a', 'a'],
    ['nobody matches: falls back', 'a/h c/h', 'a c', 'a c'],
    ['stands in for the general pool', 'a/u b/h/v2', 'b', 'b'],
    ['is all there is', 'b/h/v2 c/h/v2', 'b c', 'b c'],
    ['of weight 0 falls back', 'a/h b*0/h/v2', 'a', 'a'],
    ['stands in for those of weight 0', 'a*0/h b/h/v2', 'b', 'b'],
    ['of weight 0 beside the same', 'a*0/h b*0/h/v2', 'b', 'a'],
    ['of weight 0 is better than none', 'a/u b*0/h/v2', 'b', 'b'],
    ['nobody is well', 'a/u b/u/v2', '', ''],
    ['nobody is well, all are answered', 'a/u b/u/v2 c/d', 'a b', 'a b', { whenAllUnhealthy: 'all' }],
    ['falls back in spite of `all`', 'a/h b/u/v2', 'a', 'a', { whenAllUnhealthy: 'all' }],
    ['has its own share of well ones', 'a/h b/h/v2 c/u/v2 d/u/v2', '', 'a', { minHealthyFraction: 0.5 }],
    [
      'answers all of its own when too few are well',
      'a/h x/u b/h/v2 c/u/v2 d/u/v2',
      'b c d',
      'a',
      { minHealthyFraction: 0.5, whenAllUnhealthy: 'all' },
    ],
  ];
  for (const [what, members, inside, outside, more] of rows) {
    it(`${what}: ${members}`, () => {
      const policy = { ...CANARY, ...more };
      assert.deepEqual([gotBy(INSIDE, members, policy), gotBy(OUTSIDE, members, policy)], [inside, outside]);
    });
  }

  it('is bypassed by names of tags', () => {
    assert.equal(gotBy(OUTSIDE, 'a/h/eu b/h/v2,eu c/h', CANARY, ['v2']), 'b');
    assert.equal(gotBy(INSIDE, 'a/h/eu b/h/v2,eu c/h', CANARY, ['eu']), 'a b');
  });

  it('of several routes has its own each, and the general pool what none matches', () => {
    const policy: Policy = {
      routes: [
        { match: { tags: ['v2'] }, client: ['10.0.0.0/8'] },
        { match: { tags: ['v3'] }, client: ['172.16.0.0/12'] },
      ],
    };
    const members = 'a/h b/h/v2 c/h/v3 d/h/v2,v3';
    assert.deepEqual(
      [INSIDE, '172.16.0.1', OUTSIDE].map((client) => gotBy(client, members, policy)),
      ['b d', 'c d', 'a'],
    );
    const down = 'a/u b/u/v2 c/h/v3';
    assert.deepEqual(
      [INSIDE, '172.16.0.1', OUTSIDE].map((client) => gotBy(client, down, policy)),
      ['c', 'c', 'c'],
    );
  });

  it('says who stands in', () => {
    const sourceFor = (client: string, members: string) => {
      const branches = branchesOf(serviceFrom(members, CANARY), [], NO_CLIENT_ZONES);
      const [way] = branches.explain(askerAt(client)).ways;
      return branches.at(way!.branch).source;
    };
    assert.deepEqual(
      ['a/h b/h/v2', 'a/h b/u/v2', 'a/u b/u/v2'].map((members) => sourceFor(INSIDE, members)),
      ['own', 'general', 'everybody'],
    );
    assert.equal(sourceFor(OUTSIDE, 'a/u b/h/v2'), 'routes');
  });
});

const ZONES = new ClientZones([
  { zone: 'eu', networks: [parsePrefix('10.1.0.0/16')!] },
  { zone: 'US', networks: [parsePrefix('10.2.0.0/16')!] },
  { zone: 'mars', networks: [parsePrefix('10.3.0.0/16')!] },
]);

describe('affinity', () => {
  const members = 'a/h/@eu b/h/@us c/h/@EU d/h e/u/@us';
  const rows: readonly (readonly [mode: 'prefer' | 'pin', client: string, got: string, of?: string])[] = [
    ['prefer', '10.1.0.1', 'a c'],
    ['prefer', '10.2.0.1', 'b'],
    ['prefer', '10.3.0.1', 'a b c d'],
    ['prefer', OUTSIDE, 'a b c d'],
    ['prefer', '10.1.0.0/16', 'a c'],
    ['prefer', '10.0.0.0/8', 'a b c d'],
    ['prefer', '10.2.0.1', 'a d', 'a/h/@eu b/u/@us d/h'],
    ['prefer', '10.2.0.1', 'a b d', 'a/h/@eu b*0/h/@us d/h'],
    ['prefer', '10.2.0.1', 'b c', 'a/h/@eu b*0/h/@us c/h/@us'],
    ['pin', '10.2.0.1', 'b', 'a/h/@eu b*0/h/@us d/h'],
    ['pin', '10.1.0.1', 'a c'],
    ['pin', '10.3.0.1', ''],
    ['pin', OUTSIDE, ''],
    ['pin', '10.2.0.1', '', 'a/h/@eu b/u/@us d/h'],
  ];
  for (const [mode, client, got, of = members] of rows) {
    it(`by zone, ${mode}, ${client} of ${of}: ${got || 'nobody'}`, () => {
      assert.equal(gotBy(client, of, { affinity: { by: 'zone', mode } }, [], ZONES), got);
    });
  }

  const apart = 'a/h//10.0.1.1 b/h//10.0.2.1 c/h//10.0.1.200 d/h//2001:db8::1 e/h//2001:db8:0:1::1 f/h//host.example';
  const bySubnet: readonly (readonly [mode: 'prefer' | 'pin', client: string, got: string])[] = [
    ['prefer', '10.0.1.77', 'a c'],
    ['prefer', '10.0.2.255', 'b'],
    ['prefer', '10.0.3.1', 'a b c d e f'],
    ['prefer', '2001:db8::ffff:1', 'd'],
    ['prefer', '2001:db8:0:1:2:3:4:5', 'e'],
    ['prefer', '2001:db8:0:2::1', 'a b c d e f'],
    ['pin', '10.0.1.77', 'a c'],
    ['pin', '10.0.3.1', ''],
    ['pin', '2001:db8::9', 'd'],
    ['pin', '10.0.1.0/24', 'a c'],
    ['pin', '10.0.1.0/25', 'a c'],
    ['pin', '10.0.0.0/23', ''],
    ['pin', '2001:db8::/64', 'd'],
    ['pin', '2001:db8::/63', ''],
  ];
  for (const [mode, client, got] of bySubnet) {
    it(`by subnet, ${mode}, ${client}: ${got || 'nobody'}`, () => {
      assert.equal(gotBy(client, apart, { affinity: { by: 'subnet', mode } }), got);
    });
  }

  it('holds for names of tags', () => {
    const policy: Policy = { affinity: { by: 'zone', mode: 'pin' } };
    assert.equal(gotBy('10.1.0.1', 'a/h/x@eu b/h/x@us c/h/@eu', policy, ['x'], ZONES), 'a');
  });

  it('prefers within each tier, so that it never makes a lower one answer', () => {
    const policy: Policy = { tiers: [{ match: { tags: ['main'] } }], affinity: { by: 'zone' } };
    const branches = branchesOf(serviceFrom('a/h/main@us b/h/@eu c/h/@us', policy), [], ZONES);
    const { pool } = branches.at(branches.choose(askerAt('10.1.0.1'), countingTurns()));
    assert.deepEqual([idsOf(pool.active), idsOf(pool.answerable)], ['a', 'a b']);
  });

  it('pins before tiers, so that a client fails over among its own', () => {
    const policy: Policy = { tiers: [{ match: { tags: ['main'] } }], affinity: { by: 'zone', mode: 'pin' } };
    const branches = branchesOf(serviceFrom('a/h/main@us b/h/@eu c/h/@us', policy), [], ZONES);
    const { pool } = branches.at(branches.choose(askerAt('10.1.0.1'), countingTurns()));
    assert.deepEqual([idsOf(pool.active), idsOf(pool.answerable)], ['b', 'b']);
  });

  it('prefers those near among all that `whenAllUnhealthy` answers only when nobody is well', () => {
    const policy: Policy = { affinity: { by: 'zone' }, whenAllUnhealthy: 'all' };
    assert.equal(gotBy('10.1.0.1', 'a/u/@eu b/u/@us', policy, [], ZONES), 'a');
    assert.equal(gotBy('10.1.0.1', 'a/u/@eu b/h/@us', policy, [], ZONES), 'b');
    const few: Policy = { ...policy, minHealthyFraction: 0.9 };
    assert.equal(gotBy('10.1.0.1', 'a/u/@eu b/h/@us', few, [], ZONES), 'a b');
  });

  it('pinned clients fall back from a canary that has none of theirs', () => {
    const policy: Policy = { routes: [{ match: { tags: ['v2'] } }], affinity: { by: 'zone', mode: 'pin' } };
    assert.equal(gotBy('10.1.0.1', 'a/h/@eu b/h/v2@us', policy, [], ZONES), 'a');
    assert.equal(gotBy('10.2.0.1', 'a/h/@eu b/h/v2@us', policy, [], ZONES), 'b');
  });
});

describe('branches', () => {
  it('are one where the policy does not ask who asks', () => {
    for (const policy of [undefined, {}, { tiers: [{ match: { tags: ['x'] } }] }]) {
      assert.ok(branchesOf(serviceFrom('a/h', policy), [], ZONES).isFixed, JSON.stringify(policy));
    }
    assert.ok(branchesOf(serviceFrom('a/h/v2', CANARY), ['v2'], ZONES).isFixed, 'names of tags bypass routes');
  });

  it('have names of their own that outlive changes of the instances', () => {
    const policy: Policy = { ...CANARY, affinity: { by: 'zone' } };
    const nameFor = (members: string, client: string) => {
      const branches = branchesOf(serviceFrom(members, policy), [], ZONES);
      return branches.nameOf(branches.explain(askerAt(client)).ways[0]!.branch);
    };
    for (const members of ['a/h/@us b/h/v2@eu', 'b/h/v2@eu a/h/@us c/h/@mars', 'a/u/@us b/d/v2@eu']) {
      assert.equal(nameFor(members, '10.1.0.1'), 'route:0 home:eu');
      assert.equal(nameFor(members, '10.2.0.1'), 'route:0 home:us');
      assert.equal(nameFor(members, OUTSIDE), '');
    }
  });

  it('with the same instances behind them are one', () => {
    const policy: Policy = { ...CANARY, affinity: { by: 'zone' } };
    const chosenBy = (members: string, ...clients: string[]) => {
      const branches = branchesOf(serviceFrom(members, policy), [], ZONES);
      return new Set(clients.map((client) => branches.choose(askerAt(client), countingTurns()))).size;
    };
    assert.equal(chosenBy('a/h b/u/v2', INSIDE, OUTSIDE), 1, 'a canary that is down is the general pool');
    assert.equal(chosenBy('a/h b/h/v2', INSIDE, OUTSIDE), 2);
    assert.equal(chosenBy('a/h/v2@eu b/u/v2@us', '10.1.0.1', '10.2.0.1', '10.3.0.1'), 2, 'nobody near is to be had');
    assert.equal(chosenBy('a/h/v2@eu b/h/v2@us', '10.1.0.1', '10.2.0.1', '10.3.0.1'), 3);
  });

  it('tell the ways that answers to a client go', () => {
    const policy: Policy = { routes: [{ match: { tags: ['v2'] }, percent: 25 }], affinity: { by: 'zone' } };
    const branches = branchesOf(serviceFrom('a/h/@us b/h/v2@eu c/u/@eu', policy), [], ZONES);
    const { routes, ways } = branches.explain(askerAt('10.1.0.1'));
    assert.deepEqual(routes, [{ route: 0, outcome: 'some', part: 0.25 }]);
    const told = ways.map(({ branch, route, part }) => {
      const { pool, home, source } = branches.at(branch);
      return { route, part, home, source, ids: idsOf(pool.answerable) };
    });
    assert.deepEqual(told, [
      { route: 0, part: 0.25, home: 'eu', source: 'own', ids: 'b' },
      { route: -1, part: 0.75, home: 'eu', source: 'own', ids: 'a' },
    ]);
  });

  it('follow a rollout', () => {
    const policy: Policy = {
      routes: [{ match: { tags: ['v2'] }, percent: 100 }],
      steps: [
        { route: 0, percent: 0, forMs: 1000 },
        { route: 0, percent: 100 },
      ],
    };
    // Steps that have not been stored yet are at their first.
    assert.equal(gotBy(INSIDE, 'a/h b/h/v2', policy), 'a');
  });
});
