// random.test.ts -- every order equally likely

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomOrder } from '../../src/balance/random.ts';
import { seededRandom } from '../../src/base/random.ts';
import { candidatesOf, drawOnce, firstPlaces, testStrategy } from '../conformance/strategies.ts';
import { testMarks } from '../conformance/strategy-marks.ts';

testStrategy('random', randomOrder);
testMarks('random', randomOrder, { isChance: true });

function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('random', () => {
  // Bounds are the 99.9 % points of the chi-square distribution; the seeds make the outcome the same each time.
  it('shares first places evenly, whatever the weights (7 degrees of freedom)', () => {
    for (const limit of [1, 3, 8]) {
      const counts = firstPlaces(randomOrder(candidatesOf(1, 2, 3, 4, 5, 6, 7, 60_000)), limit, 100_000, limit);
      assert.ok(chiSquare(counts) < 24.32, `${counts}`);
    }
  });

  it('makes all 24 orders of four equally likely (23 degrees of freedom)', () => {
    const plan = randomOrder(candidatesOf(1, 1, 1, 1));
    const random = seededRandom(24);
    const counts = new Map<string, number>();
    for (let turn = 0; turn < 48_000; turn++) {
      const order = drawOnce(plan, 4, turn, random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.equal(counts.size, 24);
    assert.ok(chiSquare([...counts.values()]) < 49.73, `${[...counts.values()]}`);
  });

  it('does not depend on the turn: two servers with cursors in step do not answer in step', () => {
    const plan = randomOrder(candidatesOf(1, 1, 1, 1, 1, 1, 1, 1));
    const orders = [1, 2, 3].map((seed) => drawOnce(plan, 8, 0, seededRandom(seed)).join());
    assert.equal(new Set(orders).size, 3);
  });

  it('puts 1 into SRV, 0 for those that stand by', () => {
    assert.deepEqual(randomOrder(candidatesOf(7, 0, 65535)).srvWeights, [1, 0, 1]);
  });
});
