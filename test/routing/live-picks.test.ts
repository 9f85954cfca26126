// live-picks.test.ts -- least-connections and latency, request by request, over simulated minutes

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Member } from '../../src/registry/member.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { PickBench, quantile, requestOf, type Served, simulate } from '../support/picks.ts';
import { serviceFrom } from '../support/routing.ts';

type Live = 'least-connections' | 'latency';

const SLOW = 'i7';
const TWENTY = membersNumbered(20);

function membersNumbered(count: number): string {
  return Array.from({ length: count }, (_, i) => `i${i}/h`).join(' ');
}

function benchOf(strategy: Live, members = TWENTY, more: Policy = {}): PickBench {
  return new PickBench(serviceFrom(members, { strategy, ...more }));
}

/** The same with readings of some members. */
function benchWith(strategy: Live, members: string, readings: Readonly<Record<string, Partial<Member>>>): PickBench {
  const service = serviceFrom(members, { strategy });
  const instances = new Map([...service.instances].map(([id, member]) => [id, { ...member, ...readings[id] }]));
  return new PickBench({ ...service, instances });
}

/** Requests that are under way with an instance. */
function occupy(bench: PickBench, load: Readonly<Record<string, number>>): void {
  for (const [id, count] of Object.entries(load)) for (let i = 0; i < count; i++) bench.loadOf(id).begin();
}

/** Part of an equal share of `count` that one of them got. */
function shareOf(id: string, served: readonly Served[], count = 20): number {
  return (served.filter((each) => each.id === id).length / served.length) * count;
}

function isBetween(value: number, least: number, most: number, what: string): void {
  assert.ok(value >= least && value <= most, `${what}: ${value} is not in ${least}..${most}`);
}

describe('one of twenty instances is ten times slower', () => {
  const rows: readonly (readonly [what: string, strategy: Live, workers: number, isRandom: boolean])[] = [
    ['constant times, one by one', 'least-connections', 1, false],
    ['constant times, many at once', 'least-connections', 64, false],
    ['exponential times, one by one', 'least-connections', 1, true],
    ['exponential times, many at once', 'least-connections', 64, true],
    ['constant times, many at once', 'latency', 64, false],
  ];
  for (const [what, strategy, workers, isRandom] of rows) {
    it(`gets next to nothing: ${strategy}, ${what}`, () => {
      const bench = benchOf(strategy);
      const spread = (): number => (isRandom ? -Math.log(1 - bench.random.next()) : 1);
      const serviceMs = (id: string): number => (id === SLOW ? 100 : 10) * spread();
      const served = simulate(bench, { perSecond: 1000, seconds: 60, serviceMs, workers });
      const healthy = served.filter(({ id }) => id !== SLOW);
      isBetween(shareOf(SLOW, served), 0.001, 0.2, 'share of the slow one');
      isBetween(quantile(served, 0.99) / quantile(healthy, 0.99), 1, 1.5, 'p99 of all by that of the healthy');
      for (const id of bench.service!.instances.keys()) {
        if (id !== SLOW) isBetween(shareOf(id, healthy, 19), 0.8, 1.2, `share of ${id}`);
      }
      const tries = served.filter(({ id }) => id === SLOW).map(({ beganMs }) => beganMs);
      const longestMs = Math.max(...[...tries, 60_000].map((ms, i) => ms - (tries[i - 1] ?? 0)));
      assert.ok(longestMs < 15_000, `is not tried for ${longestMs} ms`);
    });
  }

  for (const strategy of ['least-connections', 'latency'] as const) {
    it(`gets its share again within thirty seconds of its recovery: ${strategy}`, () => {
      const bench = benchOf(strategy);
      const serviceMs = (id: string, nowMs: number): number => (id === SLOW && nowMs < 30_000 ? 100 : 10);
      const served = simulate(bench, { perSecond: 1000, seconds: 70, serviceMs, workers: 64 });
      const between = (fromMs: number, toMs: number) =>
        served.filter(({ beganMs }) => beganMs >= fromMs && beganMs < toMs);
      isBetween(shareOf(SLOW, between(5000, 30_000)), 0.001, 0.2, 'share while it is slow');
      isBetween(shareOf(SLOW, between(60_000, 70_000)), 0.8, 1.2, 'share after thirty seconds');
    });
  }

  it('gets little where there is little to do, and the others share the rest', () => {
    const bench = benchOf('least-connections');
    const serviceMs = (id: string): number => (id === SLOW ? 100 : 10);
    const served = simulate(bench, { perSecond: 20, seconds: 300, serviceMs, workers: 64 });
    for (const id of bench.service!.instances.keys()) {
      if (id === SLOW) isBetween(shareOf(id, served), 0.01, 0.2, 'share of the slow one');
      else isBetween(shareOf(id, served), 0.9, 1.2, `share of ${id}`);
    }
  });

  it('is kept back while changes come all the time', () => {
    const bench = benchOf('least-connections');
    const serviceMs = (id: string): number => {
      bench.picker.changed();
      return id === SLOW ? 100 : 10;
    };
    const served = simulate(bench, { perSecond: 1000, seconds: 20, serviceMs, workers: 64 });
    isBetween(shareOf(SLOW, served), 0.001, 0.2, 'share of the slow one');
  });

  it('gets next to nothing among very many', () => {
    const bench = benchOf('least-connections', membersNumbered(200));
    const serviceMs = (id: string): number => (id === SLOW ? 100 : 10);
    const served = simulate(bench, { perSecond: 1000, seconds: 60, serviceMs, workers: 64 });
    isBetween(shareOf(SLOW, served, 200), 0.001, 0.3, 'share of the slow one');
    for (const id of ['i0', 'i99', 'i199']) isBetween(shareOf(id, served, 200), 0.7, 1.3, `share of ${id}`);
  });
});

