// failover.test.ts -- always the best one first

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failover } from '../../src/balance/failover.ts';
import { seededRandom } from '../../src/base/random.ts';
import { candidatesOf, drawOnce, testStrategy } from '../conformance/strategies.ts';

testStrategy('failover', failover, { isFixed: true });

describe('failover', () => {
  it('orders by weight, whatever the turn, and says so by SRV priority', () => {
    const plan = failover(candidatesOf(10, 0, 100, 50));
    for (const turn of [0, 1, 7]) assert.deepEqual(drawOnce(plan, 4, turn, seededRandom(turn)), [2, 3, 0, 1]);
    assert.deepEqual(plan.srvPriorities, [2, 3, 0, 1]);
    assert.deepEqual(plan.srvWeights, [1, 0, 1, 1]);
  });

  it('orders those of one weight by id, else by key', () => {
    const orderOf = (...candidates: { key: string; id?: string }[]) =>
      drawOnce(failover(candidates.map((each) => ({ ...each, weight: 1 }))), 9, 0, seededRandom(1)).join('');
    assert.equal(
      orderOf({ key: '10.0.0.1', id: 'c' }, { key: '10.0.0.2', id: 'a' }, { key: '10.0.0.3', id: 'b' }),
      '120',
    );
    assert.equal(orderOf({ key: 'b' }, { key: 'a' }), '10');
  });
});
