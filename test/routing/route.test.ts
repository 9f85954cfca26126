// route.test.ts -- which route takes an answer: shares, stickiness, clients, and several routes together

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Route } from '../../src/registry/policy.ts';
import { GENERAL, RouteTable } from '../../src/routing/route.ts';
import { askerAt, askerNumber, countingTurns } from '../support/routing.ts';

const match = { tags: ['v2'] };
const CLIENTS = 1_000_000;

/** How many of `count` answers, to one client or to as many, each route takes; the general pool's last. */
function sharesOf(routes: readonly Route[], count: number, isManyClients: boolean): number[] {
  const table = new RouteTable(routes, 'web');
  const turns = countingTurns();
  const one = askerAt('192.0.2.1');
  const counts = [...routes.map(() => 0), 0];
  for (let i = 0; i < count; i++) {
    const route = table.choose(isManyClients ? askerNumber(i) : one, turns);
    counts[route === GENERAL ? routes.length : route]!++;
  }
  return counts;
}

describe('a share of the answers', () => {
  for (const percent of [0.01, 0.5, 1, 12.34, 50, 99.99]) {
    it(`of ${percent} % is exact, over any stretch of answers`, () => {
      const [taken] = sharesOf([{ match, percent }], 100_000, false);
      assert.ok(Math.abs(taken! - percent * 1000) <= 2, `${taken} of 100000`);
      const [early] = sharesOf([{ match, percent }], 1000, false);
      assert.ok(Math.abs(early! - percent * 10) <= 2, `${early} of 1000`);
    });
  }

  it('of nothing or everything takes no turn', () => {
    for (const [percent, route] of [
      [0, GENERAL],
      [100, 0],
      [undefined, 0],
    ] as const) {
      const turns = countingTurns();
      const table = new RouteTable([{ match, ...(percent === undefined ? {} : { percent }) }], 'web');
      assert.equal(table.choose(askerAt('192.0.2.1'), turns), route);
      assert.equal(turns.taken, 0);
    }
  });

  it('does not overlap with that of other routes', () => {
    const routes = [1, 10, 25].map((percent) => ({ match, percent }));
    assert.deepEqual(
      sharesOf(routes, 100_000, false).map((count) => Math.round(count / 100) / 10),
      [1, 10, 25, 64],
    );
  });
});

describe('routes that ask for more than there is', () => {
  const rows: readonly (readonly [name: string, routes: readonly Route[], percents: number[]])[] = [
    [
      'sticky before others',
      [
        { match, percent: 80, sticky: true },
        { match, percent: 50 },
      ],
      [80, 10, 10],
    ],
    [
      'others before sticky',
      [
        { match, percent: 50 },
        { match, percent: 80, sticky: true },
      ],
      [50, 40, 10],
    ],
    [
      'others',
      [
        { match, percent: 80 },
        { match, percent: 50 },
        { match, percent: 5 },
      ],
      [80, 20, 0, 0],
    ],
    ['sticky', [80, 50, 5].map((percent) => ({ match, percent, sticky: true })), [80, 20, 0, 0]],
    ['everything twice', [{ match }, { match }], [100, 0, 0]],
    [
      'a wide network first',
      [
        { match, client: ['10.0.0.0/8'] },
        { match, client: ['10.0.0.0/9'] },
      ],
      [100, 0, 0],
    ],
    [
      'a narrow network first',
      [
        { match, client: ['10.0.0.0/15'], percent: 30 },
        { match, client: ['10.0.0.0/8'] },
      ],
      [30 * 0.13107, 100 - 30 * 0.13107, 0],
    ],
  ];
  for (const [name, routes, percents] of rows) {
    it(`have what those before them leave: ${name}`, () => {
      const shares = sharesOf(routes, CLIENTS, true).map((count) => (count / CLIENTS) * 100);
      for (const [i, expected] of percents.entries()) {
        assert.ok(Math.abs(shares[i]! - expected) < 0.2, `${shares} instead of ${percents}`);
      }
    });
  }
});