describe('least-connections', () => {
  const rows: readonly (readonly [members: string, load: Readonly<Record<string, number>>, picked: string])[] = [
    ['a/h b/h c/h', { a: 2, b: 1, c: 2 }, 'b'],
    ['a/h b/h c/h', { a: 1, b: 1 }, 'c'],
    ['a*3/h b*1/h', { a: 2, b: 1 }, 'a'],
    ['a*3/h b*1/h', { a: 6, b: 1 }, 'b'],
    ['a*0/h b/h', { b: 50 }, 'b'],
    ['a*0/h b*0/h', { b: 1 }, 'a'],
  ];
  for (const [members, load, picked] of rows) {
    it(`picks ${picked} of ${members} with ${JSON.stringify(load)}`, () => {
      const bench = benchOf('least-connections', members);
      occupy(bench, load);
      for (let i = 0; i < 5; i++) assert.equal(bench.pick(), picked);
    });
  }

  it('shares by weight where nothing is under way', () => {
    const counts = benchOf('least-connections', 'a*3/h b*1/h c*6/h').count(10_000);
    for (const [id, share] of [
      ['a', 3000],
      ['b', 1000],
      ['c', 6000],
    ] as const) {
      isBetween(counts[id]!, share - 50, share + 50, `picks of ${id}`);
    }
  });

  it('counts half of the weight of one that warms up half', () => {
    const counts = benchWith('least-connections', 'a/h b/h', { b: { warmth: 0.5 } }).count(900);
    isBetween(counts.b!, 298, 302, 'picks of the cold one');
  });

  it('goes on to the next least when the least is refused', () => {
    const bench = benchOf('least-connections', 'a/h b/h c/h');
    occupy(bench, { b: 1, c: 2 });
    assert.deepEqual(
      [['a'], ['a', 'b'], ['a', 'b', 'c']].map((refused) => bench.pick(undefined, refused)),
      ['b', 'c', undefined],
    );
  });

  it('hears of the load of one that had none when it began', () => {
    const bench = benchOf('least-connections', 'a/h b/h');
    const first = bench.pick()!;
    occupy(bench, { [first]: 9 });
    for (let i = 0; i < 5; i++) assert.notEqual(bench.pick(), first);
  });

  it('sends less to those that others keep busy, and never everything to the idle one', () => {
    const bench = benchWith('least-connections', 'a/h b/h c/h', {
      a: { connections: 40 },
      b: { connections: 20 },
      c: { connections: 20 },
    });
    const counts = bench.count(10_000);
    isBetween(counts.a! / counts.b!, 0.4, 0.65, 'picks of the busy one by those of another');
    isBetween(counts.c! / counts.b!, 0.9, 1.1, 'picks of one by those of its like');
  });

  it('does not count what is under way here twice', () => {
    const bench = benchWith('least-connections', 'a/h b/h', { a: { connections: 10 }, b: { connections: 0 } });
    occupy(bench, { a: 10, b: 10 });
    const counts = bench.count(1000);
    isBetween(counts.a!, 490, 510, 'picks of the one that we keep busy');
  });

  it('takes the tier that is active, whatever is under way in it', () => {
    const tiers = [{ match: { tags: ['eu'] } }];
    const bench = benchOf('least-connections', 'a/h/eu b/h c/h/eu', { tiers });
    occupy(bench, { a: 5, c: 6 });
    assert.equal(bench.pick(), 'a');
    assert.equal(bench.pick(undefined, ['a', 'c']), 'b');
  });

  it('finds the one of very many that may be used', () => {
    const bench = benchOf('least-connections', membersNumbered(300));
    const all = [...bench.service!.instances.keys()];
    assert.equal(bench.pick(requestOf(0), all.slice(1)), 'i0');
    assert.equal(bench.pick(requestOf(0), all), undefined);
  });

  it('shares by weight among very many', () => {
    const bench = benchOf('least-connections', `big*100/h ${membersNumbered(100)}`);
    isBetween(bench.count(20_000).big!, 9500, 10_500, 'picks of the one with half of the weight');
  });
});

describe('latency', () => {
  it('prefers those that answered sooner, and tries the others', () => {
    const bench = benchOf('latency', 'a/h b/h c/h');
    bench.loadOf('a').sample(10, 0);
    bench.loadOf('b').sample(11, 0);
    bench.loadOf('c').sample(36, 0);
    // Three times as slow as what is tolerated: a ninth.
    const counts = bench.count(19_000);
    isBetween(counts.a!, 8950, 9050, 'picks of the best');
    isBetween(counts.b!, 8950, 9050, 'picks of one as good');
    isBetween(counts.c!, 950, 1050, 'picks of the slow one');
  });

  it('goes by what checks tell of those that nothing was sent to', () => {
    const bench = benchWith('latency', 'a/h b/h', { a: { latencyMs: 10 }, b: { latencyMs: 24 } });
    const counts = bench.count(1000);
    isBetween(counts.b!, 195, 205, 'picks of the slow one');
  });

  it('turns to others when the best is busy', () => {
    const bench = benchOf('latency', 'a/h b/h');
    bench.loadOf('a').sample(10, 0);
    bench.loadOf('b').sample(24, 0);
    occupy(bench, { a: 4 });
    assert.equal(bench.pick(), 'b');
  });
});
