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
    assert.deepEqual(scaleSrvWeights(plan, 65_535).srvWeights, [655, 1966, 0, 65_535]);
  });

  it('are scaled down no further than rounding stays small', () => {
    const rows: readonly (readonly [weights: number[], factor: number, expected: number[]])[] = [
      [[1, 2, 3, 4], 0.1, [1, 2, 3, 4]],
      [[10, 20, 0], 0.5, [10, 20, 0]],
      [[20, 30, 45], 0.1, [10, 15, 23]],
      [[200, 400, 65_535], 0.1, [20, 40, 6554]],
      [[0, 0], 0.1, [0, 0]],
    ];
    for (const [weights, factor, expected] of rows) {
      assert.deepEqual(scaleSrvWeights(weighted(candidatesOf(...weights)), factor).srvWeights, expected, `${weights}`);
    }
    const weights = Array.from({ length: 990 }, (_, i) => i + 10);
    const scaled = scaleSrvWeights(weighted(candidatesOf(...weights)), 0.001).srvWeights;
    for (const [i, weight] of weights.entries()) {
      assert.ok(Math.abs(scaled[i]! / weight - 1) <= 0.05, `${weight} became ${scaled[i]}`);
    }
  });

  it('are scaled by the policy', () => {
    assert.deepEqual(planOf({ srvWeightScale: 256 }, candidatesOf(1, 1)).srvWeights, [256, 256]);
    assert.deepEqual(planOf({ strategy: 'weighted', srvWeightScale: 2 }, candidatesOf(1, 4)).srvWeights, [2, 8]);
  });
});
