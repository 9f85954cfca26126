// pool.test.ts -- which instances stand behind a name, and which plan orders them

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STRATEGIES } from '../../src/balance/strategies.ts';
import { seededRandom } from '../../src/base/random.ts';
import { STATUSES } from '../../src/registry/instance.ts';
import type { AnsweringService, Member } from '../../src/registry/member.ts';
import { STRATEGY_NAMES } from '../../src/registry/policy.ts';
import { membersOf, planFor, poolOf } from '../../src/routing/pool.ts';
import { candidatesOf, drawOnce } from '../conformance/strategies.ts';

function serviceOf(
  ...instances: readonly [id: string, status: Member['status'], ...tags: string[]][]
): AnsweringService {
  const states = instances.map(
    ([id, status, ...tags]) => [id, { instance: { id, tags }, status } as unknown as Member] as const,
  );
  return { name: 's', instances: new Map(states), policy: undefined };
}

function ids(states: readonly Member[]): string {
  return states.map(({ instance }) => instance.id).join(' ');
}

describe('the pool of a service', () => {
  const everyStatus = serviceOf(...STATUSES.map((status): [string, Member['status']] => [status, status]));

  it('has registered everybody, and answers those that are healthy or warn', () => {
    const pool = poolOf(membersOf(everyStatus, []), undefined);
    assert.equal(ids(pool.registered), STATUSES.join(' '));
    assert.equal(ids(pool.answerable), 'healthy warning');
  });

  it('keeps the order of registration', () => {
    const service = serviceOf(['z', 'healthy'], ['a', 'healthy'], ['m', 'healthy']);
    assert.equal(ids(poolOf(membersOf(service, []), undefined).answerable), 'z a m');
  });

  const tagged = serviceOf(
    ['a', 'healthy', 'v1', 'eu'],
    ['b', 'healthy', 'eu'],
    ['c', 'unhealthy', 'v1', 'eu'],
    ['d', 'healthy', 'v1'],
  );
  const rows: readonly (readonly [tags: string, registered: string, answerable: string])[] = [
    ['', 'a b c d', 'a b d'],
    ['v1', 'a c d', 'a d'],
    ['eu v1', 'a c', 'a'],
    ['v1 eu', 'a c', 'a'],
    ['v1 v1', 'a c d', 'a d'],
    ['v2', '', ''],
    ['v1 v2', '', ''],
  ];
  for (const [tags, registered, answerable] of rows) {
    it(`of ${tags || 'no tags'} is ${registered || 'nobody'}, answerable ${answerable || 'nobody'}`, () => {
      const pool = poolOf(membersOf(tagged, tags.split(' ').filter(Boolean)), undefined);
      assert.deepEqual([ids(pool.registered), ids(pool.answerable)], [registered, answerable]);
    });
  }
});

describe('the plan of a policy', () => {
  const candidates = candidatesOf(3, 1);
  const firsts = (policy: Parameters<typeof planFor>[0]) =>
    [0, 1, 2, 3].map((turn) => drawOnce(planFor(policy, candidates), 1, turn, seededRandom(1))[0]).join('');

  it('is round-robin without one', () => {
    assert.equal(firsts(undefined), '0101');
    assert.equal(firsts({ ttlSeconds: 5 }), '0101');
  });

  it('goes by the strategy that it names', () => {
    assert.equal(firsts({ strategy: 'weighted' }).split('0').length - 1, 3);
    assert.deepEqual(planFor({ strategy: 'weighted' }, candidates).srvWeights, [3, 1]);
  });

  it('is there for every strategy that a policy may name', () => {
    assert.deepEqual(Object.keys(STRATEGIES).sort(), [...STRATEGY_NAMES].sort());
  });
});
