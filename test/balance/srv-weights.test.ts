// srv-weights.test.ts -- weights of any size as whole numbers up to 65535

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scaleSrvWeights, srvWeights } from '../../src/balance/srv-weights.ts';
import { planOf } from '../../src/balance/strategies.ts';
import { weighted } from '../../src/balance/weighted.ts';
import { candidatesOf } from '../conformance/strategies.ts';

describe('SRV weights', () => {
  const rows: readonly (readonly [weights: number[], expected: number[]])[] = [
    [[], []],
    [
      [0, 0],
      [0, 0],
    ],
    [
      [1, 2, 65_535],
      [1, 2, 65_535],
    ],
    [
      [131_070, 65_535, 1, 0],
      [65_535, 32_768, 1, 0],
    ],
    [
      [0.5, 1, 0],
      [5000, 10_000, 0],
    ],
    [
      [1e-9, 2.5],
      [1, 10_000],
    ],
  ];
  for (const [weights, expected] of rows) {
    it(`of ${weights.join() || 'nobody'} are ${expected.join() || 'none'}`, () => {
      assert.deepEqual(srvWeights(weights), expected);
    });
  }

  it('times a factor stay in proportion and within bounds', () => {
    const plan = weighted(candidatesOf(1, 3, 0, 100));
    assert.deepEqual(scaleSrvWeights(plan, 256).srvWeights, [256, 768, 0, 25_600]);
    assert.deepEqual(scaleSrvWeights(plan, 0.1).srvWeights, [1, 1, 0, 10]);
    assert.deepEqual(scaleSrvWeights(plan, 65_535).srvWeights, [655, 1966, 0, 65_535]);
  });

  it('are scaled by the policy', () => {
    assert.deepEqual(planOf({ srvWeightScale: 256 }, candidatesOf(1, 1)).srvWeights, [256, 256]);
    assert.deepEqual(planOf({ strategy: 'weighted', srvWeightScale: 2 }, candidatesOf(1, 4)).srvWeights, [2, 8]);
  });
});
