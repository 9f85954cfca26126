// validate-routes.test.ts -- routes, tiers and affinity of policies: what is taken, and what is said of the rest

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { refusal } from '../support/registrations.ts';

const match = { tags: ['v2'] };

function problems(policy: unknown): string[] {
  const { code, details } = refusal(() => readPolicy(policy));
  assert.equal(code, 'invalid');
  return details.map(({ path, message }) => `${path}: ${message}`);
}

describe('routes, tiers and affinity', () => {
  it('are taken as they are said', () => {
    const policy = {
      routes: [
        {
          match: { tags: ['V2', 'eu', 'v2'], meta: { Owner: 'team a' } },
          client: ['10.0.0.0/8', '::1'],
          percent: 12.34,
        },
        { match: { meta: { k: '' } }, percent: 0, sticky: true },
        { match, client: ['0.0.0.0/0'], sticky: false },
      ],
      tiers: [{ match, spillBelow: 0.5 }, { match: { tags: ['v3'] } }],
      affinity: { by: 'zone', mode: 'pin' },
    };
    const [first, ...others] = policy.routes;
    assert.deepEqual(readPolicy(policy), {
      ...policy,
      routes: [{ ...first, match: { ...first!.match, tags: ['v2', 'eu'] } }, ...others],
    });
    assert.deepEqual(readPolicy({ affinity: { by: 'subnet' } }), { affinity: { by: 'subnet' } });
  });

  const rows: readonly (readonly [policy: unknown, ...problems: string[]])[] = [
    [{ routes: {} }, 'routes: must be an array'],
    [{ routes: Array(17).fill({ match }) }, 'routes: has 17 elements (at most 16)'],
    [{ routes: [5, null] }, 'routes[0]: must be an object', 'routes[1]: must be an object'],
    [{ routes: [{}] }, 'routes[0].match: is missing'],
    [{ routes: [{ match: 5 }] }, 'routes[0].match: must be an object'],
    [{ routes: [{ match: {} }] }, 'routes[0].match: must name a tag or a metadata value: else it matches everything'],
    [
      { routes: [{ match: { tags: [], meta: {} } }] },
      'routes[0].match: must name a tag or a metadata value: else it matches everything',
    ],
    [
      { routes: [{ match: { tags: ['tcp', 5], meta: { a: 1 }, status: 'healthy' }, weight: 1 }] },
      "routes[0].match.tags[0]: 'tcp' is a reserved tag",
      'routes[0].match.tags[1]: must be a string',
      'routes[0].match.meta.a: must be a string of at most 1024 characters without control characters',
      'routes[0].match.status: unknown field',
      'routes[0].weight: unknown field',
    ],
    [
      { routes: [{ match, client: ['10.0.0.1/8', 'private', 7, '::ffff:10.0.0.0/104'] }] },
      ...[0, 1, 2, 3].map(
        (i) => `routes[0].client[${i}]: must be a network like "10.0.0.0/8", without host bits, or an address`,
      ),
    ],
    [
      {
        routes: [
          { match, percent: 101 },
          { match, percent: -1 },
          { match, percent: '5' },
          { match, percent: 0.005 },
        ],
      },
      'routes[0].percent: must be a number from 0 to 100',
      'routes[1].percent: must be a number from 0 to 100',
      'routes[2].percent: must be a number from 0 to 100',
      'routes[3].percent: must be in steps of 0.01',
    ],
    [{ routes: [{ match, sticky: 'yes' }] }, 'routes[0].sticky: must be true or false'],
    [
      { tiers: [{ match, spillBelow: 2 }, { spillBelow: 0.5 }] },
      'tiers[0].spillBelow: must be a number from 0 to 1',
      'tiers[1].match: is missing',
    ],
    [
      { tiers: [{ match: { tags: ['a', 'b'] } }, { match }, { match: { tags: ['B', 'a'] } }] },
      'tiers[2].match: is that of tiers[0], which takes all its instances',
    ],
    [{ affinity: {} }, 'affinity.by: is missing'],
    [{ affinity: 'zone' }, 'affinity: must be an object'],
    [
      { affinity: { by: 'rack', mode: 'maybe', strict: true } },
      'affinity.by: must be one of zone, subnet',
      'affinity.mode: must be one of prefer, pin',
      'affinity.strict: unknown field',
    ],
  ];
  for (const [policy, ...expected] of rows) {
    it(JSON.stringify(policy).slice(0, 90), () => assert.deepEqual(problems(policy), expected));
  }

  it('may ask for more than there is: the first ones have it', () => {
    const fine = [
      [
        { match, percent: 80, sticky: true },
        { match, percent: 50 },
      ],
      [{ match }, { match }],
      [
        { match, client: ['10.0.0.0/8'] },
        { match, client: ['10.1.0.0/16'], percent: 40 },
      ],
      [
        { match, percent: 60 },
        { match, percent: 40 },
        { match, percent: 0.01 },
      ],
    ];
    for (const routes of fine) assert.deepEqual(readPolicy({ routes }).routes, routes);
    const routes = [{ match }, { match }];
    assert.deepEqual(readPolicy({ routes, steps: [{ route: 0, percent: 5 }] }).routes, routes);
  });

  it('that are empty, or null, are as if they were not there', () => {
    assert.deepEqual(readPolicy({ routes: [], tiers: [], steps: [] }), {});
    assert.deepEqual(readPolicy({ strategy: null, routes: null, tiers: null, steps: null, affinity: null }), {});
    assert.deepEqual(
      readPolicy({
        routes: [
          { match, client: [] },
          { match, client: null, percent: null },
        ],
      }).routes,
      [{ match }, { match }],
    );
    assert.deepEqual(problems({ routes: [null], tiers: [null] }), [
      'routes[0]: must be an object',
      'tiers[0]: must be an object',
    ]);
  });

  it('may name any metadata key but one, and unknown fields are said by their path', () => {
    const meta = JSON.parse('{"constructor":"x","prototype":"y","toString":"z"}') as object;
    assert.deepEqual(readPolicy({ routes: [{ match: { meta } }] }).routes, [{ match: { meta } }]);
    assert.deepEqual(problems(JSON.parse('{"routes":[{"match":{"meta":{"__proto__":"x"}}}]}')), [
      'routes[0].match.meta.__proto__: cannot be a key',
      'routes[0].match: must name a tag or a metadata value: else it matches everything',
    ]);
    assert.deepEqual(problems(JSON.parse('{"constructor":{},"__proto__":1}')), [
      'constructor: unknown field',
      '__proto__: unknown field',
    ]);
  });

  it('are said by where they stand in what was sent', () => {
    const { details } = refusal(() => readPolicy({ bogus: 1, routes: [{}], steps: [7] }, 'policy'));
    assert.deepEqual(
      details.map(({ path }) => path),
      ['policy.routes[0].match', 'policy.steps[0]', 'policy.bogus'],
    );
  });
});
