// subset.test.ts -- the same few candidates for the same client, in turns

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Candidate } from '../../src/balance/plan.ts';
import { subset } from '../../src/balance/subset.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  addressCandidates,
  candidatesOf,
  chiSquareDeviation,
  countPlaces,
  drawOnce,
  drawState,
  firstPlaces,
  LIKELY,
  testStrategy,
} from '../conformance/strategies.ts';
import { testMarks } from '../conformance/strategy-marks.ts';

testStrategy('subset', subset);
testMarks('subset', subset, { isChance: true, isSticky: true });

/** The keys that each of `clients` clients gets. */
function sets(candidates: readonly Candidate[], clients: number, limit: number): Set<string>[] {
  const plan = subset(candidates, { limit });
  const order = new Uint16Array(limit);
  const random = seededRandom(8);
  return Array.from({ length: clients }, (_, client) => {
    const count = plan.draw(limit, drawState(random, Math.imul(client, 0x9e3779b1) >>> 0), order);
    return new Set([...order.subarray(0, count)].map((index) => candidates[index]!.key));
  });
}

/** How many pairs of client and candidate there are only before. */
function countMoved(before: readonly Set<string>[], after: readonly Set<string>[]): number {
  return before.reduce((sum, keys, client) => sum + [...keys].filter((key) => !after[client]!.has(key)).length, 0);
}

describe('subset', () => {
  it('gives a client the same few each time, and each of them the first place as often', () => {
    for (const count of [12, 40, 500]) {
      const plan = subset(addressCandidates(count), { limit: 4 });
      const random = seededRandom(count);
      const seen = new Map<number, number>();
      for (let turn = 0; turn < 4000; turn++) {
        const first = drawOnce(plan, 4, turn, random, 77)[0]!;
        seen.set(first, (seen.get(first) ?? 0) + 1);
      }
      assert.equal(seen.size, 4);
      assert.ok(chiSquareDeviation([...seen.values()], [1, 1, 1, 1]) < LIKELY, `${[...seen.values()]}`);
    }
  });

  it('gives a client all of them when they fit', () => {
    assert.equal(new Set(drawOnce(subset(addressCandidates(8), { limit: 8 }), 8, 0, seededRandom(1), 5)).size, 8);
  });

  for (const [count, limit] of [
    [3, 2],
    [10, 8],
    [30, 8],
    [100, 3],
  ] as const) {
    it(`shares ${count} of one weight evenly, ${limit} for each client`, () => {
      const plan = subset(addressCandidates(count), { limit });
      const { first, included } = countPlaces(plan, limit, 100_000, count);
      const even = new Array<number>(count).fill(1);
      assert.ok(chiSquareDeviation(first, even) < LIKELY, `first places ${first}`);
      assert.ok(chiSquareDeviation(included, even) < LIKELY, `places ${included}`);
    });
  }

  for (const [weights, limit] of [
    [[5, 3, 2], 2],
    [[1, 1, 1, 1, 10, 10], 3],
    [[1, 1, 1, 100], 2],
    [[0.5, 0.25, 2], 3],
    [Array.from({ length: 100 }, (_, i) => i + 1), 8],
  ] as const) {
    it(`shares first places by weight: ${weights.slice(0, 6)}, ${limit} for each client`, () => {
      const deviation = chiSquareDeviation(
        firstPlaces(subset(candidatesOf(...weights), { limit }), limit, 200_000),
        weights,
      );
      assert.ok(deviation < LIKELY, `${deviation}`);
    });
  }

  for (const [count, weights, limit] of [
    [10, 1, 3],
    [100, 1, 8],
    [100, 5, 8],
    [400, 3, 8],
  ] as const) {
    it(`moves few when one of ${count} of weight 1 to ${weights} leaves or comes`, () => {
      const clients = 5000;
      const all = addressCandidates(count, weights);
      const others = all.toSpliced(count >> 1, 1);
      const [more, fewer] = [sets(all, clients, limit), sets(others, clients, limit)];
      const gone = all[count >> 1]!;
      const pairs = more.filter((keys) => keys.has(gone.key)).length;
      // Exactly those who had it get one other in its place.
      assert.equal(countMoved(more, fewer), pairs);
      assert.equal(countMoved(fewer, more), pairs);
      if (weights === 1) assert.ok(pairs <= (1.5 / count) * clients * limit, `${pairs}`);
    });
  }

  it('does not depend on the order of the candidates', () => {
    assert.deepEqual(sets(addressCandidates(50, 3), 500, 5), sets(addressCandidates(50, 3).toReversed(), 500, 5));
  });
});