describe('a sticky share', () => {
  it('of 1 % is 1 % +- 0.1 % of a million clients', () => {
    const [taken] = sharesOf([{ match, percent: 1, sticky: true }], CLIENTS, true);
    assert.ok(Math.abs(taken! / CLIENTS - 0.01) < 0.001, `${taken} of ${CLIENTS}`);
  });

  it('is of the same clients every time, on every node, and takes no turn', () => {
    const [here, there] = [0, 1].map(() => new RouteTable([{ match, percent: 20, sticky: true }], 'web'));
    const turns = countingTurns();
    for (let i = 0; i < 1000; i++) {
      const first = here!.choose(askerNumber(i), turns);
      for (const table of [here!, there!]) assert.equal(table.choose(askerNumber(i), turns), first, `client ${i}`);
    }
    assert.equal(turns.taken, 0);
  });

  it('keeps its clients when it grows', () => {
    const tables = [1, 5, 25, 100].map((percent) => new RouteTable([{ match, percent, sticky: true }], 'web'));
    const turns = countingTurns();
    for (let i = 0; i < 20_000; i++) {
      const route = tables.map((table) => table.choose(askerNumber(i), turns));
      assert.deepEqual(route, route.toSorted(), `client ${i} is never put out again`);
    }
  });

  it('is of other clients in another service', () => {
    const [a, b] = ['web', 'cart'].map((service) => new RouteTable([{ match, percent: 10, sticky: true }], service));
    const turns = countingTurns();
    let both = 0;
    for (let i = 0; i < 100_000; i++) {
      if (a!.choose(askerNumber(i), turns) === 0 && b!.choose(askerNumber(i), turns) === 0) both++;
    }
    assert.ok(Math.abs(both - 1000) < 200, `${both} of 100000 are in both`);
  });

  it('does not overlap with that of other routes', () => {
    const routes = [1, 10, 25].map((percent) => ({ match, percent, sticky: true }));
    const shares = sharesOf(routes, CLIENTS, true).map((count) => (count / CLIENTS) * 100);
    for (const [i, expected] of [1, 10, 25, 64].entries()) {
      assert.ok(Math.abs(shares[i]! - expected) < 0.2, `${shares[i]} % instead of ${expected} %`);
    }
  });
});

describe('a route for some clients', () => {
  const routes: readonly Route[] = [
    { match, client: ['10.1.0.0/16', '2001:db8::/32'] },
    { match, client: ['10.0.0.0/8'], percent: 0 },
    { match, client: ['10.0.0.0/8', '192.0.2.7'] },
  ];
  const table = new RouteTable(routes, 'web');
  const rows: readonly (readonly [client: string, route: number])[] = [
    ['10.1.2.3', 0],
    ['2001:db8::1', 0],
    ['10.2.0.1', 2],
    ['192.0.2.7', 2],
    ['192.0.2.8', GENERAL],
    ['2001:db9::1', GENERAL],
    // Known in part: only where all of it is meant.
    ['10.1.2.0/24', 0],
    ['10.0.0.0/8', 2],
    ['192.0.2.0/24', GENERAL],
    ['2001:db8:5::/48', 0],
    ['2001:d00::/24', GENERAL],
  ];
  for (const [client, route] of rows) {
    it(`${client}: ${route === GENERAL ? 'the general pool' : `route ${route}`}`, () => {
      assert.equal(table.choose(askerAt(client), countingTurns()), route);
    });
  }

  it('takes its share of these clients', () => {
    const some = new RouteTable([{ match, client: ['10.0.0.0/16'], percent: 50, sticky: true }], 'web');
    let taken = 0;
    for (let i = 0; i < 131_072; i++) {
      const isTaken = some.choose(askerNumber(i), countingTurns()) === 0;
      assert.ok(!isTaken || i < 65_536, `client ${i} is not concerned`);
      if (isTaken) taken++;
    }
    assert.ok(Math.abs(taken - 32_768) < 700, `${taken} of 65536`);
  });
});

describe('what routes do for a client, told', () => {
  const of = (routes: readonly Route[], client = '10.0.0.1') => new RouteTable(routes, 'web').explain(askerAt(client));

  it('is how much each takes, and why', () => {
    assert.deepEqual(
      of([
        { match, client: ['10.9.0.0/16'] },
        { match, percent: 25 },
        { match, percent: 0 },
      ]),
      {
        routes: [
          { route: 0, outcome: 'client', part: 0 },
          { route: 1, outcome: 'some', part: 0.25 },
          { route: 2, outcome: 'share', part: 0 },
        ],
        general: 0.75,
      },
    );
    assert.deepEqual(
      of([
        { match, client: ['10.0.0.0/16'] },
        { match, percent: 25 },
      ]),
      {
        routes: [
          { route: 0, outcome: 'all', part: 1 },
          { route: 1, outcome: 'earlier', part: 0 },
        ],
        general: 0,
      },
    );
  });

  it('is what happens, whatever the routes', () => {
    const routes: readonly Route[] = [
      { match, percent: 20, sticky: true },
      { match, percent: 30 },
      { match, client: ['10.0.0.0/31'], percent: 12.5 },
      { match, percent: 10, sticky: true },
      { match, percent: 80 },
      { match, percent: 80, sticky: true },
    ];
    const table = new RouteTable(routes, 'web');
    for (let i = 0; i < 50; i++) {
      const told = table.explain(askerNumber(i));
      const turns = countingTurns();
      const counts = [...routes.map(() => 0), 0];
      for (let n = 0; n < 4000; n++) {
        const route = table.choose(askerNumber(i), turns);
        counts[route === GENERAL ? routes.length : route]!++;
      }
      const parts = [...told.routes.map(({ part }) => part), told.general];
      for (const [route, part] of parts.entries()) {
        assert.ok(Math.abs(counts[route]! / 4000 - part) < 0.01, `client ${i}: ${counts} is not ${parts}`);
      }
    }
  });
});
