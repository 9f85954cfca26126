// weighted.test.ts -- first places in proportion to the weights, evenly spread

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { weighted } from '../../src/balance/weighted.ts';
import { seededRandom } from '../../src/base/random.ts';
import { candidatesOf, drawOnce, drawState, firstPlaces, srvChances, testStrategy } from '../conformance/strategies.ts';
import { testMarks } from '../conformance/strategy-marks.ts';

testStrategy('weighted', weighted);
testMarks('weighted', weighted, { isExact: true });

/** The largest difference between the share of first places and that of the weight. */
function worstShare(weights: readonly number[], limit: number): number {
  const draws = 100_000;
  const counts = firstPlaces(weighted(candidatesOf(...weights)), limit, draws);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Math.max(...counts.map((count, index) => Math.abs(count / draws - weights[index]! / total)));
}

describe('weighted', () => {
  const sets: readonly (readonly number[])[] = [
    [1],
    [1, 1, 1],
    [5, 3, 2],
    [1, 99],
    [1, 65535],
    [65535, 65534, 65533],
    [10, 20, 30, 0, 40],
    [7919, 104_729, 3, 17],
    Array.from({ length: 100 }, (_, index) => index + 1),
    Array.from({ length: 100 }, (_, index) => (index < 50 ? 1 : 1000)),
    [...new Array<number>(999).fill(1), 65_535],
    Array.from({ length: 300 }, (_, index) => 65_535 - index * 211),
  ];
  for (const weights of sets) {
    const shown =
      weights.length > 6
        ? `${weights.length} weights, ${Math.min(...weights)} to ${Math.max(...weights)}`
        : weights.join();
    for (const limit of [1, 8]) {
      it(`keeps within 0.5 % of ${shown} with ${limit} answers`, () => {
        const worst = worstShare(weights, limit);
        assert.ok(worst <= 0.005, `${worst}`);
      });
    }
  }

  for (const [weights, limit] of [
    [[5, 3, 2], 2],
    [[7919, 104_729, 3, 17], 2],
    [Array.from({ length: 100 }, (_, i) => i + 1), 8],
    [[...new Array<number>(999).fill(1), 65_535], 3],
    [[0.3, 2.5, 1 / 3, 7, 7, 1], 3],
  ] as const) {
    const shown = `${weights.length} weights from ${weights[0]}`;
    it(`gives clients that draw by SRV weight the same shares: ${shown}`, () => {
      const plan = weighted(candidatesOf(...weights), { limit });
      const state = drawState(seededRandom(1));
      const order = new Uint16Array(limit);
      const shares = new Array<number>(weights.length).fill(0);
      const draws = 100_000;
      for (; state.turn < draws; state.turn++) {
        const drawn = [...order.subarray(0, plan.draw(limit, state, order))];
        for (const [i, chance] of srvChances(plan, drawn).entries()) shares[drawn[i]!]! += chance / draws;
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const worst = Math.max(...shares.map((share, i) => Math.abs(share - weights[i]! / total)));
      assert.ok(worst <= 0.005, `${worst}`);
    });
  }

  it('has second places go by weight as well when all fit', () => {
    const plan = weighted(candidatesOf(90, 6, 4));
    const seconds = [0, 0, 0];
    for (let turn = 0; turn < 50; turn++) seconds[drawOnce(plan, 3, turn, seededRandom(1))[1]!]!++;
    assert.ok(seconds[1]! > seconds[2]! && seconds[2]! > 0 && seconds[0]! > 0, `${seconds}`);
  });

  it('is exact over a cycle of small weights', () => {
    assert.deepEqual(firstPlaces(weighted(candidatesOf(5, 3, 2)), 2, 1000), [500, 300, 200]);
    // The common divisor does not count.
    assert.deepEqual(firstPlaces(weighted(candidatesOf(5000, 3000, 2000)), 2, 10), [5, 3, 2]);
  });

  it('interleaves: nobody of weight 1 in 4 waits longer than 7 turns, however the cycle is entered', () => {
    const weights = [3, 2, 2, 1];
    const plan = weighted(candidatesOf(...weights));
    const firsts = Array.from({ length: 64 }, (_, turn) => drawOnce(plan, 1, turn, seededRandom(1))[0]!);
    for (const [index, weight] of weights.entries()) {
      let last = -1;
      for (const [turn, first] of firsts.entries()) {
        if (first !== index) continue;
        if (last >= 0)
          assert.ok(turn - last <= 2 * Math.ceil(8 / weight) - 1, `${index} waits from ${last} to ${turn}`);
        last = turn;
      }
    }
  });

  it('keeps SRV weights as they are, and in proportion when they are too large', () => {
    assert.deepEqual(weighted(candidatesOf(0, 1, 65535)).srvWeights, [0, 1, 65535]);
    assert.deepEqual(weighted(candidatesOf(131_070, 65_535, 1, 0)).srvWeights, [65535, 32768, 1, 0]);
  });

  it('is as fair with any weights', () => {
    const some = fc.array(fc.integer({ min: 1, max: 65535 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(some, (weights) => {
        assert.ok(worstShare(weights, 3) <= 0.005, `${weights}`);
      }),
      { seed: 100, numRuns: 20 },
    );
  });
});
