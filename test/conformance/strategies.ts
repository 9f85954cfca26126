// strategies.ts -- what every balancing strategy must do

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Candidate, Plan, Strategy } from '../../src/balance/plan.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';

/** Candidates `0`, `1`, ... of these weights. */
export function candidatesOf(...weights: number[]): Candidate[] {
  return weights.map((weight, index) => ({ key: String(index), weight }));
}

/** The indexes of one draw. */
export function drawOnce(plan: Plan, limit: number, turn: number, random: Random): number[] {
  // Larger than any draw, and full of what is no index: writing past the count is found out.
  const order = new Uint16Array(plan.size + 8).fill(0xffff);
  const count = plan.draw(limit, { turn, random }, order);
  assert.ok(
    order.slice(count).every((each) => each === 0xffff),
    'nothing is written behind the count',
  );
  return [...order.slice(0, count)];
}

/** How often each candidate came first in `draws` draws on consecutive turns. */
export function firstPlaces(plan: Plan, limit: number, draws: number, seed = 1): number[] {
  const random = seededRandom(seed);
  const counts = new Array<number>(plan.size).fill(0);
  const order = new Uint16Array(plan.size);
  for (let turn = 0; turn < draws; turn++) {
    assert.ok(plan.draw(limit, { turn, random }, order) > 0);
    counts[order[0]!]!++;
  }
  return counts;
}

const weights = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70_000 })),
  {
    maxLength: 40,
  },
);

/** Register the suite for one strategy. */
export function testStrategy(name: string, strategy: Strategy): void {
  describe(`${name}: strategy conformance`, () => {
    it('draws distinct candidates, as many as asked and there are, from any turn on', () => {
      const limit = fc.integer({ min: 0, max: 60 });
      const turn = fc.integer({ min: 0, max: 2 ** 32 - 1 });
      fc.assert(
        fc.property(weights, limit, turn, fc.integer(), (each, most, from, seed) => {
          const plan = strategy(candidatesOf(...each));
          assert.equal(plan.size, each.length);
          const random = seededRandom(seed);
          for (const offset of [0, 1, 2]) {
            const drawn = drawOnce(plan, most, (from + offset) >>> 0, random);
            assert.equal(drawn.length, Math.min(most, each.length));
            assert.equal(new Set(drawn).size, drawn.length);
            assert.ok(drawn.every((index) => index < each.length));
          }
        }),
        { seed: 2782, numRuns: 500 },
      );
    });

    it('lists weight 0 last, so never first while another is there', () => {
      fc.assert(
        fc.property(weights, fc.nat(100_000), fc.integer(), (each, turn, seed) => {
          const drawn = drawOnce(strategy(candidatesOf(...each)), each.length, turn, seededRandom(seed));
          const firstZero = drawn.findIndex((index) => each[index] === 0);
          if (firstZero >= 0) assert.ok(drawn.slice(firstZero).every((index) => each[index] === 0));
        }),
        { seed: 2052, numRuns: 500 },
      );
    });

    it('shares first places among those of weight 0 when nobody else is there', () => {
      const counts = firstPlaces(strategy(candidatesOf(0, 0, 0)), 1, 3000);
      for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`);
    });

    it('gives everybody of some weight the first place some time', () => {
      assert.ok(firstPlaces(strategy(candidatesOf(1, 2, 3, 4)), 4, 1000).every((count) => count > 0));
    });

    it('has an SRV weight for each candidate: 0..65535, and 0 exactly for weight 0', () => {
      fc.assert(
        fc.property(weights, (each) => {
          const { srvWeights } = strategy(candidatesOf(...each));
          assert.equal(srvWeights.length, each.length);
          for (const [index, weight] of srvWeights.entries()) {
            assert.ok(Number.isInteger(weight) && weight >= 0 && weight <= 65535, `${weight}`);
            assert.equal(weight === 0, each[index] === 0);
          }
        }),
        { seed: 16, numRuns: 500 },
      );
    });

    it('keeps plans apart: drawing from one does not move another', () => {
      const alone = strategy(candidatesOf(3, 2, 1));
      const [left, right] = [strategy(candidatesOf(3, 2, 1)), strategy(candidatesOf(1, 1, 5))];
      const randoms = [seededRandom(5), seededRandom(5)];
      for (let turn = 0; turn < 50; turn++) {
        const expected = drawOnce(alone, 2, turn, randoms[0]!);
        assert.deepEqual(drawOnce(left, 2, turn, randoms[1]!), expected);
        drawOnce(right, 3, turn, seededRandom(turn));
      }
    });

    it('draws nothing from nothing', () => {
      const plan = strategy([]);
      assert.deepEqual(drawOnce(plan, 8, 0, seededRandom(1)), []);
      assert.deepEqual(plan.srvWeights, []);
    });

    it('draws from a thousand without trouble', () => {
      const plan = strategy(candidatesOf(...Array.from({ length: 1000 }, (_, i) => i % 7)));
      assert.equal(new Set(drawOnce(plan, 1000, 123_456, seededRandom(1))).size, 1000);
    });
  });
}
