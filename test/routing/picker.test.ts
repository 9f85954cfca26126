// picker.test.ts -- one instance for one request: the shares of the answers, routes, homes, and whom else there is

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { branchesOf } from '../../src/routing/branches.ts';
import { ClientZones, NO_CLIENT_ZONES } from '../../src/routing/client-zones.ts';
import { planFor } from '../../src/routing/pool.ts';
import { PickBench, requestFrom, requestOf } from '../support/picks.ts';
import { countingTurns, idsOf, serviceFrom } from '../support/routing.ts';

const V2 = { match: { tags: ['v2'] } };
const NINETY_NINE = Array.from({ length: 99 }, (_, i) => `i${i}/h`).join(' ');

function benchOf(members: string, policy?: Policy, options?: ConstructorParameters<typeof PickBench>[1]): PickBench {
  return new PickBench(serviceFrom(members, policy), options);
}

function isNear(value: number | undefined, expected: number, by: number, what: string): void {
  assert.ok(Math.abs((value ?? 0) - expected) <= by, `${what}: ${value}, not ${expected}`);
}

/** By candidate, how often it comes first in the answers that a plan of the same candidates draws. */
function firstInAnswers(members: string, policy: Policy, draws: number): Record<string, number> {
  const { answerable } = branchesOf(serviceFrom(members, policy), [], NO_CLIENT_ZONES).at(0).pool;
  const candidates = answerable.map(({ instance: { id, weight } }) => ({ key: id, id, weight }));
  const plan = planFor(policy, candidates, { limit: 8 });
  const [random, order] = [seededRandom(7), new Uint16Array(8)];
  const counts: Record<string, number> = {};
  for (let turn = 0; turn < draws; turn++) {
    plan.draw(8, { turn, random, client: requestOf(turn).client }, order);
    const { key } = candidates[order[0]!]!;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

describe('picks have the shares of the answers', () => {
  const rows: readonly (readonly [strategy: NonNullable<Policy['strategy']>, members: string, tolerance: number])[] = [
    ['round-robin', 'a/h b*5/h c/h s*0/h', 0.0001],
    ['weighted', 'a*1/h b*5/h c*10/w s*0/h', 0.005],
    ['weighted', 'a*1/h b*999/h', 0.005],
    ['random', 'a/h b*5/h c/h s*0/h', 0.02],
    ['hash', 'a/h b*5/h c*2/h s*0/h', 0.0001],
    ['subset', 'a/h b*5/h c/h d/h e/h f/h g/h h/h i/h j/h k/h l/h', 0.02],
    ['failover', 'a/h b*5/h c/h', 0],
  ];
  const picks = 16_000;
  for (const [strategy, members, tolerance] of rows) {
    it(`${strategy}: ${members}`, () => {
      const policy: Policy = { strategy };
      const counts = benchOf(members, policy).count(picks);
      const expected = firstInAnswers(members, policy, picks);
      assert.deepEqual(Object.keys(counts).sort(), Object.keys(expected).sort());
      for (const [id, count] of Object.entries(expected)) isNear(counts[id], count, picks * tolerance + 1, id);
    });
  }

  it('weighted while one warns', () => {
    const counts = benchOf('a*10/h b*10/w', { strategy: 'weighted', warningWeight: 0.1 }).count(11_000);
    isNear(counts.b, 1000, 5, 'picks of the one that warns');
  });
});

describe('a client', () => {
  it('keeps its instance with hash, and only those of one that went get another', () => {
    const policy: Policy = { strategy: 'hash' };
    const bench = benchOf('a/h b/h c/h', policy);
    const before = Array.from({ length: 500 }, (_, i) => bench.pick(requestOf(i)));
    assert.deepEqual(
      Array.from({ length: 500 }, (_, i) => bench.pick(requestOf(i))),
      before,
    );
    bench.change(serviceFrom('a/h c/h', policy));
    for (const [i, id] of before.entries()) {
      if (id !== 'b') assert.equal(bench.pick(requestOf(i)), id, `client ${i}`);
    }
    assert.equal(new Set(before).size, 3);
  });

  it('has as many with subset as an answer has, always the same', () => {
    const bench = benchOf(NINETY_NINE, { strategy: 'subset', maxAnswers: 3 });
    const few = new Set(Array.from({ length: 300 }, () => bench.pick(requestOf(1))));
    assert.equal(few.size, 3);
    const others = new Set(Array.from({ length: 300 }, () => bench.pick(requestOf(2))));
    assert.notDeepEqual([...others].sort(), [...few].sort());
    const own = [...few] as string[];
    for (const left of own) {
      const refused = own.filter((id) => id !== left);
      for (let i = 0; i < 20; i++) assert.equal(bench.pick(requestOf(1), refused), left, 'of its few first');
    }
    assert.ok(!few.has(bench.pick(requestOf(1), own)), 'somebody else when all its few are refused');
  });
});

describe('a canary', () => {
  const members = `${NINETY_NINE} canary/h/v2`;

  it('gets its percent of the requests', () => {
    const bench = benchOf(members, { routes: [{ ...V2, percent: 1 }] });
    isNear(bench.count(20_000, () => requestOf(5)).canary, 200, 2, 'picks of the canary');
  });

  for (const [what, sticky, isSticky] of [
    ['its policy is sticky', true, false],
    ['the asker is', false, true],
  ] as const) {
    it(`gets its percent of the clients where ${what}`, () => {
      const bench = benchOf(members, { routes: [{ ...V2, percent: 1, sticky }] });
      const sent = Array.from({ length: 20_000 }, (_, i) => bench.pick(requestOf(i, isSticky)) === 'canary');
      isNear(sent.filter(Boolean).length, 200, 45, 'clients of the canary');
      const again = Array.from({ length: 20_000 }, (_, i) => bench.pick(requestOf(i, isSticky)) === 'canary');
      assert.deepEqual(again, sent);
    });
  }

  it('keeps the clients of a smaller percent as it grows', () => {
    const policyOf = (percent: number): Policy => ({ routes: [{ ...V2, percent }] });
    const bench = benchOf(members, policyOf(5));
    const clients = Array.from({ length: 2000 }, (_, i) => requestOf(i, true));
    const first = clients.filter((each) => bench.pick(each) === 'canary');
    bench.change(serviceFrom(members, policyOf(50)));
    assert.ok(first.length > 50, `${first.length} clients`);
    assert.ok(
      first.every((each) => bench.pick(each) === 'canary'),
      'some lost the canary',
    );
  });

  it('concerns the clients of its networks only', () => {
    const bench = benchOf(members, { routes: [{ ...V2, client: ['10.0.0.0/8'] }] });
    assert.equal(bench.pick(requestFrom('10.9.9.9')), 'canary');
    assert.notEqual(bench.pick(requestFrom('192.0.2.1')), 'canary');
  });

  it('is bypassed by tags', () => {
    const bench = benchOf('a/h/eu b/h/eu,v2 c/h', { routes: [{ ...V2, percent: 0 }] }, { tags: ['eu'] });
    assert.deepEqual(bench.count(10), { a: 5, b: 5 });
  });

  it('hands its requests to the general pool when it is refused, and takes theirs when they all are', () => {
    const bench = benchOf('a/h b/h canary/h/v2', { routes: [V2] });
    assert.equal(bench.pick(), 'canary');
    assert.match(String(bench.pick(undefined, ['canary'])), /^[ab]$/);
    assert.equal(bench.pick(undefined, ['canary', 'a']), 'b');
    assert.equal(bench.pick(undefined, ['canary', 'a', 'b']), undefined);
    bench.change(serviceFrom('a/h b/h canary/h/v2', { routes: [{ ...V2, percent: 0 }] }));
    assert.equal(bench.pick(undefined, ['a', 'b']), 'canary');
  });

  it('hands them to another route when there is no general pool', () => {
    const bench = benchOf('x/h/v2 y/h/v3', { routes: [V2, { match: { tags: ['v3'] }, percent: 0 }] });
    assert.equal(bench.pick(), 'x');
    assert.equal(bench.pick(undefined, ['x']), 'y');
  });
});

describe('tiers', () => {
  const tiers = [{ match: { tags: ['one'] }, spillBelow: 0.6 }, { match: { tags: ['two'] } }];

  it('are asked in order, and those of weight 0 behind all', () => {
    const bench = benchOf('a/h/one z*0/h/one b/h/two c/h', { tiers });
    const order: string[] = [];
    for (let id = bench.pick(); id !== undefined; id = bench.pick(undefined, order)) order.push(id);
    assert.deepEqual(order, ['a', 'b', 'c', 'z']);
  });

  it('begin with the active one', () => {
    const bench = benchOf('a/h/one b/u/one c/h/two d/h', { tiers });
    assert.deepEqual(
      [[], ['c'], ['c', 'a']].map((refused) => bench.pick(undefined, refused)),
      ['c', 'a', 'd'],
    );
  });
});

describe('affinity by zone', () => {
  const zones = new ClientZones([
    { zone: 'east', networks: [parsePrefix('10.0.0.0/8')!] },
    { zone: 'west', networks: [parsePrefix('192.0.2.0/24')!] },
  ]);
  const members = 'a/h/@east b/h/v2@east c/h/@west d/h/v2@west';
  const EAST = requestFrom('10.0.0.1');

  it('prefers those of the home, then others of the route, then of the general pool', () => {
    const bench = benchOf(members, { affinity: { by: 'zone' }, routes: [V2] }, { zones });
    const order: string[] = [];
    for (let id = bench.pick(EAST); id !== undefined; id = bench.pick(EAST, order)) order.push(id);
    assert.deepEqual(order, ['b', 'd', 'a', 'c']);
  });

  it('never leaves a home that clients are pinned to', () => {
    const bench = benchOf(members, { affinity: { by: 'zone', mode: 'pin' }, routes: [V2] }, { zones });
    const order: string[] = [];
    for (let id = bench.pick(EAST); id !== undefined; id = bench.pick(EAST, order)) order.push(id);
    assert.deepEqual(order, ['b', 'a']);
    assert.equal(bench.pick(requestFrom('203.0.113.1')), undefined);
  });
});

describe('who may not be used', () => {
  for (const strategy of [
    'round-robin',
    'random',
    'weighted',
    'hash',
    'subset',
    'failover',
    'least-connections',
    'latency',
  ] as const) {
    it(`is passed over until there is nobody left: ${strategy}`, () => {
      const bench = benchOf('a/h b*3/h c/h d*2/h e*0/h', { strategy });
      const order: string[] = [];
      for (let id = bench.pick(); id !== undefined; id = bench.pick(undefined, order)) order.push(id);
      assert.deepEqual([...order].sort(), ['a', 'b', 'c', 'd', 'e']);
      assert.equal(order.at(-1), 'e');
    });
    it(`is passed over among very many: ${strategy}`, () => {
      const bench = benchOf(NINETY_NINE, { strategy });
      const all = [...bench.service!.instances.keys()];
      for (const left of ['i0', 'i42', 'i98']) {
        const refused = all.filter((id) => id !== left);
        assert.equal(bench.pick(requestOf(3), refused), left);
      }
      assert.equal(bench.pick(requestOf(3), all), undefined);
    });
  }

  for (const strategy of ['round-robin', 'weighted'] as const) {
    it(`leaves the others their even shares: ${strategy}`, () => {
      const bench = benchOf('a/h b/h c/h d/h', { strategy });
      const counts: Record<string, number> = {};
      for (let i = 0; i < 3000; i++) {
        const id = bench.pick(undefined, ['b'])!;
        counts[id] = (counts[id] ?? 0) + 1;
      }
      assert.deepEqual(counts, { a: 1000, c: 1000, d: 1000 });
    });
  }
});

describe('who is answered', () => {
  const rows: readonly (readonly [members: string, policy: Policy | undefined, picked: string])[] = [
    ['a/h b/w c/u d/p e/d f/m', undefined, 'a b'],
    ['a/u b/u c/d', undefined, ''],
    ['a/u b/u c/d', { whenAllUnhealthy: 'all' }, 'a b'],
    ['a/h b/u c/u', { minHealthyFraction: 0.5 }, ''],
    ['a/h b/u c/u', { minHealthyFraction: 0.5, whenAllUnhealthy: 'all' }, 'a b c'],
    ['a*0/h b*0/h', undefined, 'a b'],
    ['a*0/h b/h', undefined, 'b'],
    ['', undefined, ''],
  ];
  for (const [members, policy, picked] of rows) {
    it(`${picked || 'nobody'} of ${members || 'nobody'} under ${JSON.stringify(policy)}`, () => {
      const counts = benchOf(members, policy).count(60);
      assert.equal(Object.keys(counts).sort().join(' '), picked || 'undefined');
      const branches = branchesOf(serviceFrom(members, policy), [], NO_CLIENT_ZONES);
      const { pool } = branches.at(branches.choose(requestOf(0), countingTurns()));
      if (!members.includes('*0')) assert.equal(idsOf(pool.answerable), picked);
    });
  }
});

describe('a change', () => {
  it('leaves the rotation where it is', () => {
    const bench = benchOf('a/h b/h c/h d/h');
    const picked = Array.from({ length: 40 }, () => {
      bench.change(serviceFrom('a/h b/h c/h d/h', undefined));
      return bench.pick();
    });
    for (const [i, id] of picked.entries()) if (i >= 4) assert.equal(id, picked[i - 4], `pick ${i}`);
    assert.equal(new Set(picked).size, 4);
  });

  it('leaves the turns of a canary where they are', () => {
    const policy: Policy = { routes: [{ ...V2, percent: 25 }] };
    const bench = benchOf('a/h b/h/v2', policy);
    const count = Array.from({ length: 4000 }, () => {
      bench.change(serviceFrom('a/h b/h/v2', policy));
      return bench.pick();
    }).filter((id) => id === 'b').length;
    isNear(count, 1000, 3, 'picks of the canary');
  });

  it('brings new ones in, and takes others out, at once', () => {
    const bench = benchOf('a/h b/h');
    bench.count(3);
    bench.change(serviceFrom('b/u c/h', undefined));
    assert.deepEqual(bench.count(4), { c: 4 });
  });

  it('of the strategy takes hold', () => {
    const bench = benchOf('a/h b/h', { strategy: 'least-connections' });
    bench.count(3);
    bench.change(serviceFrom('a/h b/h', { strategy: 'failover' }));
    assert.deepEqual(bench.count(4), { a: 4 });
  });

  it('that takes the service away leaves nobody, until it is there again', () => {
    const bench = benchOf('a/h');
    bench.change(undefined);
    assert.equal(bench.pick(), undefined);
    bench.service = serviceFrom('b/h', undefined);
    assert.equal(bench.pick(), 'b');
  });

  it('goes on with those that are there when many rotations come and go', () => {
    const tiers = Array.from({ length: 10 }, (_, i) => ({ match: { tags: [`t${i}`] } }));
    const bench = benchOf('a/h');
    for (let i = 0; i < 50; i++) {
      bench.change(serviceFrom(`a/h/t${i % 10} b/h`, { tiers, strategy: i % 2 === 0 ? 'latency' : 'weighted' }));
      assert.equal(bench.pick(), 'a');
    }
  });
});

describe('several processes', () => {
  it('do not all begin with the same instance', () => {
    for (const strategy of ['round-robin', 'weighted', 'least-connections'] as const) {
      const firsts = Array.from({ length: 30 }, (_, seed) => benchOf('a/h b/h c/h', { strategy }, { seed }).pick());
      assert.equal(new Set(firsts).size, 3, strategy);
    }
  });
});
